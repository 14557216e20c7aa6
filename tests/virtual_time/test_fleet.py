"""The limits that many workers share, in small: what holds of the whole grid of `python -m tools.bench fleet`."""

from __future__ import annotations

from typing import Any

import pytest

from tools.bench.fleet import grid
from tools.simulation.report import quantile, simulate
from tools.simulation.scenario import Scenario
from tools.simulation.world import Run

FIVE = {"accounts": [{"repeat": 5, "rpm": 600, "burst": 20}], "vendor": {"rate": None, "burst": None}}


def scenario(*, load: float = 0.8, pool: Any = None, workers: int = 4, seconds: float = 20, **fields: Any) -> Scenario:
    tens = [{"rate": load * 50, "size": 10}]
    given = {"seconds": seconds, "measure_from": seconds / 2, "pools": {"openai": pool or FIVE}, "arrivals": tens}
    return Scenario.model_validate({**given, "workers": workers, **fields})


def test_below_capacity_everything_is_served_at_once_and_nothing_wasted() -> None:
    report = simulate(scenario(workers=64, load=0.5))
    assert report["succeeded"] == report["published"] == report["calls"]
    assert report["p99"] <= report["oracle_p99"] + 0.15
    assert report["write_units"] <= 0.35


@pytest.mark.parametrize(("workers", "load", "seconds"), [(1, 2.0, 16), (16, 2.0, 16)])
def test_overload_becomes_a_queue_and_no_failure(workers: int, load: float, seconds: float) -> None:
    report = simulate(scenario(workers=workers, load=load, seconds=seconds))
    assert report["succeeded"] == report["published"]
    assert report["waste_all"] <= 0.002
    assert report["goodput"] >= 0.96


def test_slow_keys_are_used_up_while_their_lanes_fill() -> None:
    pool = {"accounts": [{"repeat": 40, "rpm": 60, "burst": 2}], "vendor": {"rate": None, "burst": None}}
    report = simulate(scenario(pool=pool, workers=64, seconds=20, load=1.6, drain_seconds=0))
    assert report["goodput"] >= 0.96
    assert report["waste_all"] == 0


def test_requests_that_cannot_be_served_in_time_expire_by_their_own_deadline() -> None:
    run = Run(scenario(arrivals=[{"rate": 100, "timeout": 8}], workers=16))
    run.run()
    ends = [(run.book.settled[each.key], each) for each in run.requests]
    served = [at - each.at for (at, status), each in ends if status == "succeeded"]
    assert {status for (_, status), _ in ends} == {"succeeded", "expired"}
    assert max(served) <= 8.1


def test_without_shared_limits_the_fleet_finds_every_limit_by_hitting_it() -> None:
    report = simulate(scenario(load=1.6, workers=16, seconds=6, shared_limits=False, drain_seconds=0))
    assert report["waste_all"] > 0.1


@pytest.mark.parametrize("answered", ["reject_account", "exhaust_account"])
def test_accounts_that_are_lost_cost_no_more_than_what_they_gave(answered: str) -> None:
    changes = [{"at": 8, "vendor": "openai", answered: number} for number in (0, 1)]
    report = simulate(scenario(load=1.2, workers=16, seconds=36, changes=changes, drain_seconds=0))
    assert report["possible"] == pytest.approx(30, rel=0.05)
    assert report["goodput"] >= 0.95
    assert report["waste_all"] <= 0.01
    assert report["failed"] == report["dead_letters"] == 0


def test_clocks_that_are_wrong_waste_one_call_in_a_hundred_at_most() -> None:
    """A worker knows the table's clock to within a second at first, since its answers tell whole seconds."""
    report = simulate(scenario(load=1.2, workers=16, clock_offsets=[2.0, -2.0, 0.0], drain_seconds=0))
    assert report["goodput"] >= 0.95
    assert report["waste_all"] <= 0.01


def test_a_table_that_is_away_stops_nobody() -> None:
    report = simulate(scenario(outages=[{"store": "telemetry", "from": 4, "to": 12}]))
    assert report["succeeded"] == report["published"]
    assert report["waste_all"] <= 0.02


def test_a_flood_does_not_reach_a_small_tenant() -> None:
    tenants = [{"rate": 1, "tenant": "small"}, {"rate": 60, "tenant": "flood"}]
    run = Run(scenario(arrivals=tenants, workers=64, seconds=24, drain_seconds=20))
    run.run()
    waits = {
        name: sorted(
            run.book.settled.get(each.key, (100.0, ""))[0] - each.at
            for each in run.requests
            if each.tenant == name and each.at >= 12
        )
        for name in ("small", "flood")
    }
    assert quantile(waits["small"], 0.9) <= 0.5
    assert quantile(waits["flood"], 0.5) > 1.0


def test_keys_of_one_account_share_its_limit() -> None:
    pool = {**FIVE, "accounts": [{**FIVE["accounts"][0], "keys": 2}]}  # type: ignore[dict-item,index] # as written above
    report = simulate(scenario(pool=pool, load=2.0, workers=16, drain_seconds=0))
    assert report["waste_all"] <= 0.002
    assert report["goodput"] >= 0.96


def test_every_case_of_the_grid_is_a_scenario_with_a_load_that_its_name_tells() -> None:
    for case in grid.cases():
        read = Scenario.model_validate(case.scenario)
        asked = sum(each.rate for each in read.arrivals)
        allowed = read.pools["openai"].vendor.rate
        assert allowed is not None
        assert asked == pytest.approx(case.load * case.keys * allowed, rel=0.01) or case.table == "changed"
        assert read.measure_from < read.seconds
