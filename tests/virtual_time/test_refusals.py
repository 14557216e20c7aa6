"""One text that a gate before the vendor refuses, and an account whose bill is unpaid, in hours of virtual time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mediarelay.alerts.alerting import AlertService
from mediarelay.alerts.contract import Alert
from mediarelay.http.messages import HttpRequest
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import keys_from
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.keys import fake_key
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryAlertLog
from tests.doubles.keys import FixedKeys, MemoryKeyStates
from tests.doubles.queue import MemoryQueue
from tests.doubles.scripted_http import Answer, ScriptedHttp, document
from tests.harness.worker import World, worker

HOUR = 3600.0
PAGE = b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>blocked</body></html>"
REFUSED = "union select password from users"


class Gate(ScriptedHttp):
    """Answers after a second; one text it refuses before any vendor sees it."""

    def __init__(self, clock: ManualClock, refusal: Answer) -> None:
        super().__init__()
        self._clock = clock
        self._refusal = refusal

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.send`."""
        self._clock.advance(1.0)
        with super().send(request, deadline=deadline) as answer:
            yield self._refusal if self.calls[-1].text == REFUSED else answer


class WatchedStates(MemoryKeyStates):
    """Key states whose changes are told as the table's stream tells them."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.published: list[Alert] = []
        self.saved: list[KeyVerdict] = []
        self._alerts = AlertService(
            self, MemoryAlertLog(), self, vendor_of=lambda _: None, queued=lambda: 0, clock=clock
        )

    def publish(self, alert: Alert) -> None:
        """See `alerts.ports.AlertTopic.publish`."""
        self.published.append(alert)

    def save(self, verdict: KeyVerdict) -> None:
        """See `keys.ports.KeyStates.save`."""
        known = {each.scope: each for each in self.load(verdict.vendor)}
        super().save(verdict)
        self.saved.append(verdict)
        self._alerts.key_changed(known.get(verdict.scope), verdict)


class Stream:
    """Ordinary requests one after the other, on one worker."""

    def __init__(self, refusal: Answer, **entries: list[dict[str, Any]]) -> None:
        clock = ManualClock()
        self.states, self.http = WatchedStates(clock), Gate(clock, refusal)
        source = FixedKeys(keys_from({name.upper(): json.dumps(value) for name, value in entries.items()}))
        self.world = World(clock=clock, http=self.http, states=self.states, source=source)
        self._worker = worker(self.world)
        self._count = 0

    def ask(self, text: str = "hello", **fields: Any) -> str:
        """Publish one, and serve it and whatever has come back meanwhile."""
        assert isinstance(self.world.queue, MemoryQueue)
        self._count += 1
        name = f"job-{self._count}"
        fresh = message(tts(text, request_id=name, **fields), sent_at=round(self.world.clock.now() * 1000))
        for each in [fresh, *self.world.queue.due()]:
            self._worker.handle(each, worker_ends_at=self.world.ends_at)
            self._worker.end_batch(worker_ends_at=self.world.ends_at)
        return name

    def record(self, name: str) -> JobRecord:
        found = self.world.jobs.get(name)
        assert found is not None
        return found


def entries(vendor: str, count: int, **declared: Any) -> list[dict[str, Any]]:
    return [{"key": fake_key(vendor, number), **declared} for number in range(count)]


@pytest.mark.parametrize(
    "refusal",
    [
        Answer(403, PAGE, {"content-type": "text/html", "server": "cloudflare"}),
        Answer(403, b"Forbidden", {"content-type": "text/plain"}),
        document(403, {"message": "Request blocked"}),
        Answer(401, b"", {}),
    ],
    ids=["page", "text", "json", "unauthorized"],
)
@pytest.mark.parametrize("providers", [["openai-tts"], ["openai-tts", "elevenlabs-tts"]], ids=["one", "two"])
def test_a_text_that_a_gate_refuses_hurts_nobody_but_itself(refusal: Answer, providers: list[str]) -> None:
    stream = Stream(refusal, openai_api_keys=entries("openai", 5), elevenlabs_api_keys=entries("elevenlabs", 5))
    others = [stream.ask(providers=providers, strategy="ordered") for _ in range(20)]
    refused = stream.ask(REFUSED, providers=providers, strategy="ordered")
    others += [stream.ask(providers=providers, strategy="ordered") for _ in range(600)]

    served = [stream.record(name) for name in others]
    # After a page in the place of an answer the other provider may be preferred for a while.
    assert {(each.status, len(each.attempts), each.latency_ms) for each in served} == {(JobStatus.SUCCEEDED, 1, 1000)}
    assert stream.record(refused).status is JobStatus.FAILED
    assert 1 <= sum(call.text == REFUSED for call in stream.http.calls) <= 4
    assert all(
        verdict.status in {KeyStatus.COOLING, KeyStatus.ACTIVE} and (verdict.until or 0.0) <= verdict.observed_at + 10.0
        for verdict in stream.states.saved
    )
    assert stream.states.published == []


UNPAID = {
    "quota": document(429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}),
    "hard limit": document(
        400, {"error": {"code": "billing_hard_limit_reached", "type": "image_generation_user_error"}}
    ),
    "not active": document(429, {"error": {"code": "billing_not_active", "type": "billing_not_active"}}),
    "depleted": document(
        429, {"error": {"message": "Your prepayment credits are depleted.", "type": "insufficient_quota"}}
    ),
}


@pytest.mark.parametrize("answer", UNPAID.values(), ids=UNPAID.keys())
def test_an_account_whose_bill_is_unpaid_is_asked_once_a_key_an_hour_and_told_once(answer: Answer) -> None:
    stream = Stream(
        Answer(), openai_api_keys=entries("openai", 5, account="acme"), elevenlabs_api_keys=entries("elevenlabs", 2)
    )
    stream.http.always("api.openai.com", answer)
    begun = stream.world.clock.now()
    names, asked = [], []
    while stream.world.clock.now() < begun + 3 * HOUR:
        before = sum("openai.com" in call.url for call in stream.http.calls)
        names.append(stream.ask(providers=["openai-tts", "elevenlabs-tts"], strategy="ordered"))
        asked += [stream.world.clock.now()] * (sum("openai.com" in call.url for call in stream.http.calls) - before)
        stream.world.clock.advance(19.0)
    assert {(stream.record(name).status, stream.record(name).provider) for name in names} == {
        (JobStatus.SUCCEEDED, "elevenlabs-tts")
    }
    assert [alert.subject for alert in stream.states.published] == ["account:openai:acme"]
    assert all(later - earlier >= HOUR for earlier, later in itertools.pairwise(asked))
