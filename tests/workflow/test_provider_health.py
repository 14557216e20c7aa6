"""Jobs and provider health: a submit asks the circuit like any call; submit, polls and completion are told apart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from mediarelay.health.circuit.record import Circuit
from mediarelay.health.judgement import Status
from mediarelay.health.records import fresh_record
from mediarelay.long_jobs.execution_state import ExecutionState, NextStep
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Fault, Outcome
from tests.builders.requests import video
from tests.doubles.health import MemoryHealth
from tests.doubles.job_vendors import kling_refusal, plain
from tests.doubles.recording import MemoryMetrics
from tests.harness.long_jobs.workflow import Bench

POLL_FAULT = ("poll", Fault.PROVIDER)
KLING = video(request_id="job-1", providers=["kling-video"])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def goes_down(bench: Bench, provider: str, seconds: float) -> None:
    """Its circuit opens for so long."""
    now = bench.clock.now()
    down = {"status": Status.DOWN, "circuit": Circuit(now, now + seconds, 1), "last_check": now}
    assert isinstance(bench.world.records, MemoryHealth)
    assert bench.world.records.save(fresh_record(provider, now=now).model_copy(update=down))


def told(bench: Bench) -> Counter[tuple[str, Outcome]]:
    """Metrics by phase and outcome."""
    assert isinstance(bench.world.metrics, MemoryMetrics)
    return Counter((metric.phase, metric.outcome) for metric in bench.world.metrics.attempts)


def test_a_provider_that_goes_down_between_dispatch_and_submit_is_not_asked(bench: Bench) -> None:
    bench.publish(video(request_id="job-1", providers=["kling-video", "fal-kling"], strategy="ordered"))
    goes_down(bench, "kling-video", 3600)
    bench.execute("job-1")
    record = bench.record("job-1")
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "fal-kling")
    assert {task.vendor for task in bench.vendors.tasks.values()} == {"fal"}


def test_a_job_with_nobody_else_waits_until_the_circuit_lets_one_through(bench: Bench) -> None:
    bench.publish(KLING)
    opened = bench.clock.now()
    goes_down(bench, "kling-video", 120)
    bench.execute("job-1")
    assert bench.record("job-1").status is JobStatus.SUCCEEDED
    (task,) = bench.vendors.tasks.values()
    assert task.done_at - 60 >= opened + 120, "submitted when the circuit was half open, not before"


def test_while_the_circuit_is_half_open_one_submit_is_out_at_a_time(bench: Bench) -> None:
    """The trial is the fleet's: another worker of another execution waits for what comes of it."""
    for number in (1, 2):
        body = video(f"clip {number}", request_id=f"job-{number}", providers=["kling-video"])
        bench.publish(body, message_id=f"m-{number}")
    goes_down(bench, "kling-video", 30)
    bench.clock.advance(31)
    second: list[ExecutionState] = []

    def meanwhile() -> None:
        state: dict[str, Any] = bench.executions.started["job-2"]
        second.append(bench.submit(state))

    bench.vendors.before_answer = meanwhile
    bench.submit(bench.executions.started["job-1"])
    assert [(job.next, job.vendor) for job in second] == [(NextStep.WAIT_TO_SUBMIT, None)]
    assert dict(bench.vendors.submits) == {"clip 1": 1}


def test_submit_polls_and_completion_are_told_apart(bench: Bench) -> None:
    bench.vendors.seconds = lambda: 200.0
    record = bench.run(KLING)
    polls = bench.vendors.polls["task-1"]
    assert polls >= 2
    assert told(bench) == {
        ("submit", Outcome.ACCEPTED): 1,
        ("poll", Outcome.ACCEPTED): polls,
        ("completion", Outcome.DELIVERED): 1,
    }
    assert len(record.attempts) == 2, "polls are no attempts of the record"


def test_polls_that_are_not_answered_are_the_polls_faults(bench: Bench) -> None:
    bench.vendors.plan("poll", plain(503), kling_refusal(404, 1203), plain(200, "garbage"))
    assert bench.run(KLING).status is JobStatus.SUCCEEDED
    counted = told(bench)
    assert sum(number for (phase, outcome), number in counted.items() if (phase, outcome.fault) == POLL_FAULT) == 3
    assert [pair for pair in counted if pair[0] != "poll"] == [
        ("submit", Outcome.ACCEPTED),
        ("completion", Outcome.DELIVERED),
    ]


def test_a_job_that_fails_is_its_completions_fault_and_not_its_polls(bench: Bench) -> None:
    bench.vendors.seconds = lambda: 10.0
    bench.publish(KLING)
    execution = bench.execute_until("job-1", "Wait for the provider")
    bench.vendors.tasks["task-1"].failure = "the model broke"
    bench.clock.advance(600)
    bench.poll(execution.state)
    assert told(bench)["poll", Outcome.ACCEPTED] == 1
    assert [pair for pair in told(bench) if pair[0] == "completion"] == [("completion", Outcome.PROVIDER_FAULT)]
