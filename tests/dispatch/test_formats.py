"""Formats that a vendor doesn't make, rates and loudness: made here of the vendor's best, and never lost on the way."""

from __future__ import annotations

import base64
import io
import math
import sys
from array import array
from typing import Any

import pytest

from mediarelay.audio import transcode
from mediarelay.audio.transcode import NotTranscoded, Sound, decoded, encode, integrated_loudness
from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.keys import keys
from tests.builders.requests import tts
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import Answer, document
from tests.harness.bench import Bench

RATE = 24_000
SECONDS = 3


def recording(format_: str) -> bytes:
    samples = array("h", (round(6000 * math.sin(at / 20)) for at in range(SECONDS * RATE))).tobytes()
    target = io.BytesIO()
    encode(Sound(RATE, 1, iter([samples])), target, format_)
    return target.getvalue()


def spoken(format_: str) -> Answer:
    return Answer(200, recording(format_), {"content-type": f"audio/{format_}"}, paid=True)


def gemini() -> Answer:
    blob = {"mimeType": "audio/wav", "data": base64.b64encode(recording("wav")).decode()}
    part = {"content": {"parts": [{"inlineData": blob}]}, "finishReason": "STOP"}
    return document(200, {"candidates": [part]}, paid=True)


def result(bench: Bench, record: JobRecord) -> io.BytesIO:
    (output,) = record.outputs
    return io.BytesIO(bench.world.media.files[output.key])


def asked(**fields: Any) -> Any:
    return tts(input=fields, providers=["gemini-tts"])


@pytest.fixture(autouse=True)
def vendors(bench: Bench) -> None:
    bench.world.source = FixedKeys(keys(gemini=1, elevenlabs=1, openai=1))
    bench.http.always("generativelanguage.googleapis.com", gemini())


@pytest.mark.parametrize(
    ("format_", "media_type"),
    [("mp3", "audio/mpeg"), ("opus", "audio/ogg"), ("aac", "audio/aac"), ("flac", "audio/flac")],
)
def test_what_a_vendor_does_not_make_is_made_of_its_wav(bench: Bench, format_: str, media_type: str) -> None:
    record = bench.served(asked(format=format_))
    assert (record.status, record.provider, record.warnings) == (JobStatus.SUCCEEDED, "gemini-tts", [])
    (output,) = record.outputs
    assert (output.content_type, output.transcoded_from) == (media_type, "wav")
    assert output.key.endswith(f".{format_}")
    assert output.bytes == len(bench.world.media.files[output.key])
    with decoded(result(bench, record), format_) as sound:
        heard = sum(map(len, sound.chunks)) / 2 / sound.rate
    assert heard == pytest.approx(SECONDS, rel=0.03)


@pytest.mark.parametrize("format_", ["wav", "pcm"])
def test_what_a_vendor_makes_is_left_as_it_is(bench: Bench, format_: str) -> None:
    record = bench.served(asked(format=format_))
    assert record.outputs[0].transcoded_from is None
    assert result(bench, record).getvalue() == recording(format_)


def test_what_is_found_of_a_worker_that_died_still_says_what_it_was_made_of(bench: Bench) -> None:
    record = bench.served(asked(format="flac"))
    found = [stored.output for stored in bench.world.media.find("tts/2026/08/01/message-1/")]
    assert found == record.outputs


def test_among_those_that_are_about_as_fast_the_one_that_makes_the_format_is_asked(bench: Bench) -> None:
    bench.http.always("api.openai.com", spoken("flac"))
    bench.http.always("elevenlabs", spoken("wav"))
    both = ["elevenlabs-tts", "openai-tts"]
    record = bench.served(tts(input={"format": "flac"}, providers=both))
    assert (record.provider, record.outputs[0].transcoded_from) == ("openai-tts", None)
    bench.http.always("api.openai.com", Answer(500))
    record = bench.served(tts(input={"format": "flac"}, providers=both, request_id="another"))
    assert (record.provider, record.outputs[0].transcoded_from) == ("elevenlabs-tts", "wav")


def test_another_rate_is_made_of_what_loses_nothing(bench: Bench) -> None:
    bench.http.always("elevenlabs", spoken("wav"))
    record = bench.served(tts(input={"format": "mp3", "sample_rate": 16_000}, providers=["elevenlabs-tts"]))
    assert record.outputs[0].transcoded_from == "wav"
    with decoded(result(bench, record), "mp3") as sound:
        assert sound.rate == 16_000


def test_pcm_has_the_rate_asked_for_else_the_usual_one(bench: Bench) -> None:
    record = bench.served(asked(format="pcm", sample_rate=8000))
    assert len(result(bench, record).getvalue()) == pytest.approx(SECONDS * 8000 * 2, rel=0.001)


def test_pcm_has_its_usual_rate_when_none_is_asked_for(bench: Bench) -> None:
    record = bench.served(asked(format="pcm", loudness=-20.0))
    assert len(result(bench, record).getvalue()) == SECONDS * RATE * 2


def test_speech_is_levelled(bench: Bench) -> None:
    record = bench.served(asked(format="wav", loudness=-24.0))
    assert integrated_loudness(result(bench, record), "wav") == pytest.approx(-24.0, abs=0.5)
    assert record.outputs[0].transcoded_from == "wav"


def test_another_container_than_the_one_to_make_it_of_serves_as_well(bench: Bench) -> None:
    bench.http.always("elevenlabs", spoken("mp3"))
    record = bench.served(tts(input={"format": "flac"}, providers=["elevenlabs-tts"]))
    assert (record.outputs[0].content_type, record.outputs[0].transcoded_from) == ("audio/flac", "mp3")
    assert record.warnings == []


@pytest.mark.parametrize(
    ("fault", "told"), [(NotTranscoded("odd frames"), "odd frames"), (MemoryError("x"), "MemoryError")]
)
def test_what_cannot_be_made_is_delivered_as_it_was_bought_with_a_warning(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Exception, told: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(transcode, "transcode", broken)
    record = bench.served(asked(format="opus"))
    assert record.status is JobStatus.SUCCEEDED
    assert result(bench, record).getvalue() == recording("wav")
    assert record.outputs[0].content_type == "audio/wav"
    assert record.warnings == [
        f"gemini-tts: wav could not be made into opus as asked ({told}); it is stored as what it is"
    ]


def test_without_the_audio_layer_what_was_bought_is_delivered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediarelay.audio.transcode", None)
    record = bench.served(asked(format="opus"))
    assert (record.status, record.outputs[0].content_type) == (JobStatus.SUCCEEDED, "audio/wav")
    assert "audio layer" in record.warnings[0]


def test_what_would_take_longer_than_the_worker_has_is_not_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = transcode.transcode

    def in_slow_motion(*given: Any, in_time: Any, **how: Any) -> None:
        def later() -> bool:
            bench.clock.advance(30.0)
            return bool(in_time())

        slow(*given, in_time=later, **how)

    monkeypatch.setattr(transcode, "transcode", in_slow_motion)
    record = bench.served(asked(format="opus"))
    assert (record.status, record.outputs[0].content_type) == (JobStatus.SUCCEEDED, "audio/wav")
    assert "no time left" in record.warnings[0]
