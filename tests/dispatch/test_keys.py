"""Keys that are throttled, spent or refused: rotated at once, or waited for in another delivery."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.keys import fake_key
from tests.builders.requests import EPOCH_MS, message, tts
from tests.doubles.scripted_http import Answer, openai_error, speech, throttled
from tests.harness.bench import Bench

OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}


def test_a_throttled_key_is_rotated_in_the_same_invocation_and_the_verdict_published(bench: Bench) -> None:
    bench.http.always(fake_key("openai", 0), throttled())
    bench.http.always(fake_key("openai", 1), speech())
    while not bench.statuses("openai"):  # whichever key comes first, one of the first two messages meets the bad one
        record = bench.served(tts(**OPENAI), message_id=f"m-{len(bench.http.calls)}")
        assert record.status is JobStatus.SUCCEEDED
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.THROTTLED, Outcome.DELIVERED]
    assert (bench.statuses("openai"), bench.clock.sleeps) == (["cooling"], [])


@pytest.mark.parametrize(
    ("answer", "status"),
    [(openai_error(401, "invalid_api_key"), "rejected"), (openai_error(429, "insufficient_quota"), "exhausted")],
)
def test_a_rejected_or_exhausted_key_is_benched_for_every_worker(bench: Bench, answer: Answer, status: str) -> None:
    bench.http.always(fake_key("openai", 0), answer)
    for number in range(6):
        assert bench.served(tts(**OPENAI), message_id=f"m-{number}").status is JobStatus.SUCCEEDED
    assert bench.statuses("openai") == [status]
    assert sum(fake_key("openai", 0) in call.auth for call in bench.http.calls) == 1


def test_when_every_key_is_benched_for_good_the_last_failure_is_told(bench: Bench) -> None:
    bench.http.always("api.openai.com", openai_error(401, "invalid_api_key"))
    record = bench.served(tts(**OPENAI))
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "key_rejected", True)


def test_without_a_usable_key_nothing_is_called(bench: Bench) -> None:
    bench.http.always("api.openai.com", openai_error(401, "invalid_api_key"))
    bench.handle(tts(**OPENAI))
    calls = len(bench.http.calls)
    record = bench.served(tts(**OPENAI), message_id="later")
    assert record.error is not None
    assert (record.error.code, len(bench.http.calls)) == ("no_usable_key", calls)


def test_when_every_key_cools_a_copy_comes_back_later_and_the_original_is_done_with(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(30))
    original = message(tts(**OPENAI), attributes={"trace": "abc"}, receive_count=3)
    record = bench.served(original)
    (delayed,) = bench.queue.delayed
    assert (record.status, len(record.attempts)) == (JobStatus.DEFERRED, 2)
    assert 30 <= delayed.delay_seconds <= 32
    assert delayed.message.body == original.body
    assert delayed.message.attributes == {
        "trace": "abc",
        "mediarelay_request_id": "message-1",
        "mediarelay_sent_at": str(EPOCH_MS),
        "mediarelay_trips": "1",
    }
    assert (delayed.message.receive_count, bench.queue.dlq) == (1, [])


def test_a_deferred_copy_is_the_same_job_with_its_own_age(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(30))
    bench.handle(tts(**OPENAI))
    bench.http.always("api.openai.com", speech())
    bench.clock.advance(40)
    (copy,) = bench.queue.due()
    record = bench.served(copy)
    assert (record.status, record.received_at, record.deferrals) == (JobStatus.SUCCEEDED, EPOCH_MS, 1)
    assert record.queue_ms is not None
    assert record.queue_ms >= 40_000
    assert [attempt.outcome for attempt in record.attempts] == ["throttled", "throttled", "delivered"]


def test_a_copy_of_a_copy_still_carries_the_first_moment_and_id(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(30))
    bench.handle(tts(**OPENAI))
    bench.clock.advance(32)
    bench.handle(bench.queue.due()[0])
    (again,) = bench.queue.delayed
    assert again.message.attributes["mediarelay_request_id"] == "message-1"
    assert again.message.attributes["mediarelay_sent_at"] == str(EPOCH_MS)


def test_no_delay_is_longer_than_sqs_allows(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(3500))
    bench.handle(tts(timeout_seconds=86_400, **OPENAI))
    assert [delayed.delay_seconds for delayed in bench.queue.delayed] == [900]


def test_keys_that_return_after_the_deadline_expire_the_job(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(600))
    record = bench.served(tts(timeout_seconds=60, **OPENAI))
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.EXPIRED, "would_expire")
    assert record.error.would_take_seconds == pytest.approx(600, rel=0.1)
    assert bench.queue.delayed == []


def test_a_message_past_its_deadline_is_expired_unbought(bench: Bench) -> None:
    bench.clock.advance(61)
    record = bench.served(tts(timeout_seconds=60))
    assert (record.status, bench.http.calls) == (JobStatus.EXPIRED, [])
