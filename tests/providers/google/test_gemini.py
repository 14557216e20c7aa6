"""Gemini: its error table, requests and refusals, speech taken out of JSON, prices."""

from __future__ import annotations

import base64
import io
import json
import wave

import pytest

from mediarelay.providers.api import Delivery
from mediarelay.providers.gemini.speech import VOICES, GeminiTts
from mediarelay.providers.probe import ProbeResult
from mediarelay.providers.registry import PROBES
from mediarelay.results.media_type import mismatch
from mediarelay.vocabulary.outcome import Failure, Outcome

PROVIDER = GeminiTts()
SAMPLES = b"\x01\x02" * 2400
MIME = "audio/L16;codec=pcm;rate=24000"


def error(code, status, message="words", *details):
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def info(reason):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}


def quota(*ids):
    violations = [{"quotaId": each, "quotaMetric": "m"} for each in ids]
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


def blob(data=SAMPLES, mime=MIME):
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def spoken(*parts, finish="STOP", **more):
    answer = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}
    return {"candidates": [answer], **more}


MINUTE, DAY = "GenerateRequestsPerMinutePerProjectPerModel", "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
LEAKED = "Your API key was reported as leaked. Please use another API key."
EXHAUSTED = "RESOURCE_EXHAUSTED"
# status, body -> outcome, code, certain
ROWS = [
    (400, error(400, "INVALID_ARGUMENT", "no", info("API_KEY_INVALID")), Outcome.KEY_REJECTED, "API_KEY_INVALID", True),
    (400, error(400, "INVALID_ARGUMENT"), Outcome.INVALID_REQUEST, "INVALID_ARGUMENT", True),
    (400, error(400, "FAILED_PRECONDITION"), Outcome.PERMISSION_DENIED, "FAILED_PRECONDITION", True),
    (401, error(401, "UNAUTHENTICATED"), Outcome.KEY_REJECTED, "UNAUTHENTICATED", True),
    (401, b"", Outcome.KEY_REJECTED, "http_401", False),
    # Billing: seen at another of Google's APIs only, so it is read by its status.
    (402, error(402, ""), Outcome.QUOTA_EXHAUSTED, "http_402", False),
    (403, error(403, "PERMISSION_DENIED"), Outcome.PERMISSION_DENIED, "PERMISSION_DENIED", True),
    (403, error(403, "PERMISSION_DENIED", LEAKED), Outcome.KEY_REJECTED, "PERMISSION_DENIED", True),
    (
        *(403, error(403, "PERMISSION_DENIED", "no", info("CONSUMER_SUSPENDED"))),
        *(Outcome.KEY_REJECTED, "CONSUMER_SUSPENDED", True),
    ),
    # A reason that is not known leaves the word to the status.
    (
        *(403, error(403, "PERMISSION_DENIED", "no", info("API_KEY_SERVICE_BLOCKED"))),
        *(Outcome.PERMISSION_DENIED, "API_KEY_SERVICE_BLOCKED", True),
    ),
    (404, error(404, "NOT_FOUND"), Outcome.MODEL_GONE, "NOT_FOUND", True),
    (404, b"<html>", Outcome.INVALID_REQUEST, "http_404", False),
    (429, error(429, EXHAUSTED), Outcome.THROTTLED, EXHAUSTED, True),
    (429, error(429, EXHAUSTED, "no", quota(MINUTE), RETRY), Outcome.THROTTLED, EXHAUSTED, True),
    (429, error(429, EXHAUSTED, "no", quota(DAY)), Outcome.QUOTA_EXHAUSTED, EXHAUSTED, True),
    (429, error(429, EXHAUSTED, "no", quota(MINUTE, DAY), RETRY), Outcome.QUOTA_EXHAUSTED, EXHAUSTED, True),
    (429, b"", Outcome.THROTTLED, "http_429", False),
    (500, error(500, "INTERNAL"), Outcome.PROVIDER_FAULT, "INTERNAL", True),
    (503, error(503, "UNAVAILABLE"), Outcome.OVERLOADED, "UNAVAILABLE", True),
    (504, error(504, "DEADLINE_EXCEEDED"), Outcome.TIMEOUT_SENT, "DEADLINE_EXCEEDED", True),
    (
        200,
        {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        Outcome.CONTENT_REJECTED,
        "PROHIBITED_CONTENT",
        True,
    ),
    (200, spoken(finish="SAFETY"), Outcome.CONTENT_REJECTED, "SAFETY", True),
    (200, spoken(finish="OTHER"), Outcome.PROVIDER_FAULT, "OTHER", True),
    # Half a speech is none.
    (200, spoken(blob(), finish="SAFETY"), Outcome.CONTENT_REJECTED, "SAFETY", True),
    (200, spoken(blob(), finish="MAX_TOKENS"), Outcome.UNUSABLE_DELIVERY, "MAX_TOKENS", True),
    (200, spoken(finish="LANGUAGE"), Outcome.INVALID_REQUEST, "LANGUAGE", True),
    (200, spoken(finish="PUP_LIMITED_DISABLED"), Outcome.PERMISSION_DENIED, "PUP_LIMITED_DISABLED", True),
    (200, spoken(finish="STOP"), Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True),
    (200, spoken(finish="MALFORMED_RESPONSE"), Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True),
    (200, {"candidates": []}, Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True),
    # The same words with another status mean what the status means.
    (503, {"promptFeedback": {"blockReason": "SAFETY"}}, Outcome.OVERLOADED, "http_503", False),
]


@pytest.mark.parametrize(("status", "body", "outcome", "code", "certain"), ROWS)
def test_the_error_table(call, reply, status, body, outcome, code, certain):
    failure = PROVIDER.parse_response(reply(status, body), call("gemini-tts", format="wav"))
    assert isinstance(failure, Failure)
    assert (failure.outcome, failure.code, failure.certain, failure.spreads) == (outcome, code, certain, True)


def test_the_wait_is_what_the_vendor_says(call, reply):
    asked = call("gemini-tts", format="wav")
    body = error(429, EXHAUSTED, "Please retry in 33.5s.", quota(MINUTE), RETRY)
    assert PROVIDER.parse_response(reply(429, body), asked).wait_seconds == 34.0
    words = error(429, EXHAUSTED, "You exceeded your current quota. Please retry in 45.578569677s.")
    assert PROVIDER.parse_response(reply(429, words), asked).wait_seconds == pytest.approx(45.58, abs=0.01)


def test_what_was_withheld_is_told_in_words(call, reply):
    body = {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "not for us"}}
    assert PROVIDER.parse_response(reply(200, body), call("gemini-tts", format="wav")).message == (
        "no speech in the answer: not for us"
    )


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_whole_request(call):
    asked = call("gemini-tts", format="wav", voice="Puck", language="en-GB", instructions="Gently.")
    assert PROVIDER.refusal(asked) is None
    request = PROVIDER.build_request(asked)
    assert (request.method, request.path) == ("POST", "/v1beta/models/gemini-3.8-flash-tts:generateContent")
    assert request.read_timeout_seconds == 180.0
    assert request.json == {
        "contents": [{"role": "user", "parts": [{"text": "Good morning.", "speechMetadata": {"style": "Gently."}}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}, "languageCode": "en-GB"},
        },
    }


@pytest.mark.parametrize(
    ("given", "config"),
    [
        ({}, {"prebuiltVoiceConfig": {"voiceName": "Kore"}}),
        ({"voice": "Sulafat"}, {"prebuiltVoiceConfig": {"voiceName": "Sulafat"}}),
        ({"voice": "coral", "options": {"voice": "Leda"}}, {"prebuiltVoiceConfig": {"voiceName": "Leda"}}),
        ({"options": {"voice": "newscaster-0417"}}, {"voice": "newscaster-0417"}),
    ],
)
def test_the_voice(call, given, config):
    asked = call("gemini-tts", format="wav", **given)
    assert PROVIDER.refusal(asked) is None
    body = PROVIDER.build_request(asked).json
    assert body["generationConfig"]["speechConfig"] == {"voiceConfig": config}
    assert "voice" not in body
    assert body["contents"][0]["parts"] == [{"text": "Good morning."}]


def test_options_are_merged_into_the_body(call):
    options = {"generationConfig": {"seed": 4}, "safetySettings": []}
    body = PROVIDER.build_request(call("gemini-tts", format="wav", options=options)).json
    assert body["generationConfig"]["seed"] == 4
    assert body["generationConfig"]["responseModalities"] == ["AUDIO"]
    assert body["safetySettings"] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": "mp3"}, "input.format: mp3; gemini-tts takes one of wav, pcm"),
        ({"format": "opus"}, "input.format: opus; gemini-tts takes one of wav, pcm"),
        ({"speed": 1.5}, "input.speed: 1.5; gemini-tts speaks at the voice's own pace, 1, only"),
        ({"text": "x" * 8001}, "input.text: 8001 characters; gemini-tts takes at most 8000"),
        ({"voice": "george"}, "voice: george; gemini-tts takes one of Zephyr, Puck, "),
        ({"options": {"voice": "a voice"}}, "voice: a voice; gemini-tts takes 1 to 64 letters"),
    ],
)
def test_refusals(call, given, message):
    assert PROVIDER.refusal(call("gemini-tts", **{"format": "wav", **given})).startswith(message)


def test_pictures_are_refused(call):
    assert PROVIDER.refusal(call("openai-image")) == "kind: gemini-tts makes speech only"


def test_thirty_voices_go_by_name():
    assert len(set(VOICES)) == 30


# --- speech -----------------------------------------------------------------------------------------------------------


def delivered(call, reply, body, **given):
    answer = PROVIDER.parse_response(reply(200, body), call("gemini-tts", **{"format": "wav", **given}))
    assert isinstance(answer, Delivery)
    return answer


def test_samples_become_a_playable_wav(call, reply):
    answer = delivered(call, reply, spoken(blob(), responseId="r-1"))
    data = answer.media[0].data
    with wave.open(io.BytesIO(data)) as opened:
        assert (opened.getnchannels(), opened.getsampwidth(), opened.getframerate()) == (1, 2, 24000)
        assert opened.readframes(opened.getnframes()) == SAMPLES
    assert mismatch(data[:64], len(data), "wav") is None
    assert (answer.format, answer.vendor_request_id) == ("wav", "r-1")


def test_pcm_is_as_it_is_and_parts_are_joined(call, reply):
    answer = delivered(call, reply, spoken(blob(), {"text": "aside"}, blob(b"\x03\x04")), format="pcm")
    assert [media.data for media in answer.media] == [SAMPLES + b"\x03\x04"]


@pytest.mark.parametrize(
    ("mime", "rate"),
    [("audio/L16;codec=pcm;rate=16000", 16000), ("audio/pcm; rate=48000", 48000), ("audio/L16", 24000)],
)
def test_a_wav_has_the_rate_of_its_samples(call, reply, mime, rate):
    data = delivered(call, reply, spoken(blob(mime=mime))).media[0].data
    assert int.from_bytes(data[24:28], "little") == rate


@pytest.mark.parametrize(
    ("format_", "parts"),
    [
        ("wav", [blob(b"\x01\x02\x03")]),
        ("wav", [blob(b"")]),
        ("wav", [blob(mime="audio/mpeg")]),
        ("wav", [{"inlineData": {"mimeType": MIME, "data": "not base64!"}}]),
        ("wav", [{"inlineData": {"mimeType": MIME, "data": "ü"}}]),
        ("wav", [blob(), blob(mime="audio/L16;rate=16000")]),
        # A headerless file cannot tell another rate than the one that everybody expects.
        ("pcm", [blob(mime="audio/L16;rate=16000")]),
        ("wav", [{"text": "Good morning."}]),
        ("wav", ["Good morning."]),
    ],
)
def test_what_is_no_speech_is_paid_in_vain(call, reply, format_, parts):
    failure = PROVIDER.parse_response(reply(200, spoken(*parts)), call("gemini-tts", format=format_))
    assert (failure.outcome, failure.code) == (Outcome.UNUSABLE_DELIVERY, "unexpected_answer")


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("gemini-3.8-flash-tts", {"promptTokenCount": 1000, "candidatesTokenCount": 2000}, 0.0185),
        ("gemini-3.8-flash-lite-tts", {"promptTokenCount": 1000, "candidatesTokenCount": 2000}, 0.0125),
        ("gemini-3.8-flash-tts", {"promptTokenCount": -1, "candidatesTokenCount": 2000}, None),
        ("gemini-3.8-flash-tts", {"candidatesTokenCount": 2000}, None),
        ("gemini-3.8-flash-tts", "many", None),
    ],
)
def test_reported_tokens_outrank_estimated_ones(call, reply, model, usage, cost):
    asked = call("gemini-tts", model=model)
    answer = delivered(call, reply, spoken(blob(), usageMetadata=usage), model=model)
    assert answer.cost_usd == pytest.approx(PROVIDER.estimate_usd(asked) if cost is None else cost)


def test_an_estimate_is_of_text_and_of_the_time_it_takes(call):
    asked = call("gemini-tts", text="x" * 1500, format="wav")
    assert PROVIDER.estimate_usd(asked) == pytest.approx((375 * 0.5 + 100 * 25 * 9.0) / 1e6)


# --- the free probe ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, {"models": [{"name": "models/x"}], "nextPageToken": "t"}, ProbeResult.WELL),
        (200, b"<html>", ProbeResult.PROVIDER_FAULT),
        (200, b"[" * 100_000, ProbeResult.PROVIDER_FAULT),
        (400, error(400, "INVALID_ARGUMENT", "no", info("API_KEY_INVALID")), ProbeResult.KEY_REJECTED),
        (429, error(429, EXHAUSTED, "no", quota(DAY)), ProbeResult.BALANCE_EMPTY),
        (429, error(429, EXHAUSTED), ProbeResult.UNCLEAR),
        (503, error(503, "UNAVAILABLE"), ProbeResult.PROVIDER_FAULT),
    ],
)
def test_the_probe_lists_one_model(reply, status, body, result):
    probe = PROBES["gemini"]
    assert (probe.request.method, probe.request.path, probe.request.params) == (
        "GET",
        "/v1beta/models",
        {"pageSize": "1"},
    )
    assert probe.result(reply(status, body)) is result
    assert json.dumps(dict(probe.request.json)) == "{}"
