"""Texts that a gate refuses or a vendor chokes on, and an account whose bill is unpaid, in hours of virtual time."""

from __future__ import annotations

import itertools

import pytest

from mediarelay.health.judgement import Status
from mediarelay.keys.states import KeyStatus
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.dice import dice
from tests.doubles.scripted_http import Answer, document
from tests.harness.health.watched_traffic import CALL_SECONDS, Traffic, entries

HOUR = 3600.0
PAGE = b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>blocked</body></html>"
BLOCKED = Answer(403, PAGE, {"content-type": "text/html", "server": "cloudflare"})
CHOKED = document(500, {"error": {"message": "The server had an error", "type": "server_error"}})
REFUSED, CHOKING = "union select password from users", "a text that the vendor chokes on"


@pytest.mark.parametrize(
    "refusal",
    [
        BLOCKED,
        Answer(403, b"Forbidden", {"content-type": "text/plain"}),
        document(403, {"message": "Request blocked"}),
        Answer(401, b"", {}),
    ],
    ids=["page", "text", "json", "unauthorized"],
)
@pytest.mark.parametrize("providers", [["openai-tts"], ["openai-tts", "elevenlabs-tts"]], ids=["one", "two"])
def test_a_text_that_a_gate_refuses_hurts_nobody_but_itself(refusal: Answer, providers: list[str]) -> None:
    stream = Traffic(
        {REFUSED: {"": refusal}}, openai_api_keys=entries("openai", 5), elevenlabs_api_keys=entries("elevenlabs", 5)
    )
    others = [stream.ask(providers=providers, strategy="ordered") for _ in range(20)]
    refused = stream.ask(REFUSED, providers=providers, strategy="ordered")
    for number in range(220):  # one right after the other, and then over the rest of ten minutes
        others.append(stream.ask(providers=providers, strategy="ordered"))
        stream.world.clock.advance(0.0 if number < 180 else 10.0)

    served = [stream.record(name) for name in others]
    assert {(each.status, each.provider, len(each.attempts), each.latency_ms) for each in served} == {
        (JobStatus.SUCCEEDED, "openai-tts", 1, 1000)
    }
    assert stream.record(refused).status is JobStatus.FAILED
    assert 1 <= sum(call.text == REFUSED for call in stream.http.calls) <= 4
    assert all(
        verdict.status in {KeyStatus.COOLING, KeyStatus.ACTIVE} and (verdict.until or 0.0) <= verdict.observed_at + 10.0
        for _, verdict in stream.states.changes
    )
    assert stream.published == []


@pytest.mark.parametrize(("workers", "pause", "seed"), [(1, 0.0, 0), (3, 20.0, 1)])
def test_two_poison_texts_among_three_hundred_requests_change_nothing_for_anybody(
    workers: int, pause: float, seed: int
) -> None:
    """One that the network before both vendors refuses, one that OpenAI always answers with a 500."""
    traffic = Traffic(
        {REFUSED: {"": BLOCKED}, CHOKING: {"openai": CHOKED}},
        workers=workers,
        openai_api_keys=entries("openai", 2),
        elevenlabs_api_keys=entries("elevenlabs", 2),
    )
    rng, names = dice(seed), {}
    # The two come one right after the other, and now and then they are published once more under the same id.
    at = rng.randrange(300)
    texts = ["hello"] * at + [REFUSED, CHOKING] + ["hello"] * (300 - at)
    for number, text in enumerate(texts):
        names[traffic.ask(text, providers=["openai-tts", "elevenlabs-tts"], strategy="ordered")] = number, text
        traffic.world.clock.advance(pause)
    sound = [traffic.record(name) for name, (_, text) in names.items() if text == "hello"]
    assert len(sound) == 300
    assert {(each.status, each.provider, len(each.attempts), each.latency_ms) for each in sound} == {
        (JobStatus.SUCCEEDED, "openai-tts", 1, 1000 * CALL_SECONDS)
    }
    poisoned = {text: traffic.record(name) for name, (_, text) in names.items() if text != "hello"}
    assert (poisoned[REFUSED].status, poisoned[CHOKING].status) == (JobStatus.FAILED, JobStatus.SUCCEEDED)
    assert poisoned[CHOKING].provider == "elevenlabs-tts"
    statuses = {after.status for _, after in traffic.records.changes}
    assert statuses <= {Status.HEALTHY, Status.IDLE}
    assert traffic.published == []


def test_a_text_that_only_one_provider_may_serve_and_that_it_always_fails_is_its_own_trouble() -> None:
    """It is asked again and again, by itself, while little else is: still no verdict."""
    traffic = Traffic({CHOKING: {"": CHOKED}}, openai_api_keys=entries("openai", 2))
    for number in range(60):
        text = CHOKING if number in {20, 21} else "hello"
        traffic.ask(text, providers=["openai-tts"], strategy="ordered")
        traffic.world.clock.advance(30.0)
    assert traffic.published == []


def test_an_outage_that_meets_different_requests_is_told() -> None:
    traffic = Traffic({CHOKING: {"openai": CHOKED}}, openai_api_keys=entries("openai", 2))
    for number in range(120):
        traffic.ask(CHOKING if 60 <= number < 70 else "hello", providers=["openai-tts"], strategy="ordered")
    assert [(alert.event, alert.subject) for alert in traffic.published][:1] == [("opened", "provider:openai-tts")]


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
    stream = Traffic(
        {}, openai_api_keys=entries("openai", 5, account="acme"), elevenlabs_api_keys=entries("elevenlabs", 2)
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
    assert [alert.subject for alert in stream.published] == ["account:openai:acme"]
    assert all(later - earlier >= HOUR for earlier, later in itertools.pairwise(asked))
