"""Answers that are paid for and can't be used, or not as they are: what is bought again, delivered and told."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.keys import keys
from tests.builders.requests import image, tts
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import MEDIA, Answer, document, speech
from tests.harness.bench import Bench

BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}
ALL: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts", "gemini-tts"], "strategy": "ordered"}
PICTURE: dict[str, Any] = {"providers": ["openai-image"]}
PNG = base64.b64encode(MEDIA["png"]).decode()
IN_VAIN = {
    "another medium": Answer(200, MEDIA["png"], {"content-type": "audio/mpeg"}, paid=True),
    "nothing": Answer(200, b"", {"content-type": "audio/mpeg"}, paid=True),
    "a page": Answer(200, b"<html>busy</html>", {"content-type": "audio/mpeg"}, paid=True),
    "a header alone": Answer(200, MEDIA["wav"][:44], {"content-type": "audio/wav"}, paid=True),
}


def pictures(*entries: dict[str, Any], **usage: int) -> Answer:
    return document(200, {"data": list(entries), **({"usage": usage} if usage else {})}, paid=True)


def calls_of(record: JobRecord) -> list[tuple[str, str]]:
    return [(attempt.provider, attempt.outcome) for attempt in record.attempts]


@pytest.mark.parametrize("answer", IN_VAIN.values(), ids=IN_VAIN.keys())
def test_what_cannot_be_used_is_bought_once_more_elsewhere_and_both_are_in_the_bill(bench: Bench, answer: Any) -> None:
    bench.http.always("api.openai.com", answer)
    record = bench.served(tts(**BOTH))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts")
    assert calls_of(record)[0] == ("openai-tts", Outcome.UNUSABLE_DELIVERY)
    wasted = record.attempts[0].cost_usd
    assert wasted
    assert record.cost_usd > wasted


def test_the_same_provider_is_never_asked_again_not_even_in_a_later_pass(bench: Bench) -> None:
    bench.http.always("api.openai.com", IN_VAIN["nothing"])
    record = bench.served(tts(providers=["openai-tts"]))
    assert calls_of(record) == [("openai-tts", Outcome.UNUSABLE_DELIVERY)]
    assert record.error is not None
    assert (record.status, record.error.code, record.error.retryable) == (
        JobStatus.FAILED,
        "unusable_delivery",
        False,
    )
    assert record.cost_usd == record.attempts[0].cost_usd
    (metric,) = bench.world.metrics.attempts
    assert (metric.outcome.fault, metric.cost_usd) == ("provider", record.cost_usd)


def test_two_that_were_paid_in_vain_are_enough(bench: Bench) -> None:
    bench.world.source = FixedKeys(keys(openai=2, elevenlabs=2, gemini=2))
    bench.http.always("api.openai.com", IN_VAIN["nothing"])
    bench.http.always("elevenlabs", IN_VAIN["another medium"])
    record = bench.served(tts(**ALL))
    assert [provider for provider, _ in calls_of(record)] == ["openai-tts", "elevenlabs-tts"]
    assert record.error is not None
    assert record.error.code == "unusable_delivery"


def test_a_later_delivery_knows_what_an_earlier_one_paid_for(bench: Bench) -> None:
    bench.world.source = FixedKeys(keys(openai=1, elevenlabs=1))
    bench.http.always("api.openai.com", IN_VAIN["nothing"])
    bench.http.plan("elevenlabs", Answer(429, b"", {"retry-after": "30"}))
    deferred = bench.served(tts(**BOTH))
    assert not deferred.status.settled
    bench.clock.advance(900.0)
    (again,) = bench.queue.due()
    record = bench.served(again)
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts")
    assert sum("openai.com" in call.url for call in bench.http.calls) == 1
    assert record.cost_usd > (record.attempts[0].cost_usd or 0.0) > 0.0


# --- what arrived and plays -------------------------------------------------------------------------------------------


def test_a_playable_file_of_another_container_is_delivered_as_what_it_is(bench: Bench) -> None:
    bench.http.always("api.openai.com", speech("wav"))
    record = bench.served(tts(providers=["openai-tts"], input={"format": "mp3"}))
    assert record.status is JobStatus.SUCCEEDED
    (output,) = record.outputs
    assert (output.content_type, output.key.rsplit(".", 1)[1]) == ("audio/wav", "wav")
    assert record.warnings == ["openai-tts: asked for mp3, got wav; it is stored as what it is"]


def test_one_picture_of_three_is_delivered_with_a_warning(bench: Bench) -> None:
    bench.http.always("api.openai.com", pictures({"b64_json": PNG}, {"b64_json": "no base64!"}, {}))
    record = bench.served(image(input={"n": 3}, **PICTURE))
    assert (record.status, len(record.outputs)) == (JobStatus.SUCCEEDED, 1)
    assert record.warnings == ["openai-image: 1 of 3 outputs can be used"]


def test_pictures_that_can_be_fetched_are_delivered_without_those_that_cannot(bench: Bench) -> None:
    urls = [{"url": f"https://media.invalid/{number}.png"} for number in (1, 2)]
    bench.http.always("fal.run", document(200, {"images": urls}, paid=True))
    bench.http.always("media.invalid/1", Answer(200, MEDIA["png"], {"content-type": "image/png"}))
    bench.http.always("media.invalid/2", Answer(404))
    record = bench.served(image(input={"n": 2}, providers=["fal-flux"]))
    assert (record.status, len(record.outputs)) == (JobStatus.SUCCEEDED, 1)
    assert record.warnings == ["fal-flux: 1 of 2 outputs can be used"]


def test_a_warning_is_found_with_the_result_of_a_worker_that_died(bench: Bench) -> None:
    bench.http.always("api.openai.com", speech("wav"))
    bench.served(tts(providers=["openai-tts"]))
    objects = bench.world.media._objects.values()
    assert [item.facts.get("warning") for item in objects] == [
        "openai-tts: asked for mp3, got wav; it is stored as what it is"
    ]


WRITTEN = {
    "lines": {"b64_json": "\n".join(PNG[at : at + 16] for at in range(0, len(PNG), 16))},
    "spaces": {"b64_json": f"  {PNG[:8]} {PNG[8:]}\r\n"},
    "a prefix": {"b64_json": f"data:image/png;base64,{PNG}"},
    "no padding": {"b64_json": PNG.rstrip("=")},
    "url-safe": {"b64_json": PNG.replace("+", "-").replace("/", "_")},
    "a data URL": {"b64_json": None, "url": f"data:image/png;base64,{PNG}"},
    "a URL": {"url": "https://media.invalid/1.png"},
}


@pytest.mark.parametrize("entry", WRITTEN.values(), ids=WRITTEN.keys())
@pytest.mark.parametrize("provider", ["openai-image", "fal-flux"])
def test_a_picture_is_read_however_it_is_written(bench: Bench, provider: str, entry: dict[str, Any]) -> None:
    bench.http.always("api.openai.com", pictures(entry))
    bench.http.always("fal.run", document(200, {"images": [entry]}, paid=True))
    bench.http.always("media.invalid", Answer(200, MEDIA["png"], {"content-type": "image/png"}))
    record = bench.served(image(providers=[provider], input={"format": "png"}))
    assert (record.status, record.warnings) == (JobStatus.SUCCEEDED, [])
