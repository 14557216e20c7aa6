"""Lost requests: every job comes to its end, with its cause and an event, and nothing is bought for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from tests.builders.requests import image, message, tts, video
from tests.doubles.media import MemoryMedia
from tests.doubles.queue import LOST
from tests.doubles.scripted_http import speech, throttled
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench

OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}
HOUR = 3600.0


def lost(body: Any, **fields: Any) -> QueueMessage:
    """The message as SQS moves it when it was received too often."""
    return replace(message(body, **fields), source=LOST)


def left_unsettled(bench: Bench) -> None:
    """A worker stores what it bought, and is lost before it settles."""
    bench.http.always("api.openai.com", speech())
    jobs = bench.world.jobs
    bench.world.jobs = Flaky(jobs, "settle")
    bench.handle(tts(**OPENAI))
    bench.world.jobs = jobs


def ended(bench: Bench, request_id: str = "message-1") -> JobRecord:
    record = bench.world.jobs.get(request_id)
    assert record is not None
    assert record.status.settled
    return record


@pytest.mark.parametrize("body", [tts(), image()], ids=["speech", "picture"])
def test_one_that_killed_every_worker_before_it_was_claimed_fails_with_that_cause_and_is_parked(
    bench: Bench, body: dict[str, Any]
) -> None:
    bench.handle(lost(body))
    record = ended(bench)
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "worker_lost")
    assert (bench.causes(), bench.http.calls) == (["worker_lost"], [])


def test_one_that_was_parked_before_and_is_lost_once_more_is_parked_once_more(bench: Bench) -> None:
    bench.handle(lost(tts(), attributes={"error_code": "store_unavailable", "error_message": "deferred 7 times"}))
    record = ended(bench)
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "worker_lost")
    assert bench.causes() == ["worker_lost"]


def test_what_a_lost_worker_may_have_bought_is_counted(bench: Bench) -> None:
    left_unsettled(bench)
    bench.world.media = MemoryMedia()  # nor did it get so far as to store it
    bench.clock.advance(HOUR)
    before = len(bench.http.calls)
    bench.handle(lost(tts(**OPENAI)))
    record = ended(bench)
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "worker_lost")
    assert [each.state for each in record.purchases] == [SpendingState.UNKNOWN]
    assert (record.cost_certain, len(bench.http.calls) - before) == (False, 0)


def test_what_a_lost_worker_stored_is_delivered(bench: Bench) -> None:
    left_unsettled(bench)
    bench.clock.advance(HOUR)
    bench.handle(lost(tts(**OPENAI)))
    assert ended(bench).status is JobStatus.SUCCEEDED
    assert bench.http.paid["hello"] == 1


def test_a_job_that_is_still_held_is_left_to_its_worker_for_now(bench: Bench) -> None:
    left_unsettled(bench)
    with pytest.raises(StoreUnavailable):
        bench.handle(lost(tts(**OPENAI)))
    assert bench.causes() == []


def test_a_deferred_job_whose_copy_was_lost_ends(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(30))
    bench.handle(tts(**OPENAI))
    (copy,) = bench.queue.delayed
    bench.clock.advance(HOUR)
    bench.handle(replace(copy.message, source=LOST))
    assert ended(bench).error is not None


def test_every_branch_of_a_request_to_all_ends(bench: Bench) -> None:
    bench.http.always("", throttled(30))
    both = tts(providers=["openai-tts", "elevenlabs-tts"], strategy="all")
    bench.handle(both)
    bench.clock.advance(HOUR)
    bench.handle(lost(both))
    for provider in ("openai-tts", "elevenlabs-tts"):
        assert ended(bench, f"message-1#{provider}").status is JobStatus.FAILED


def test_a_request_to_all_of_which_no_job_was_made_is_told_to_its_publisher(bench: Bench) -> None:
    bench.handle(lost(tts(strategy="all")))
    record = ended(bench)
    assert (record.status, record.error and record.error.code) == (JobStatus.REJECTED, "worker_lost")


def test_a_clip_whose_execution_never_began_gets_it_and_no_second_one(bench: Bench) -> None:
    executions: Any = bench.world.executions
    bench.world.executions = Flaky(executions, "start")
    bench.handle(video())
    bench.world.executions = executions
    bench.handle(lost(video()))
    bench.handle(lost(video()))
    assert len(executions.started) == 1


def test_a_message_that_is_deferred_tells_its_age_since_it_was_published(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(30))
    given = message(tts(**OPENAI))
    bench.clock.advance(1000)
    bench.handle(given)
    assert [(name, round(age)) for name, age in bench.world.counters.observed] == [("MessageAge", 1000)]


def test_a_settled_job_stays_as_it_is(bench: Bench) -> None:
    bench.http.always("api.openai.com", speech())
    before = bench.served(tts(**OPENAI))
    bench.handle(lost(tts(**OPENAI)))
    assert bench.world.jobs.get("message-1") == before


def test_what_cannot_be_read_is_rejected(bench: Bench) -> None:
    bench.handle(lost("{"))
    assert (ended(bench).status, bench.causes()) == (JobStatus.REJECTED, ["not_json"])


@pytest.mark.parametrize("theirs", [0, 7], ids=["none", "as many as a deferral leaves room for"])
def test_an_end_that_no_table_took_is_recorded_when_there_is_one_and_leaves_nothing_in_the_dlq(
    bench: Bench, theirs: int
) -> None:
    bench.http.always("api.openai.com", throttled(30))
    attributes = {f"a-{number}": "theirs" for number in range(theirs)}
    bench.handle(tts(timeout_seconds=300, **OPENAI), attributes=attributes)
    (copy,) = bench.queue.delayed
    bench.clock.advance(2 * HOUR)
    jobs = bench.world.jobs
    bench.world.jobs = Flaky(Flaky(jobs, "claim"), "reject")
    bench.handle(copy.message)
    assert (bench.causes(), [each.attributes["error_code"] for each in bench.queue.lost]) == ([], ["store_unavailable"])
    bench.world.jobs = jobs
    bench.end_lost()
    assert (ended(bench).status, bench.causes()) == (JobStatus.EXPIRED, [])
