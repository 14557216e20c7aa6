"""What can go wrong between acceptance and the end of a job: it is not bought again, and always ends."""

from __future__ import annotations

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import audio, video
from tests.doubles.job_vendors import Fault, kling_refusal, plain, reset
from tests.harness.long_jobs.workflow import KEYS, Bench
from tests.workflow.clips import BOTH, FAL, KLING, outcomes, submits

CANNOT_BE_ASKED = {
    "429": kling_refusal(429, 1302),
    "500": kling_refusal(500, 5000),
    "503": plain(503, "maintenance"),
    "404": kling_refusal(404, 1203),
    "garbage": plain(200, "<html>"),
    "another state": plain(200, {"code": 0, "data": {"task_status": "pondering"}}),
    "reset": reset(after=True),
    "unreachable": Fault(breaks=Unreachable("connect_failed", "no", sent=False)),
}


@pytest.mark.parametrize("fault", CANNOT_BE_ASKED.values(), ids=CANNOT_BE_ASKED)
def test_a_poll_that_goes_wrong_twice_says_nothing_about_the_job(fault: Fault) -> None:
    bench = Bench()
    bench.vendors.plan("poll", fault, fault)
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "kling-video", 1)


def test_a_key_that_is_refused_meanwhile_hands_its_job_to_a_sibling_in_the_same_poll() -> None:
    bench = Bench(keys_from({"KLING_API_KEYS": KEYS["KLING_API_KEYS"][:2]}))
    bench.publish(video(**KLING))
    bench.execute_until("job-1", "Wait for the provider")
    (task,) = bench.vendors.tasks.values()
    del bench.vendors.accounts[task.key]
    execution = bench.execute("job-1")
    assert (bench.record("job-1").status, submits(bench)) == (JobStatus.SUCCEEDED, 1)
    assert execution.visits["Poll job"] == 1


def test_a_job_that_vanished_at_the_vendor_is_not_bought_again() -> None:
    bench = Bench()
    bench.vendors.plan("poll", *[kling_refusal(404, 1203)] * 3)
    record = bench.run(video(**BOTH))
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "job_vanished", False)
    assert submits(bench) == 1


def test_a_job_that_failed_by_the_providers_fault_goes_to_the_next_provider() -> None:
    bench = Bench()
    bench.before = lambda name, _: (
        _fail_all(bench, "the render farm lost a node") if name == "PollJobFunction" else None
    )
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "fal-kling")
    assert outcomes(record) == [
        Outcome.ACCEPTED,
        Outcome.PROVIDER_FAULT,
        Outcome.ACCEPTED,
        Outcome.DELIVERED,
    ]
    assert bench.vendors.charged() == {"a lighthouse": 1}


def test_a_job_that_failed_for_its_content_ends_there() -> None:
    bench = Bench()
    bench.before = lambda name, _: _fail_all(bench, "content policy violation") if name == "PollJobFunction" else None
    record = bench.run(video(**BOTH))
    assert record.error is not None
    assert (record.status, record.error.code, submits(bench)) == (JobStatus.FAILED, "content_rejected", 1)


def test_fals_completed_with_an_error_is_a_failure() -> None:
    bench = Bench()
    failed = plain(200, {"status": "COMPLETED", "error": "Runner disconnected", "error_type": "runner_disconnected"})
    bench.vendors.plan("poll", failed)
    record = bench.run(audio(request_id="job-1", providers=["fal-stable-audio"]))
    assert record.error is not None
    assert (record.status, record.error.code, submits(bench)) == (JobStatus.FAILED, "provider_fault", 1)


def test_a_job_stuck_past_its_deadline_expires_and_is_stopped_where_that_can_be() -> None:
    bench = Bench()
    bench.vendors.seconds = lambda: 10_000_000.0
    record = bench.run(video(**FAL, timeout_seconds=900))
    assert (record.status, submits(bench)) == (JobStatus.EXPIRED, 1)
    assert bench.vendors.tasks["task-1"].cancelled
    assert record.settled_at is not None
    assert record.settled_at / 1000 <= record.received_at / 1000 + 902
    assert record.cost_usd == 0.0


def test_a_job_stuck_where_nothing_can_be_stopped_says_what_it_probably_costs() -> None:
    bench = Bench()
    bench.vendors.seconds = lambda: 10_000_000.0
    record = bench.run(video(**KLING, timeout_seconds=900))
    assert record.status is JobStatus.EXPIRED
    assert record.cost_usd > 0
    assert record.attempts[-1].code == "job_stuck"
    assert bench.slots.released["job-1"] == 0, "the vendor still counts it: its slot lapses by itself"


def test_a_deadline_that_is_too_tight_is_no_fault_of_the_providers() -> None:
    bench = Bench()
    record = bench.run(video(**KLING, timeout_seconds=30))
    assert (record.status, [attempt.outcome for attempt in record.attempts]) == (JobStatus.EXPIRED, [Outcome.ACCEPTED])


def _fail_all(bench: Bench, reason: str) -> None:
    for task in bench.vendors.tasks.values():
        if task.vendor == "kling":
            task.failure = reason
