"""Small versions of the fleet's scenarios: exact, in virtual time. The whole is `python -m tools.bench fleet`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.keys.pool import KeyEntry, limit_of
from tools.bench.fleet.grid import remaining
from tools.bench.fleet.run import run
from tools.bench.fleet.scenario import Change, Policy, Scenario, Tally

EASY = Scenario("easy", 4, 5, 0.8, burst=20, duration=30.0, warm_up=12.0)
FLOODED = replace(EASY, name="flooded", workers=64, load=2.0)


def goodput(scenario: Scenario, tally: Tally) -> float:
    return tally.successes(scenario.warm_up, scenario.duration) / remaining(scenario)


@pytest.mark.parametrize("workers", [1, 4, 64])
def test_below_capacity_everything_is_served_at_once_and_nothing_wasted(workers: int) -> None:
    scenario = replace(EASY, workers=workers)
    tally, oracle = run(scenario), run(replace(scenario, policy=Policy.ORACLE))
    assert (len(tally.served), tally.refused, tally.trips) == (tally.published, [], 0)
    assert tally.queueing(0.99) <= oracle.queueing(0.99) + 0.05
    assert tally.writes <= 0.25 * tally.published


@pytest.mark.parametrize(("workers", "load"), [(1, 2.0), (4, 2.0), (16, 2.0), (64, 2.0), (64, 10.0)])
def test_overload_becomes_a_queue_and_no_failure(workers: int, load: float) -> None:
    scenario = replace(
        FLOODED, workers=workers, load=load, duration=15.0 if load > 2.0 else 30.0, warm_up=7.0 if load > 2.0 else 12.0
    )
    tally = run(scenario)
    assert len(tally.served) == tally.published
    assert (tally.expired, tally.dead_letters) == (0, 0)
    assert tally.waste() <= 0.002
    assert goodput(scenario, tally) >= 0.96


@pytest.mark.parametrize(("load", "duration"), [(2.0, 30.0), (10.0, 8.0)])
def test_slow_keys_are_used_up_while_their_lanes_fill_and_no_promise_is_lost(load: float, duration: float) -> None:
    scenario = replace(
        FLOODED, keys=100, rate=1.0, burst=2, workers=256, load=load, duration=duration, warm_up=duration / 2
    )
    tally = run(scenario, drain=False)
    assert goodput(scenario, tally) >= 0.97
    assert tally.lost_promises <= 0.002 * tally.published
    assert tally.refused == []


def test_requests_that_cannot_be_served_in_time_expire_by_their_own_deadline() -> None:
    tally = run(replace(FLOODED, timeout=15.0))
    assert tally.expired > 0
    assert len(tally.served) + tally.expired == tally.published
    assert max(wait for _, wait, _ in tally.served) <= 15.0


def test_without_leases_the_fleet_finds_every_limit_by_hitting_it() -> None:
    tally = run(replace(FLOODED, policy=Policy.OFF), drain=False)
    assert tally.waste() > 0.1


def test_a_limit_nobody_declared_is_measured() -> None:
    scenario = Scenario("learn", 4, 5, 1.5, burst=20, duration=100.0, warm_up=60.0, declared=False, retry_after=False)
    tally = run(scenario, drain=False)
    assert goodput(scenario, tally) >= 0.93
    assert tally.waste(60.0) <= 0.03


def test_a_limit_that_fell_is_obeyed_within_seconds() -> None:
    change = Change(60.0, 0.5)
    scenario = Scenario("halved", 4, 5, 2.0, burst=20, duration=90.0, declared=False, retry_after=False, change=change)
    tally = run(scenario, drain=False)
    assert tally.waste(70.0) <= 0.05
    assert tally.successes(70.0, 90.0) >= 0.93 * 25 * 20


@pytest.mark.parametrize(
    "trouble",
    [
        {"rejected": 2, "rejected_at": 15.0},
        {"exhausted": 1, "exhausted_at": 15.0},
        {"deaths": 0.02},
        {"skew": 2.0},
    ],
)
def test_trouble_costs_no_more_than_what_it_takes_away(trouble: dict[str, Any]) -> None:
    scenario = replace(FLOODED, duration=60.0, **trouble)
    tally = run(scenario, drain=False)
    assert goodput(scenario, tally) >= 0.95
    assert tally.waste(scenario.warm_up) <= 0.01
    assert tally.dead_letters == 0


def test_a_table_that_is_away_stops_nobody() -> None:
    scenario = replace(EASY, store_down=(5.0, 15.0))
    tally = run(scenario)
    assert len(tally.served) == tally.published
    assert tally.waste() <= 0.01


def test_a_flood_does_not_reach_a_small_tenant() -> None:
    tenants = {"small": 1.0, "flood": 100.0}
    scenario = replace(FLOODED, rate=4.0, burst=8, tenants=tenants, fair=True, group=1, duration=90.0)
    tally = run(scenario, drain=False)
    assert tally.queueing(0.9, "small", 60.0) <= 0.1
    assert tally.queueing(0.5, "flood", 60.0) > 1.0


def test_keys_of_one_account_share_its_limit() -> None:
    scenario = replace(FLOODED, keys=10, keys_per_account=2)
    tally = run(scenario, drain=False)
    assert tally.waste() <= 0.002
    assert goodput(scenario, tally) >= 0.97


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_keys_without_a_burst_are_not_called_a_moment_too_soon(load: float) -> None:
    """A bucket of one call refuses what comes some milliseconds early; a permit for now is used that much late."""
    told = limit_of((KeyEntry("key", "vendor", rpm=60.0),))
    assert told is not None
    scenario = replace(EASY, rate=1.0, told=told.rate, burst=1, load=load, group=1, duration=60.0)
    tally = run(scenario)
    assert (len(tally.served), tally.refused) == (tally.published, [])


def test_a_run_is_repeatable() -> None:
    one, other = run(FLOODED, drain=False), run(FLOODED, drain=False)
    assert (one.served, one.writes, one.trips) == (other.served, other.writes, other.trips)
