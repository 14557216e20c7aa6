"""A redrive of the dead-letter queue works as documented, and buys nothing.

Amazon SQS developer guide, "Learn how to configure a dead-letter queue redrive in Amazon SQS" and "Troubleshoot
dead-letter queue and DLQ redrive issues in Amazon SQS": messages that were sent to the queue directly, as `park` sends
them, can be moved with a `DestinationArn` only; a moved message is a new one, with another id and another time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.dispatch.ports import QueueMessage
from tests.builders.keys import keys
from tests.builders.requests import message, tts, video
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import speech
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench
from tests.harness.template import ROOT

WEEK = 7 * 86_400
OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}


def redriven(bench: Bench) -> QueueMessage:
    """The parked message as SQS moves it, a week later."""
    (parked,) = bench.queue.dlq
    bench.clock.advance(WEEK)
    return replace(parked, message_id="moved-1", sent_at=round(bench.clock.now() * 1000))


def malformed(_bench: Bench, _: pytest.MonkeyPatch) -> QueueMessage:
    return message('{"kind": "tts"}')


def conflicting(bench: Bench, _: pytest.MonkeyPatch) -> QueueMessage:
    bench.http.always("api.openai.com", speech())
    bench.handle(tts("first", request_id="job-1", **OPENAI))
    return message(tts("second", request_id="job-1", **OPENAI), message_id="message-2")


def without_provider(bench: Bench, _: pytest.MonkeyPatch) -> QueueMessage:
    bench.world.source = FixedKeys(keys(fal=1))
    return message(tts(**OPENAI))


def a_fault_after_a_paid_call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> QueueMessage:
    def broken(*_: object) -> None:
        raise KeyError("missing")

    monkeypatch.setattr("mediarelay.providers.openai.speech.OpenAiShapedSpeech.parse_response", broken)
    bench.http.always("api.openai.com", speech())
    return message(tts(**OPENAI))


def away_too_long(bench: Bench, _: pytest.MonkeyPatch) -> QueueMessage:
    bench.world.jobs = Flaky(bench.world.jobs, "claim")
    bench.clock.advance(WEEK)
    return message(tts(**OPENAI))


def a_clip_too_often(bench: Bench, _: pytest.MonkeyPatch) -> QueueMessage:
    bench.world.source = Flaky(bench.world.source, "load")
    return message(video(), attributes={"mediarelay_trips": "1000"})


KINDS = {
    "invalid_request": malformed,
    "idempotency_conflict": conflicting,
    "no_provider": without_provider,
    "internal_error": a_fault_after_a_paid_call,
    "store_unavailable": away_too_long,
    "deferred_too_often": a_clip_too_often,
}


@pytest.mark.parametrize("code", KINDS)
def test_whatever_was_parked_buys_nothing_when_it_is_redriven(
    bench: Bench, fresh: Callable[[], Bench], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    untroubled = fresh().world
    given = KINDS[code](bench, monkeypatch)
    known = bench.world.jobs
    bench.handle(given)
    assert bench.causes() == [code]
    moved = redriven(bench)
    monkeypatch.undo()
    bench.world.source = untroubled.source
    bench.world.jobs = known._port if isinstance(known, Flaky) else known
    before = len(bench.http.calls)
    bench.handle(moved)
    assert len(bench.http.calls) == before
    assert bench.queue.delayed == []
    record = bench.world.jobs.get(json.loads(given.body).get("request_id", given.message_id))
    assert record is not None
    # A clip's execution begins, and expires before its first submit.
    assert record.status.settled or (record.expires_at or 0) < bench.clock.now()


def test_a_parked_message_stays_the_one_that_it_was(bench: Bench) -> None:
    given = replace(message("{", attributes={f"own-{number}": "1" for number in range(10)}), group="tenant-1")
    bench.handle(given)
    (parked,) = bench.queue.dlq
    assert parked.attributes["mediarelay_request_id"] == given.message_id
    assert parked.attributes["mediarelay_sent_at"] == str(given.sent_at)
    assert parked.group == "tenant-1"


def test_a_redriven_message_begins_its_trips_anew_without_a_permit(bench: Bench) -> None:
    bench.handle(message("{", attributes={"mediarelay_trips": "9", "mediarelay_slot": "none"}))
    (parked,) = bench.queue.dlq
    assert {"mediarelay_trips", "mediarelay_slot"} & set(parked.attributes) == set()


def test_the_runbook_names_the_destination_of_every_redrive() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    commands = re.findall(r"start-message-move-task[^`]*", page)
    assert commands
    assert [command for command in commands if "--destination-arn" not in command] == []
