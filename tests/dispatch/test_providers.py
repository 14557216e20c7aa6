"""Providers at fault, answers that get lost, and who is asked first."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.health.fleet_view import FleetHealth
from mediarelay.health.records import fresh_record
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import image, tts
from tests.doubles.scripted_http import (
    MEDIA,
    Answer,
    document,
    openai_error,
    speech,
    throttled,
    truncated,
    unanswered,
    unsent,
)
from tests.harness.bench import Bench

OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}
BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}
FLUX: dict[str, Any] = {"providers": ["fal-flux"]}
FAL_ANSWER = document(200, {"images": [{"url": "https://media.invalid/1.png"}]}, paid=True)
GEMINI_ANSWER = document(
    200,
    {
        "candidates": [
            {"content": {"parts": [{"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAEAAQ=="}}]}},
        ]
    },
    paid=True,
)
PNG = Answer(200, MEDIA["png"], {"content-type": "image/png"})


def _broken(*_: object) -> None:
    raise KeyError("missing")


HTML = Answer(200, b"<html>busy</html>", {"content-type": "text/html"})


@pytest.mark.parametrize(
    "answer",
    [
        openai_error(500, "server_error"),
        HTML,
        Answer(200, b"<html>busy</html>", {"content-type": "audio/mpeg"}),
        Answer(200, MEDIA["png"], {"content-type": "audio/mpeg"}),
        Answer(200, b"", {"content-type": "audio/mpeg"}),
        unsent(),
    ],
    ids=["500", "html", "html-as-mp3", "png-as-mp3", "empty", "unsent"],
)
def test_a_provider_at_fault_is_fallen_back_from(bench: Bench, answer: Any) -> None:
    bench.http.always("api.openai.com", answer)
    record = bench.served(tts(**BOTH))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts")
    assert record.attempts[0].outcome.follow.value == "fall_back"
    assert len(bench.world.media.files) == 1  # type: ignore[attr-defined]


def test_a_callers_fault_is_told_at_once_and_nobody_else_is_asked(bench: Bench) -> None:
    bench.http.always("api.openai.com", openai_error(400, "content_policy_violation"))
    record = bench.served(tts(**BOTH))
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "content_rejected", False)
    assert len(bench.http.calls) == 1


@pytest.mark.parametrize("answer", [truncated(), unanswered()], ids=["truncated", "unanswered"])
def test_a_lost_answer_is_never_bought_again(bench: Bench, answer: Any) -> None:
    bench.http.always("api.openai.com", answer)
    record = bench.served(tts(**BOTH))
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (JobStatus.FAILED, "ambiguous_submit", False)
    assert len(bench.http.calls) == 1


def test_a_lost_answer_is_bought_again_where_the_publisher_allows_it(bench: Bench) -> None:
    bench.http.plan("api.openai.com", unanswered())
    record = bench.served(tts(on_ambiguous="resubmit", **OPENAI))
    assert (record.status, len(bench.http.calls)) == (JobStatus.SUCCEEDED, 2)


def test_a_picture_is_downloaded_again_but_never_bought_again(bench: Bench) -> None:
    bench.http.always("fal.run", FAL_ANSWER)
    bench.http.plan("media.invalid", Answer(503), unsent(), PNG)
    record = bench.served(image(**FLUX))
    assert record.status is JobStatus.SUCCEEDED
    assert (len(bench.http.fetched), bench.http.paid["a lighthouse"]) == (3, 1)


@pytest.mark.parametrize("answer", [Answer(404), unsent(), HTML], ids=["404", "unsent", "html"])
def test_a_picture_that_cannot_be_downloaded_is_not_bought_from_anybody_else(bench: Bench, answer: Any) -> None:
    bench.http.always("fal.run", FAL_ANSWER)
    bench.http.always("media.invalid", answer)
    record = bench.served(image(providers=["fal-flux", "openai-image"], strategy="ordered"))
    assert record.status is JobStatus.DEFERRED
    assert (len(bench.http.calls), len(bench.http.fetched)) == (1, 3)


def test_all_is_one_job_for_each_provider(bench: Bench) -> None:
    bench.handle(tts(request_id="mine", strategy="all"))
    records = {name: bench.world.jobs.get(f"mine#{name}") for name in ("openai-tts", "elevenlabs-tts")}
    assert [record and record.provider for record in records.values()] == list(records)
    group = bench.world.jobs.get("mine")
    assert group is not None
    assert (group.status, group.branches) == (JobStatus.QUEUED, list(records))
    assert bench.http.paid["hello"] == 2


def test_of_a_fan_out_one_failing_provider_hurts_no_other(bench: Bench) -> None:
    bench.http.always("api.openai.com", openai_error(500, "server_error"))
    bench.handle(tts(request_id="mine", strategy="all"))
    records = [bench.world.jobs.get(f"mine#{name}") for name in ("openai-tts", "elevenlabs-tts")]
    assert [record and record.status for record in records] == ["failed", "succeeded"]


def test_of_a_fan_out_only_what_is_unsettled_is_served_again(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(30))
    bench.handle(tts(request_id="mine", strategy="all"))
    bench.http.always("api.openai.com", speech())
    bench.clock.advance(40)
    bench.handle(bench.queue.due()[0])
    assert bench.http.paid["hello"] == 2
    records = [bench.world.jobs.get(f"mine#{name}") for name in ("openai-tts", "elevenlabs-tts")]
    assert [record and record.status for record in records] == ["succeeded", "succeeded"]


def test_of_a_fan_out_a_fault_of_ours_does_not_lose_anothers_deferral(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.http.always("api.openai.com", throttled(30))
    provider = "mediarelay.providers.elevenlabs.speech.ElevenLabsTts.build_request"
    monkeypatch.setattr(provider, _broken)
    bench.handle(tts(request_id="mine", strategy="all"))
    assert len(bench.queue.delayed) == 1
    assert bench.causes() == ["internal_error"]


def test_ordered_asks_in_the_publishers_order(bench: Bench) -> None:
    record = bench.served(tts(providers=["elevenlabs-tts", "openai-tts"], strategy="ordered"))
    assert record.provider == "elevenlabs-tts"


def test_cheapest_asks_the_cheapest_first(bench: Bench) -> None:
    record = bench.served(tts(strategy="cheapest", model={"openai-tts": "tts-1"}))
    assert record.provider == "openai-tts"


@pytest.mark.parametrize("quick", ["openai-tts", "elevenlabs-tts"])
def test_fastest_asks_whom_the_records_say_is_fastest(bench: Bench, quick: str) -> None:
    for name in ("openai-tts", "elevenlabs-tts"):
        mean = 500.0 if name == quick else 9000.0
        fresh = fresh_record(name, now=bench.clock.now())
        bench.world.records.save(fresh.model_copy(update={"samples": 20, "avg_latency_ms": mean}))
    assert bench.served(tts()).provider == quick


def test_what_others_met_while_a_key_was_asked_for_is_heeded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    admit, asked = FleetHealth.admit, []

    def admitted(health: FleetHealth, provider: str, job_id: str, *, until: float) -> float | None:
        asked.append(provider)
        return until if asked == ["openai-tts"] * 2 else admit(health, provider, job_id, until=until)

    monkeypatch.setattr(FleetHealth, "admit", admitted)
    record = bench.served(tts(**BOTH))
    assert [attempt.provider for attempt in record.attempts] == ["elevenlabs-tts"]
    assert bench.statuses("openai") == []
