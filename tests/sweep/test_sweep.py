"""Every call of every scenario fails in every way, in virtual time: what is bought is counted, and nothing is lost.

`make test` plays a sample, `make test-all` the whole of it. What fails is named by an id, which plays it again, with
all its calls: `python -m tests.sweep ID`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.kinds import JobStatus
from tests.doubles.queue import MemoryQueue
from tests.sweep.faults import Kind, RunId
from tests.sweep.invariants import broken
from tests.sweep.plan import failed, play, runs, sample, whole
from tests.sweep.scenarios import SCENARIOS
from tests.sweep.stage import Stage
from tests.sweep.vendors import Charge

SAMPLE = 1_000
SIZE = 10_000


@pytest.fixture
def chosen(request: pytest.FixtureRequest) -> Callable[[str], Sequence[RunId]]:
    """The runs of a scenario: all of them in a thorough suite, else those of the sample."""
    if request.config.getoption("--hypothesis-profile") == "thorough":
        return lambda name: list(runs(name))
    return lambda name: [run for run in sample(SAMPLE) if run.scenario == name]


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_fails(name: str, chosen: Callable[[str], Sequence[RunId]], record_property: Any) -> None:
    began, these = time.perf_counter(), chosen(name)
    found = failed(these)
    took = time.perf_counter() - began
    record_property("size and time", f"sweep of {name}: {len(these)} runs in {took:.1f} s, {len(found)} of them wrong")
    assert found == {}
    assert these


def test_the_sweep_is_as_large_as_it_is_to_be_and_no_run_is_in_it_twice() -> None:
    assert len(whole()) >= SIZE
    assert len(set(map(str, whole()))) == len(whole())


@pytest.mark.parametrize("run", [RunId("speech"), RunId("speech", "jobs", 2, Kind.OUTAGE, "everything", 3)], ids=str)
def test_an_id_says_all_there_is_to_know_of_a_run(run: RunId) -> None:
    first, second = play(run), play(RunId.parsed(str(run)))
    assert first.faults.log == second.faults.log
    assert first.clock.now() == second.clock.now()


# --- what it would find -----------------------------------------------------------------------------------------------


def record_of(stage: Stage) -> JobRecord:
    record = stage.jobs.get("job-1")
    assert record is not None
    return record


def cheaper(stage: Stage) -> None:
    stage.jobs._records["job-1"] = record_of(stage).model_copy(update={"cost_usd": 0.0})


def bought_again(stage: Stage) -> None:
    stage.vendors._charged.append(Charge("openai", "hello", 0.0))


def settled_again(stage: Stage) -> None:
    stage.changes.append((None, record_of(stage)))


def told_again(stage: Stage) -> None:
    stage.topic.published *= 2


def untold(stage: Stage) -> None:
    stage.topic.published.clear()


def never_settled(stage: Stage) -> None:
    stage.jobs._records["job-1"] = record_of(stage).model_copy(update={"status": JobStatus.RUNNING})


def holding(stage: Stage) -> None:
    stage.slots.holders["openai", "openai-0"] = {"job-1": round(stage.clock.now()) + 14_400}


def leased(stage: Stage) -> None:
    until = round(stage.clock.now() * 1000) + 60_000
    stage.jobs._records["job-1"] = record_of(stage).model_copy(update={"lease_until": until})


def parked(stage: Stage) -> None:
    assert isinstance(stage.queue, MemoryQueue)
    stage.queue.park(stage.published[0], code="", reason="-")


def vanished(stage: Stage) -> None:
    stage.jobs._records.clear()


def received_too_often(stage: Stage) -> None:
    stage.redriven.append(replace(stage.published[0], receive_count=6))


@pytest.mark.parametrize(
    "spoil",
    [
        cheaper,
        bought_again,
        settled_again,
        told_again,
        untold,
        never_settled,
        holding,
        leased,
        parked,
        vanished,
        received_too_often,
    ],
)
def test_what_is_wrong_is_found(spoil: Callable[[Stage], None]) -> None:
    stage = play(RunId("speech"))
    assert broken(stage) == []
    spoil(stage)
    assert broken(stage)
