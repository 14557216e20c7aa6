"""What can go wrong between a finished job and its result in the bucket, and in our own stores, with the counts."""

from __future__ import annotations

import pytest

from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import video
from tests.doubles.job_vendors import reset
from tests.harness.long_jobs.workflow import Bench
from tests.workflow.clips import BOTH, KLING, submits


@pytest.mark.parametrize("after", [False, True])
def test_a_result_that_breaks_twice_and_is_then_good_is_fetched_and_not_bought_again(*, after: bool) -> None:
    bench = Bench()
    bench.vendors.plan("media", reset(after=after), reset(after=after))
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)
    offsets = [offset for _, offset in bench.vendors.fetched]
    assert len(offsets) == 3
    assert (offsets[1] > 0) is after, "what had come is not fetched again"
    assert bench.uploads.open == 0


def test_a_result_is_fetched_long_after_the_deadline_since_it_is_paid_for() -> None:
    bench = Bench()
    bench.vendors.plan("media", *[reset(after=False)] * 60)
    record = bench.run(video(**KLING, timeout_seconds=600))
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)
    assert bench.clock.now() > (record.expires_at or 0) + 3600


def test_a_result_that_never_comes_ends_with_its_address_when_it_is_gone() -> None:
    bench = Bench()
    bench.vendors.plan("media", *[reset(after=False)] * 10_000)
    record = bench.run(video(**KLING))
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "result_not_fetched", False)
    assert "https://media.invalid/task-1.mp4" in record.error.message
    assert (submits(bench), record.cost_usd > 0) == (1, True)


def test_an_error_page_in_the_results_place_is_a_failing_download() -> None:
    bench = Bench()
    bench.before = lambda name, _: _spoil(bench, b"<html>gone</html>") if name == "PollJobFunction" else None
    bench.publish(video(**KLING))
    execution = bench.execute_until("job-1", "Wait for the result")
    assert execution.visits["Settle job"] == 1
    assert bench.uploads.files == {}


@pytest.mark.parametrize("media", [b"RIFF\0\0\0\0WAVEfmt ", b"\x89PNG\r\n\x1a\n", b"\x1aE\xdf\xa3webm", b""])
def test_a_file_that_is_no_such_clip_is_paid_in_vain_and_the_next_provider_is_asked(media: bytes) -> None:
    bench = Bench()
    bench.before = lambda name, _: _spoil(bench, media, "kling") if name == "SettleJobFunction" else None
    record = bench.run(video(**BOTH))
    assert (record.status, record.provider, submits(bench)) == (JobStatus.SUCCEEDED, "fal-kling", 2)
    assert [attempt.outcome for attempt in record.attempts if attempt.cost_usd] == [Outcome.UNUSABLE_DELIVERY]
    assert record.cost_usd == pytest.approx(5 * 0.042 + 5 * 0.07)
    assert len(bench.vendors.fetched) == 2
    assert bench.uploads.open == 0


def test_where_nobody_else_is_left_a_file_that_is_no_such_clip_is_a_paid_failure() -> None:
    bench = Bench()
    bench.before = lambda name, _: _spoil(bench, b"RIFF\0\0\0\0WAVEfmt ") if name == "PollJobFunction" else None
    record = bench.run(video(**KLING))
    assert record.error is not None
    assert (record.status, record.error.code, submits(bench)) == (JobStatus.FAILED, "unusable_delivery", 1)
    assert record.cost_usd == pytest.approx(5 * 0.042)


# --- our own stores -----------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_waited_for() -> None:
    bench = Bench()
    away = iter(range(3))

    def before(name: str, _event: object) -> None:
        if name == "SubmitJobFunction" and next(away, None) is not None:
            raise StoreUnavailable("jobs table", "read a job", "EndpointConnectionError")

    bench.before = before
    record = bench.run(video(**KLING))
    assert (record.status, submits(bench), bench.ran.retries["Submit job"]) == (JobStatus.SUCCEEDED, 1, 3)


def test_an_unforeseen_error_of_ours_ends_in_the_terminal_catch() -> None:
    bench = Bench()

    def before(name: str, _event: object) -> None:
        if name == "SubmitJobFunction":
            raise ZeroDivisionError("a slip")

    bench.before = before
    record = bench.run(video(**KLING))
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "internal_error", False)
    assert "ZeroDivisionError" in record.error.message
    assert bench.world.counters.counts == [("JobsCaught", {})] * 3
    assert bench.ran.status == "SUCCEEDED"


def _spoil(bench: Bench, media: bytes, vendor: str | None = None) -> None:
    for task in bench.vendors.tasks.values():
        if vendor in (None, task.vendor):
            task.media = media
