"""From a message to its end, on fakes that keep the adapters' contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.keys import fake_key
from tests.builders.requests import EPOCH_MS, message, tts
from tests.doubles.clock import EPOCH
from tests.doubles.scripted_http import MEDIA, throttled
from tests.harness.bench import Bench
from tests.harness.worker import worker

OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}
BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}


def test_a_message_written_by_hand_is_served(bench: Bench) -> None:
    record = bench.served('{"kind":"tts","input":{"text":"hello"}}')
    assert record.status is JobStatus.SUCCEEDED
    (output,) = record.outputs
    assert output.key.startswith("tts/2026/08/01/message-1/")
    assert bench.world.media.files[output.key] == MEDIA["mp3"]  # type: ignore[attr-defined]
    assert (output.content_type, output.bytes) == ("audio/mpeg", len(MEDIA["mp3"]))
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.DELIVERED]
    assert (bench.queue.dlq, bench.queue.delayed) == ([], [])


def test_a_request_inside_an_sns_envelope_is_served(bench: Bench) -> None:
    envelope = {"Type": "Notification", "MessageId": "sns-1", "Message": json.dumps(tts(request_id="mine"))}
    bench.handle(envelope)
    record = bench.world.jobs.get("mine")
    assert record is not None
    assert record.status is JobStatus.SUCCEEDED


def test_what_the_publisher_gave_comes_back_in_the_record(bench: Bench) -> None:
    bench.clock.advance(4)
    record = bench.served(tts(tenant="acme", metadata={"order": 7}, **OPENAI))
    assert (record.tenant, record.metadata, record.provider) == ("acme", {"order": 7}, "openai-tts")
    assert (record.received_at, record.queue_ms) == (EPOCH_MS, 4000)


def test_every_attempt_leaves_a_metric(bench: Bench) -> None:
    bench.http.plan(fake_key("openai", 0), throttled())
    bench.http.plan(fake_key("openai", 1), throttled())
    record = bench.served(tts(**BOTH))
    written = bench.world.metrics.attempts  # type: ignore[attr-defined]
    assert [metric.outcome for metric in written] == [attempt.outcome for attempt in record.attempts]
    assert len(bench.world.metrics.writes) == 1  # type: ignore[attr-defined]


REJECTED: list[tuple[str, Any]] = [
    ("not_json", "{"),
    ("not_json", "[1]"),
    ("unknown_kind", {"kind": "smell", "input": {}}),
    ("unknown_kind", {"input": {"text": "x"}}),
    ("invalid_request", {"kind": "tts", "input": {"text": ""}}),
    ("invalid_request", tts(colour="red")),
    ("invalid_request", tts(providers=["fal-flux"])),
    ("invalid_request", tts(model={"openai-tts": "no-such-model"}, **OPENAI)),
    ("no_provider", {"kind": "video", "input": {"prompt": "x"}, "providers": ["kling-video"]}),
    ("no_provider", tts(input={"speed": 3.0}, providers=["elevenlabs-tts"])),
    ("no_provider", tts("x" * 5000, input={"speed": 3.0}, providers=["elevenlabs-tts"])),
    ("no_provider", tts(input={"speed": 3.0}, strategy="all", providers=["openai-tts", "elevenlabs-tts"])),
    ("invalid_request", tts("x" * 140_000)),
    ("too_large", tts("x" * 800_000)),
]


@pytest.mark.parametrize(("code", "body"), REJECTED)
def test_what_can_never_be_served_is_parked_with_its_cause_and_recorded(bench: Bench, code: str, body: Any) -> None:
    record = bench.served(body)
    assert record.status is JobStatus.REJECTED
    assert record.error is not None
    assert (record.error.code, record.error.retryable) == (code, False)
    (parked,) = bench.queue.dlq
    assert parked.body == (body if isinstance(body, str) else json.dumps(body))
    assert (parked.attributes["error_code"], bench.http.calls) == (code, [])
    assert parked.attributes["error_message"] == record.error.message[:1000]


def test_neighbours_of_a_malformed_message_are_served(bench: Bench) -> None:
    service = worker(bench.world)
    bodies: list[Any] = ["{", tts("one"), "nonsense", tts("two")]
    for number, body in enumerate(bodies):
        service.handle(message(body, message_id=f"m-{number}"), worker_ends_at=bench.world.ends_at)
    records = [bench.world.jobs.get(f"m-{number}") for number in range(4)]
    assert [record and record.status for record in records] == ["rejected", "succeeded", "rejected", "succeeded"]


def test_another_content_under_a_served_id_is_a_conflict_and_leaves_the_job_alone(bench: Bench) -> None:
    before = bench.served(tts("one", request_id="mine"))
    bench.handle(tts("two", request_id="mine"), message_id="other")
    assert bench.world.jobs.get("mine") == before
    rejected = bench.world.jobs.get("other")
    assert rejected is not None
    assert rejected.error is not None
    assert (rejected.error.code, bench.causes()) == ("idempotency_conflict", ["idempotency_conflict"])


def test_a_mended_request_may_keep_its_id(bench: Bench) -> None:
    assert bench.served(tts("", request_id="mine")).status is JobStatus.REJECTED
    assert bench.served(tts("hello", request_id="mine")).status is JobStatus.SUCCEEDED


def test_a_retired_model_is_refused(bench: Bench) -> None:
    bench.clock.advance(200 * 24 * 3600)
    sent_at = round(bench.clock.now() * 1000)
    record = bench.served(tts(model={"openai-tts": "tts-1"}, **OPENAI), sent_at=sent_at)
    assert record.error is not None
    assert record.error.code == "no_provider"
    assert "was retired on" in record.error.message


def test_a_model_that_retires_soon_is_served_with_a_warning(bench: Bench) -> None:
    bench.clock.advance(120 * 24 * 3600)
    record = bench.served(tts(model={"openai-tts": "tts-1"}, **OPENAI), sent_at=round(bench.clock.now() * 1000))
    assert record.status is JobStatus.SUCCEEDED
    (warning,) = record.warnings
    assert "openai-tts model tts-1 retires on" in warning


@pytest.mark.parametrize("again", ["message-1", "message-2"], ids=["redelivered", "published-twice"])
def test_a_duplicate_does_nothing(bench: Bench, again: str) -> None:
    first = bench.served(tts(request_id="mine"))
    assert bench.served(tts(request_id="mine"), message_id=again) == first
    assert (bench.http.paid["hello"], bench.queue.dlq, bench.queue.delayed) == (1, [], [])


def test_a_duplicate_whose_fields_are_in_another_order_is_still_one(bench: Bench) -> None:
    bench.handle(tts(request_id="mine", metadata={"a": 1, "b": 2}))
    swapped = '{"metadata":{"b":2,"a":1},"input":{"text":"hello"},"request_id":"mine","kind":"tts"}'
    bench.handle(swapped, message_id="message-2")
    assert (bench.http.paid["hello"], bench.queue.dlq) == (1, [])


def test_every_call_leaves_the_worker_time_to_store_and_settle(bench: Bench) -> None:
    bench.handle(tts())
    assert all(call.deadline < EPOCH + 60 for call in bench.http.calls)
