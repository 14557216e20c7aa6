"""What can go wrong on the way to a result, each with its count of purchases: nothing is bought twice or left open."""

from __future__ import annotations

import json

import pytest

from mediarelay.contracts.job import JobRecord
from mediarelay.contracts.keys import keys_from
from mediarelay.contracts.kinds import JobStatus
from mediarelay.core.errors import Unreachable
from mediarelay.core.outcome import Outcome
from tests.support.builders import audio, message, video
from tests.support.job_vendors import Fault, kling_refusal, plain, reset
from tests.support.scripted_http import unsent
from tests.support.trouble import WorkerKilled
from tests.workflow.bench import KEYS, Bench

KLING = {"request_id": "job-1", "providers": ["kling-video"]}
BOTH = {"request_id": "job-1", "providers": ["kling-video", "fal-kling"], "strategy": "ordered"}
FAL = {"request_id": "job-1", "providers": ["fal-kling"]}
AFTER_ACCEPTANCE = Fault(breaks=WorkerKilled("after the vendor accepted"), after=True)
BEFORE_SENDING = Fault(breaks=WorkerKilled("before anything was sent"))


def submits(bench: Bench) -> int:
    """How many jobs the vendors accepted, charged or not."""
    return sum(bench.vendors.submits.values())


def outcomes(record: JobRecord) -> list[Outcome]:
    return [attempt.outcome for attempt in record.attempts]


# --- submit -------------------------------------------------------------------------------------------------------


def test_a_throttled_submit_takes_the_next_account_at_once() -> None:
    bench = Bench()
    bench.vendors.plan("submit", kling_refusal(429, 1303))
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)
    assert outcomes(record) == [Outcome.THROTTLED, Outcome.ACCEPTED, Outcome.DELIVERED]
    assert record.attempts[0].key_id != record.attempts[1].key_id


def test_a_submit_throttled_everywhere_waits_and_is_bought_once() -> None:
    bench = Bench()
    bench.vendors.plan("submit", *[kling_refusal(429, 1302)] * 4)
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)
    assert bench.ran.visits["Wait to submit"] >= 1


@pytest.mark.parametrize("fault", [kling_refusal(500, 5000), kling_refusal(504, 5002), plain(502, "bad gateway")])
def test_an_unclear_server_error_is_looked_up_before_anything_is_bought(fault: Fault) -> None:
    bench = Bench()
    bench.vendors.plan("submit", fault)
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "kling-video", 1)


def test_an_arrear_of_one_account_is_no_reason_to_leave_the_provider() -> None:
    bench = Bench()
    bench.vendors.plan("submit", kling_refusal(429, 1102))
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "kling-video", 1)
    assert outcomes(record)[0] is Outcome.QUOTA_EXHAUSTED


def test_fals_own_server_error_falls_back_since_it_is_not_billed() -> None:
    bench = Bench()
    bench.vendors.plan("submit", plain(503, {"detail": "no", "error_type": "runner_scheduling_failure"}))
    record = bench.run(video(request_id="job-1", providers=["fal-kling", "kling-video"], strategy="ordered"))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "kling-video", 1)


def test_a_gateways_error_on_fal_may_have_been_accepted_and_is_ambiguous() -> None:
    bench = Bench()
    bench.vendors.plan("submit", plain(502, "bad gateway"))
    record = bench.run(video(request_id="job-1", providers=["fal-kling", "kling-video"], strategy="ordered"))
    assert record.status is JobStatus.FAILED
    assert record.error is not None
    assert (record.error.code, record.error.retryable, submits(bench)) == ("ambiguous_submit", False, 0)


def test_a_connection_never_made_goes_to_the_next_provider() -> None:
    bench = Bench()
    bench.vendors.plan("submit", Fault(breaks=unsent()))
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "fal-kling", 1)


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_is_looked_up_at_kling(*, after: bool) -> None:
    """Before the vendor accepted it: sent once more. After: found, and polled."""
    bench = Bench()
    bench.vendors.plan("submit", reset(after=after))
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "kling-video", 1)


@pytest.mark.parametrize(("after", "accepted"), [(False, 0), (True, 1)])
def test_a_reset_at_fal_is_ambiguous(*, after: bool, accepted: int) -> None:
    bench = Bench()
    bench.vendors.plan("submit", reset(after=after))
    record = bench.run(video(**FAL))
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "ambiguous_submit", False)
    assert submits(bench) == accepted


def test_an_ambiguous_submit_is_bought_again_when_the_request_says_so() -> None:
    bench = Bench()
    bench.vendors.plan("submit", reset(after=True))
    record = bench.run(video(**FAL, on_ambiguous="resubmit"))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 2)


def test_a_lookup_that_cannot_be_answered_is_repeated_until_it_is() -> None:
    bench = Bench()
    bench.vendors.plan("submit", reset(after=True))
    bench.vendors.plan("lookup", plain(500, ""), reset(after=False), kling_refusal(503, 5001))
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)


def test_a_refusal_of_the_content_ends_the_job_without_asking_others() -> None:
    bench = Bench()
    bench.vendors.plan("submit", kling_refusal(400, 1301))
    record = bench.run(video(**BOTH))
    assert record.error is not None
    assert (record.status, record.error.code, submits(bench)) == (JobStatus.FAILED, "content_rejected", 0)


# --- the worker ---------------------------------------------------------------------------------------------------


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
        detail = {"status": "TIMED_OUT", "input": _dumped(bench.executions.started["job-1"]), "error": None}
        machine._functions["${SettleJobFunctionArn}"]({"detail": detail})
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "internal_error")
    assert "TIMED_OUT" in record.error.message


# --- poll ---------------------------------------------------------------------------------------------------------

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


def _dumped(state: object) -> str:
    return json.dumps(state)
