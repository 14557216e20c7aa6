"""Workers that die, and work that comes twice: a job is bought once and settled."""

from __future__ import annotations

import json

from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import message, video
from tests.doubles.job_vendors import Fault
from tests.doubles.trouble import WorkerKilled
from tests.harness.long_jobs.workflow import Bench
from tests.workflow.clips import BOTH, FAL, KLING, submits

AFTER_ACCEPTANCE = Fault(breaks=WorkerKilled("after the vendor accepted"), after=True)
BEFORE_SENDING = Fault(breaks=WorkerKilled("before anything was sent"))


def test_a_worker_killed_after_the_vendor_accepted_leaves_a_job_that_is_found_again() -> None:
    bench = Bench()
    bench.vendors.plan("submit", AFTER_ACCEPTANCE)
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "kling-video", 1)
    assert bench.ran.retries["Submit job"] == 1


def test_a_worker_killed_before_it_sent_anything_costs_a_second_try_and_no_second_job() -> None:
    bench = Bench()
    bench.vendors.plan("submit", BEFORE_SENDING)
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)


def test_a_worker_killed_after_fal_accepted_is_ambiguous_since_nobody_can_tell() -> None:
    bench = Bench()
    bench.vendors.plan("submit", AFTER_ACCEPTANCE)
    record = bench.run(video(**FAL))
    assert record.error is not None
    assert (record.status, record.error.code, submits(bench)) == (JobStatus.FAILED, "ambiguous_submit", 1)


def test_workers_killed_while_polling_and_settling_change_nothing() -> None:
    bench = Bench()
    bench.vendors.plan("poll", Fault(breaks=WorkerKilled("polling")), Fault(breaks=WorkerKilled("polling"), after=True))
    bench.vendors.plan("media", Fault(breaks=WorkerKilled("fetching"), after=True))
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)
    assert bench.ran.retries == {"Poll job": 2, "Settle job": 1}


def test_the_same_message_twice_at_once_is_one_execution_and_one_job() -> None:
    bench = Bench()
    for number in range(2):
        bench.publish(message(video(**KLING), message_id=f"m-{number}"))
    assert list(bench.executions.started) == ["job-1"]
    bench.run_all()
    assert (bench.record("job-1").status, submits(bench)) == (JobStatus.SUCCEEDED, 1)


def test_two_executions_of_one_job_still_buy_once() -> None:
    """As if Step Functions had started it twice: the record lets only one of them send."""
    bench = Bench()
    bench.publish(video(**KLING))
    bench.executions.started["job-1-again"] = bench.executions.started["job-1"]
    bench.run_all()
    assert (bench.record("job-1").status, submits(bench)) == (JobStatus.SUCCEEDED, 1)


def test_a_job_whose_execution_was_lost_is_started_anew_by_its_redelivered_message() -> None:
    bench = Bench()
    bench.publish(video(**KLING))
    bench.executions.ended.add("job-1")  # it ended without a word, and so did the event that tells of it
    bench.publish(video(**KLING))
    (_, second) = bench.executions.started
    bench.execute(second)
    assert (bench.record("job-1").status, submits(bench)) == (JobStatus.SUCCEEDED, 1)


def test_an_old_execution_of_the_same_name_does_not_keep_a_new_job_from_running() -> None:
    """Names stay taken for 90 days, records go sooner."""
    bench = Bench()
    bench.executions.start("job-1", {"job": {}})
    bench.executions.ended.add("job-1")
    bench.publish(video(**KLING))
    bench.execute(next(name for name in bench.executions.started if name != "job-1"))
    assert (bench.record("job-1").status, submits(bench)) == (JobStatus.SUCCEEDED, 1)


def test_an_execution_that_ended_by_itself_is_settled_by_the_event_it_leaves() -> None:
    bench = Bench()
    bench.publish(video(**KLING))
    with bench.machine() as machine:
        detail = {"status": "TIMED_OUT", "input": json.dumps(bench.executions.started["job-1"]), "error": None}
        machine._functions["${SettleJobFunctionArn}"]({"detail": detail})
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "internal_error")
    assert "TIMED_OUT" in record.error.message
