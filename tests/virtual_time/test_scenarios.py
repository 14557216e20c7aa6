"""Runs of the shipped services in virtual time, judged by what they come to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.simulation.report import simulate
from tools.simulation.scenario import read_scenario

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.json"))
# A run of `make test` is the beginning of a scenario.
BEGINNING = {"seconds": 4.0, "measure_from": 1.0, "drain_seconds": 60.0, "workers": 8}
SEEDS = range(1, 6)
SHORT = {
    "name": "short",
    "seconds": 12,
    "measure_from": 2,
    "drain_seconds": 120,
    "workers": 4,
    "pools": {"openai": {"accounts": [{"repeat": 3, "rpm": 300, "burst": 5}], "vendor": {"rate": None, "burst": None}}},
}


def run(**fields: Any) -> dict[str, Any]:
    return simulate(read_scenario(json.dumps({**SHORT, **fields})))


# What five seeds of a whole scenario come to: at least so much of what was possible, and at most so many calls refused
# after the first ten seconds. The aims are 0.97 and 0.005; docs/rate-limits.md tells of those that are missed.
BARS = {
    "concurrency-only": (0.97, 0.0),
    "declared-twice": (0.97, 0.005),
    "rpm-60-load-05": (0.97, 0.0),
    "rpm-60-load-08": (0.97, 0.0),
}


@pytest.fixture
def thorough(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--hypothesis-profile") == "thorough")


@pytest.fixture
def reports(*, thorough: bool) -> Callable[[Path], list[dict[str, Any]]]:
    """Runs of a scenario's file: its beginning, or with the thorough profile all of it with five seeds."""
    changes = [{"seed": seed} for seed in SEEDS] if thorough else [BEGINNING]

    def run_all(path: Path) -> list[dict[str, Any]]:
        scenario = read_scenario(path.read_text(encoding="utf-8"))
        return [simulate(scenario.model_copy(update=change)) for change in changes]

    return run_all


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_whatever_vendors_allow_nobody_fails_and_nothing_is_bought_twice(
    path: Path, reports: Callable[[Path], list[dict[str, Any]]], *, thorough: bool
) -> None:
    for report in reports(path):
        assert (report["failed"], report["dead_letters"]) == (0, 0), report
        assert report["succeeded"] + report["expired"] + report["unserved"] == report["published"] > 0
        assert report["succeeded"] <= report["purchases"] <= report["calls"]
        assert report["purchases"] <= report["succeeded"] + report["unserved"]
        assert report["served"] <= report["possible"] * 1.1 + 1.0
        if thorough and path.stem in BARS:
            goodput, waste = BARS[path.stem]
            assert (report["goodput"] >= goodput, report["waste"] <= waste) == (True, True), report


def test_below_the_limit_everything_is_served_and_nothing_wasted() -> None:
    report = run(arrivals=[{"rate": 9}])
    assert report["goodput"] == pytest.approx(1.0, abs=0.03)
    assert (report["waste_all"], report["failed"], report["unserved"]) == (0, 0, 0)
    assert report["succeeded"] == report["published"] == report["calls"] == report["purchases"]
    assert report["p99"] <= report["oracle_p99"] + 0.15


def test_above_the_limit_everything_is_served_later() -> None:
    report = run(arrivals=[{"rate": 25}])
    assert report["possible"] == pytest.approx(15, rel=0.1)
    assert report["succeeded"] == report["published"]
    assert report["waste_all"] <= 0.01
    assert report["requeues"] > 0


def test_a_slot_that_comes_free_is_used_again_at_once() -> None:
    slots = {"openai": {"accounts": [{"repeat": 2, "rpm": None, "concurrency": 2}], "vendor": {"limit": "concurrency"}}}
    report = run(pools=slots, arrivals=[{"rate": 16}], service={"median": 0.5}, drain_seconds=0)
    assert report["possible"] == pytest.approx(8, rel=0.05)
    assert report["goodput"] >= 0.95
    assert (report["waste_all"], report["failed"]) == (0, 0)
    assert report["write_units"] <= 0.5


def test_who_cannot_be_served_by_the_deadline_is_told_early_and_no_place_is_lost() -> None:
    one = {"openai": {"accounts": [{"repeat": 1, "rpm": 300, "burst": 5}], "vendor": {"rate": None, "burst": None}}}
    report = run(seconds=30, pools=one, arrivals=[{"rate": 10, "timeout": 20}])
    assert report["succeeded"] + report["expired"] == report["published"]
    assert report["succeeded"] >= 0.97 * 5 * (30 + 20)
    assert report["goodput"] >= 0.97


def test_where_lifetimes_differ_those_with_the_least_time_left_are_served_first() -> None:
    one = {"openai": {"accounts": [{"repeat": 1, "rpm": 300, "burst": 5}], "vendor": {"rate": None, "burst": None}}}
    report = run(seconds=40, pools=one, arrivals=[{"rate": 5, "timeout": 20}, {"rate": 5, "timeout": 200}])
    assert report["expired"] <= 0.01 * report["published"]
    assert report["goodput"] >= 0.97


def test_calls_of_which_a_few_take_a_minute_are_no_incident() -> None:
    pool = {"openai": {"vendor": {"limit": "none"}, "accounts": [{"rpm": None}]}}
    report = run(seconds=180, pools=pool, workers=8, arrivals=[{"rate": 4}], service={"median": 2.0, "p99": 60.0})
    assert report["alerts"] == []
    assert report["succeeded"] == report["published"]


def test_a_worker_takes_more_while_its_slowest_call_lasts() -> None:
    given = {"seconds": 60, "workers": 1, "arrivals": [{"rate": 10}], "service": {"median": 0.5, "p99": 20}}
    pools = {"openai": {"vendor": {"limit": "none"}, "accounts": [{"rpm": None}]}}
    report = run(pools=pools, **given)
    assert report["goodput"] >= 0.9
    assert report["succeeded"] == report["published"]


@pytest.mark.parametrize("threads", [1, 4, 20])
def test_a_worker_serves_as_many_at_once_as_the_scenario_says(threads: int) -> None:
    pools = {"openai": {"vendor": {"limit": "none"}, "accounts": [{"rpm": None}]}}
    even = [{"rate": 100, "pattern": "even"}]
    report = run(pools=pools, workers=1, threads=threads, arrivals=even, service={"median": 1.0})
    assert 0.7 * threads <= report["served"] <= threads


def test_pictures_are_served_by_their_own_function() -> None:
    pools = {"openai": {"vendor": {"limit": "none"}, "accounts": [{"rpm": None}]}}
    fields = {"kind": "image", "providers": ["openai-image"], "workers": 1, "service": {"median": 2.0}}
    report = run(pools=pools, arrivals=[{"rate": 100, "pattern": "even"}], **fields)
    assert 0.7 * 16 <= report["served"] <= 16
    assert report["failed"] == 0


def test_an_outage_is_told_once_and_its_end_and_nobody_fails() -> None:
    pool = {"accounts": [{"repeat": 2, "rpm": 600}], "vendor": {"rate": None, "burst": None}}
    report = run(
        seconds=130,
        providers=["openai-tts", "elevenlabs-tts"],
        pools={"openai": pool, "elevenlabs": pool},
        arrivals=[{"rate": 4}],
        faults=[{"from": 20, "to": 50, "provider": "openai-tts", "answer": "500"}],
    )
    assert [(each["event"], each["subject"]) for each in report["alerts"]] == [
        ("opened", "provider:openai-tts"),
        ("resolved", "provider:openai-tts"),
    ]
    assert 20 <= report["alerts"][0]["at"] <= 25
    assert report["succeeded"] == report["published"] == report["purchases"]
    assert 0 < report["calls"] - report["purchases"] <= 20


def test_a_limit_that_is_lower_than_declared_is_told_once_of_its_provider() -> None:
    pool = {"accounts": [{"repeat": 2, "rpm": 600, "burst": 5}], "vendor": {"rate": 2.5, "burst": 5}}
    report = run(seconds=130, pools={"openai": pool}, arrivals=[{"rate": 6, "to": 80}])
    assert [(each["event"], each["subject"]) for each in report["alerts"]] == [("opened", "limit:openai-tts")]
    assert report["succeeded"] == report["published"]


def test_a_provider_alone_that_answers_errors_fails_its_requests() -> None:
    report = run(arrivals=[{"rate": 4}], faults=[{"provider": "openai-tts", "answer": "500", "text": "poison"}])
    assert report["failed"] == 0
    poisoned = run(
        arrivals=[{"rate": 4}, {"rate": 0.2, "text": "poison", "pattern": "even"}],
        faults=[{"provider": "openai-tts", "answer": "500", "text": "poison"}],
    )
    assert poisoned["failed"] == 3
    assert poisoned["succeeded"] == poisoned["published"] - 3


def test_a_worker_that_dies_costs_its_batch_the_time_of_the_queue_and_nothing_is_lost() -> None:
    report = run(arrivals=[{"rate": 4}], service={"median": 1.5}, deaths_per_minute=20, drain_seconds=2000)
    assert (report["unserved"], report["failed"], report["dead_letters"]) == (0, 0, 0)
    assert report["p99"] >= 900
    assert report["purchases"] >= report["succeeded"] == report["published"]


@pytest.mark.parametrize("store", ["telemetry", "jobs", "results"])
def test_a_store_that_is_away_delays_and_loses_nothing(store: str) -> None:
    report = run(arrivals=[{"rate": 5}], outages=[{"store": store, "from": 4, "to": 7}], drain_seconds=1000)
    assert (report["unserved"], report["failed"], report["expired"]) == (0, 0, 0)
    assert report["purchases"] == report["succeeded"] == report["published"]


def test_changes_take_hold_and_keys_come_and_go() -> None:
    changes = [
        {"at": 0, "vendor": "openai", "set": {"rate": 2.5, "burst": 3}},
        *({"at": 2, "vendor": "openai", "remove_account": number} for number in (0, 1)),
        {"at": 2, "vendor": "openai", "add_account": {"rpm": 300, "burst": 5}},
    ]
    report = run(arrivals=[{"rate": 12}], changes=changes)
    assert report["possible"] == pytest.approx(5, rel=0.2)
    assert 0 < report["served"] <= report["possible"] * 1.1


@pytest.mark.parametrize("wait", ["right", "huge"])
def test_refusals_are_counted_whatever_they_say_of_the_wait(wait: str) -> None:
    vendor = {"rate": 2.0, "burst": 2, "wait": wait}
    report = run(
        arrivals=[{"rate": 10}], pools={"openai": {"accounts": [{"repeat": 2, "rpm": None}], "vendor": vendor}}
    )
    assert report["waste_all"] > 0
    assert report["purchases"] == report["succeeded"] < report["calls"]


def test_a_part_of_the_calls_is_refused_whatever_the_rate() -> None:
    vendor = {"limit": "none", "random_refusals": 0.2}
    pool = {"openai": {"accounts": [{"repeat": 5, "rpm": None}], "vendor": vendor}}
    report = run(seconds=14, arrivals=[{"rate": 20}], pools=pool)
    assert report["waste_all"] == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize(
    "fields",
    [
        {"arrivals": [{"rate": 25}]},
        {"arrivals": [{"rate": 12, "tenant": "a"}, {"rate": 3, "tenant": "b"}], "clock_offsets": [0.0, 1.5, -2.0]},
    ],
)
def test_the_same_seed_prints_the_same_in_another_process(fields: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps({**SHORT, **fields}))
    printed = []
    for hashes in ("1", "2"):
        environment = {"PYTHONPATH": "shared:.", "PYTHONHASHSEED": hashes}
        command = [sys.executable, "-m", "tools.simulation", "--seed", "7", str(file)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        printed.append(json.loads(done.stdout))
    assert all(report.pop("seconds_run") > 0 for report in printed)
    assert printed[0] == printed[1]
    assert printed[0]["seed"] == 7
