"""What can go wrong when a job is submitted, each with its count of purchases: nothing is bought twice or left open."""

from __future__ import annotations

import pytest

from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import video
from tests.doubles.job_vendors import Fault, kling_refusal, plain, reset
from tests.doubles.scripted_http import unsent
from tests.harness.long_jobs.workflow import Bench
from tests.workflow.clips import BOTH, FAL, KLING, outcomes, submits


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


def test_a_vendor_that_is_away_for_hours_is_asked_ever_more_rarely_whether_it_has_the_job() -> None:
    """An execution's history holds 25,000 events; a question is ten of them."""
    bench = Bench()
    bench.vendors.plan("submit", plain(503, "maintenance"))
    bench.vendors.plan("lookup", *[plain(503, "maintenance")] * 5_000)
    record = bench.run(video(**KLING))
    assert (record.status, record.cost_certain) == (JobStatus.EXPIRED, False)
    assert 0 <= (record.settled_at or 0) / 1000 - (record.expires_at or 0) < 60
    assert sum(bench.ran.visits.values()) < 400


def test_a_job_is_found_soon_after_its_vendor_is_back() -> None:
    bench = Bench()
    bench.vendors.plan("submit", reset(after=True))
    bench.vendors.plan("lookup", *[plain(503, "maintenance")] * 12)
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)
