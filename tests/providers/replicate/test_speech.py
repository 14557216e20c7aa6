"""Speech on Replicate: requests, and what the first answer to one comes to."""

from __future__ import annotations

import pytest

from mediarelay.providers.api import Accepted, Delivery, RemoteMedia, Voice
from mediarelay.providers.registry import PROVIDERS
from mediarelay.vocabulary.outcome import Failure, Outcome

TTS = PROVIDERS["replicate-tts"]
SOUND = "https://replicate.delivery/xezq/output.mp3"


def test_a_speech_is_asked_of_the_official_model(call):
    request = TTS.build_request(call("replicate-tts", speed=1.5, language="sv"))
    assert request.path == "/v1/models/minimax/speech-2.8-turbo/predictions"
    given = {"text": "Good morning.", "voice_id": "Wise_Woman", "audio_format": "mp3"}
    assert request.json == {"input": {**given, "speed": 1.5, "language_boost": "Swedish"}}
    assert request.headers == {"cancel-after": "2m"}


@pytest.mark.parametrize(("left", "wait"), [(60.0, 5), (6.9, 4), (4.0, 2), (2.5, 1), (0.1, 1)])
def test_an_answer_is_held_no_longer_than_its_worker_can_wait(call, left, wait):
    request = TTS.build_request(call("replicate-tts"))
    assert TTS.held(request, left).headers == {"cancel-after": "2m", "prefer": f"wait={wait}"}


@pytest.mark.parametrize(("language", "hint"), [("en-GB", "English"), ("tlh", "Automatic"), ("yue", "Chinese,Yue")])
def test_the_language_is_a_hint(call, language, hint):
    assert TTS.build_request(call("replicate-tts", language=language)).json["input"]["language_boost"] == hint


def test_pcm_has_the_rate_that_it_has_everywhere(call):
    assert TTS.build_request(call("replicate-tts", format="pcm")).json["input"]["sample_rate"] == 24_000
    assert "sample_rate" not in TTS.build_request(call("replicate-tts", format="wav")).json["input"]


def test_options_are_further_inputs_and_a_voice_of_ones_own_is_one_of_them(call):
    asked = call("replicate-tts", options={"emotion": "calm", "voice": "moss_audio_1"}, voice="moss_audio_1")
    given = TTS.build_request(asked).json["input"]
    assert (given["emotion"], given["voice_id"]) == ("calm", "moss_audio_1")
    assert "voice" not in given
    assert TTS.refusal(asked) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "opus"}, "input.format: opus; replicate-tts takes one of mp3, wav, flac, pcm"),
        ({"speed": 0.4}, "input.speed: 0.4; replicate-tts takes 0.5 to 2"),
        ({"text": "x" * 10_001}, "input.text: 10001 characters; replicate-tts takes at most 10000"),
    ],
)
def test_what_it_does_not_serve_it_refuses(call, fields, words):
    assert TTS.refusal(call("replicate-tts", **fields)).startswith(words)


def test_a_voice_that_it_does_not_have_is_refused(call):
    assert TTS.refusal(call("replicate-tts", voice="Kore")).startswith("voice: Kore; ")


def answer(status, **more):
    return {"id": "p-1", "status": status, "output": None, "error": None, **more}


def test_what_is_over_is_delivered(call, reply):
    got = TTS.parse_response(reply(201, answer("succeeded", output=SOUND)), call("replicate-tts", format="wav"))
    assert got == Delivery((RemoteMedia(SOUND),), "wav", pytest.approx(13 * 60e-6), "p-1")


@pytest.mark.parametrize("status", ["starting", "processing", "dreaming"])
def test_what_is_not_over_is_accepted(call, reply, status):
    got = TTS.parse_response(reply(201, answer(status)), call("replicate-tts"))
    assert got == Accepted({"path": "/v1/predictions/p-1"})


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, answer("failed", error="flagged as sensitive (E005)"), Outcome.CONTENT_REJECTED),
        (201, answer("aborted"), Outcome.PROVIDER_FAULT),
        (201, answer("succeeded", output=[]), Outcome.UNUSABLE_DELIVERY),
        (429, {"detail": "Request was throttled. Your rate limit resets in ~9s."}, Outcome.THROTTLED),
        (401, {"title": "Unauthenticated", "detail": "no"}, Outcome.KEY_REJECTED),
        (422, {"title": "Input validation failed", "detail": "no"}, Outcome.INVALID_REQUEST),
        (502, b"<html>bad gateway</html>", Outcome.TIMEOUT_SENT),
        (201, {"status": "succeeded"}, Outcome.TIMEOUT_SENT),
    ],
)
def test_what_comes_to_nothing_is_a_failure(call, reply, status, body, outcome):
    got = TTS.parse_response(reply(status, body), call("replicate-tts"))
    assert isinstance(got, Failure)
    assert got.outcome is outcome


def test_what_is_stopped_while_it_runs_is_charged_for(call, reply):
    asked = call("replicate-tts")
    stopped = TTS.parse_poll(reply(200, answer("canceled")), asked).failure
    assert (stopped.outcome, stopped.cost_usd) == (Outcome.PROVIDER_FAULT, TTS.estimate_usd(asked))
    assert TTS.parse_poll(reply(200, answer("aborted")), asked).failure.cost_usd == 0.0
    assert isinstance(asked.voice, Voice)
