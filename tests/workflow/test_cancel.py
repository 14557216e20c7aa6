"""A publisher's word: stop the execution, stop the vendor where that can be, settle the job."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediarelay.keys.pools import KeyPools
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import video
from tests.doubles.job_vendors import reset
from tests.doubles.queue import MemoryQueue
from tests.harness.long_jobs.workflow import Bench

FAL = {"request_id": "job-1", "providers": ["fal-kling"]}
KLING = {"request_id": "job-1", "providers": ["kling-video"]}


def polling(bench: Bench, **fields: object) -> None:
    """One job that its vendor works on."""
    bench.publish(video(**fields))
    bench.execute_until("job-1", "Wait for the provider")


def causes(bench: Bench) -> list[str]:
    assert isinstance(bench.world.queue, MemoryQueue)
    return [parked.attributes["error_code"] for parked in bench.world.queue.dlq]


def test_a_job_at_fal_is_stopped_there_and_costs_nothing() -> None:
    bench = Bench()
    polling(bench, **FAL)
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "cancelled", False)
    assert (bench.vendors.tasks["task-1"].cancelled, record.cost_usd) == (True, 0.0)
    assert bench.executions.stopped == {"job-1"}


def test_a_job_at_kling_goes_on_there_and_says_what_it_probably_costs() -> None:
    bench = Bench()
    polling(bench, **KLING)
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    record = bench.record("job-1")
    assert (record.status, record.cost_usd > 0) == (JobStatus.FAILED, True)
    assert bench.slots.released["job-1"] == 0


def test_a_job_that_was_not_submitted_yet_never_is() -> None:
    bench = Bench()
    bench.publish(video(**KLING))
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    assert bench.execute("job-1").status == "SUCCEEDED", "had it not been stopped, it would have found nothing to do"
    assert bench.vendors.submits == {}
    assert bench.record("job-1").status is JobStatus.FAILED


def test_the_event_of_the_stopped_execution_leaves_the_settling_to_the_cancellation() -> None:
    bench = Bench()
    polling(bench, **FAL)
    jobs: Any = bench.world.jobs
    jobs.note_cancel("job-1", 1)
    with bench.machine() as machine:
        detail = {"status": "ABORTED", "input": json.dumps(bench.executions.started["job-1"]), "error": None}
        machine._functions["${SettleJobFunctionArn}"]({"detail": detail})
    assert bench.record("job-1").status is JobStatus.POLLING
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    assert bench.record("job-1").status is JobStatus.FAILED


def test_the_event_may_come_while_the_cancellation_is_still_at_it() -> None:
    bench = Bench()
    polling(bench, **FAL)
    executions: Any = bench.executions
    stop = executions.stop

    def stop_and_tell(name: str, **why: str) -> bool:
        stopped = stop(name, **why)
        detail = {"status": "ABORTED", "input": json.dumps(bench.executions.started[name]), "error": None}
        with bench.machine() as machine:
            machine._functions["${SettleJobFunctionArn}"]({"detail": detail})
        return bool(stopped)

    executions.stop = stop_and_tell
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    error = bench.record("job-1").error
    assert error is not None
    assert error.code == "cancelled"


def test_cancelling_twice_or_too_late_changes_nothing() -> None:
    bench = Bench()
    bench.run(video(**FAL))
    before = bench.record("job-1")
    for number in range(2):
        bench.publish({"cancel": "job-1"}, message_id=f"m-{number}")
    assert bench.record("job-1") == before
    assert before.status is JobStatus.SUCCEEDED
    assert causes(bench) == []


def test_every_branch_of_strategy_all_is_cancelled() -> None:
    bench = Bench()
    bench.publish(video(request_id="job-1", providers=["kling-video", "fal-kling"], strategy="all"))
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    assert {bench.record(f"job-1#{name}").status for name in ("kling-video", "fal-kling")} == {JobStatus.FAILED}


@pytest.mark.parametrize("slip", ["stop", "refresh", "get"])
def test_a_fault_of_ours_once_its_execution_is_stopped_still_ends_the_job(
    slip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    polling(bench, **FAL)
    executions: Any = bench.executions
    stop = executions.stop

    def once(owner: Any, name: str) -> None:
        def broken(*_: Any, **__: Any) -> None:
            monkeypatch.undo()
            raise RuntimeError("a slip")

        monkeypatch.setattr(owner, name, broken)

    def stopping(name: str, **why: str) -> bool:
        stopped = stop(name, **why)
        if slip == "stop":
            raise RuntimeError("a slip")
        once(*{"refresh": (KeyPools, "refresh"), "get": (bench.world.jobs, "get")}[slip])
        return bool(stopped)

    executions.stop = stopping
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.error.code, causes(bench)) == ("cancelled", ["internal_error"])


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({"cancel": "not an id"}, "invalid_request"),
        ({"cancel": 7}, "invalid_request"),
        ({"cancel": "job-1", "kind": "video"}, "invalid_request"),
    ],
)
def test_what_is_no_cancellation_is_rejected(body: dict[str, object], cause: str) -> None:
    bench = Bench()
    bench.publish(body, message_id="m-2")
    assert causes(bench) == [cause]


def test_an_acceptance_that_comes_after_the_cancellation_is_stopped_at_the_vendor() -> None:
    """The submit was under way when the job was cancelled; its answer finds the job settled."""
    bench = Bench()
    bench.publish(video(**FAL))
    bench.vendors.before_answer = lambda: bench.publish({"cancel": "job-1"}, message_id="m-2")
    bench.execute("job-1")
    assert bench.vendors.tasks["task-1"].cancelled
    assert bench.vendors.charged() == {}
    assert bench.record("job-1").status is JobStatus.FAILED


def test_a_lookup_of_a_cancelled_job_sends_nothing() -> None:
    bench = Bench()
    bench.vendors.plan("submit", reset(after=False))
    bench.publish(video(**KLING))
    bench.execute_until("job-1", "Wait to submit")
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    bench.executions.stopped.clear()
    bench.execute("job-1")
    assert bench.vendors.submits == {}
