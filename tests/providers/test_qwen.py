"""Qwen: requests, links, prices, and its error table with what must not match."""

from __future__ import annotations

import pytest

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery, RemoteMedia
from mediarelay.providers.qwen.errors import qwen_failure
from mediarelay.providers.registry import PROVIDERS
from mediarelay.vocabulary.outcome import Failure, Outcome

QWEN = PROVIDERS["qwen-tts"]
OSS = "dashscope-result-sgp.oss-ap-southeast-1.aliyuncs.com/a/audio.wav?Expires=1&Signature=x%3D"


def answer(url, **more):
    audio = {"data": "", "url": url, "id": "audio_1", "expires_at": 1}
    return {"request_id": "r-1", "output": {"finish_reason": "stop", "audio": audio}, **more}


def refused(status, code, message="no"):
    return {"code": code, "message": message, "request_id": "r-1"}, status


def test_a_speech_is_asked_of_the_flash_model(call):
    request = QWEN.build_request(call("qwen-tts", language="pt-BR", format="wav"))
    assert request.path == "/services/aigc/multimodal-generation/generation"
    given = {"text": "Good morning.", "voice": "Cherry", "language_type": "Portuguese"}
    assert request.json == {"model": "qwen3-tts-flash", "input": given, "parameters": {}}


def test_no_language_leaves_it_to_the_model_and_options_are_further_fields(call):
    given = QWEN.build_request(call("qwen-tts", options={"voice": "Eldric Sage", "seed": 1})).json["input"]
    assert given == {"text": "Good morning.", "voice": "Eldric Sage", "seed": 1}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "mp3"}, "input.format: mp3; qwen-tts takes one of wav"),
        ({"speed": 1.5}, "input.speed: 1.5; "),
        ({"text": "x" * 601}, "input.text: 601 characters; qwen-tts takes at most 600"),
        ({"voice": "Kore"}, "voice: Kore; "),
        ({"language": "sv", "voice": "Ethan"}, "input.language: sv; "),
    ],
)
def test_what_it_does_not_serve_it_refuses(call, fields, words):
    assert QWEN.refusal(call("qwen-tts", **{"format": "wav", **fields})).startswith(words)


@pytest.mark.parametrize("fields", [{}, {"language": "en-GB"}, {"voice": "Ethan"}, {"text": "x" * 600}])
def test_what_it_serves_it_takes(call, fields):
    assert QWEN.refusal(call("qwen-tts", format="wav", **fields)) is None


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        (f"http://{OSS}", f"https://{OSS}"),
        (f"https://{OSS}", f"https://{OSS}"),
        ("http://aliyuncs.com.invalid/a.wav", "http://aliyuncs.com.invalid/a.wav"),
        ("http://x.invalid/.aliyuncs.com/a.wav", "http://x.invalid/.aliyuncs.com/a.wav"),
        ("http://127.0.0.1:9000/a.wav", "http://127.0.0.1:9000/a.wav"),
    ],
)
def test_a_link_to_the_vendors_own_storage_is_fetched_over_https(call, reply, url, fetched):
    got = QWEN.parse_response(reply(200, answer(url, usage={"characters": 13})), call("qwen-tts"))
    assert isinstance(got, Delivery)
    assert (got.media, got.vendor_request_id) == ((RemoteMedia(fetched),), "r-1")


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"usage": {"characters": 1000}}, 0.01),
        ({}, 8 * 10e-6),
        ({"usage": {"input_tokens": 5, "output_tokens": 50}}, 8 * 10e-6),
        ({"usage": {"characters": "many"}}, 8 * 10e-6),
    ],
)
def test_the_price_is_by_the_characters_that_the_answer_counts_else_by_our_own_count(call, reply, usage, usd):
    got = QWEN.parse_response(reply(200, answer(f"http://{OSS}", **usage)), call("qwen-tts", text="你好a日!"))
    assert isinstance(got, Delivery)
    assert got.cost_usd == pytest.approx(usd)


@pytest.mark.parametrize(
    ("status", "code", "message", "outcome"),
    [
        (401, "InvalidApiKey", "Invalid API-key provided.", Outcome.KEY_REJECTED),
        (
            400,
            "Arrearage",
            "Access denied, please make sure your account is in good standing.",
            Outcome.QUOTA_EXHAUSTED,
        ),
        (403, "Arrearage", "no", Outcome.QUOTA_EXHAUSTED),
        (403, "AllocationQuota.FreeTierOnly", "The free tier is exhausted.", Outcome.QUOTA_EXHAUSTED),
        (429, "Throttling.AllocationQuota", "Allocated quota exceeded.", Outcome.THROTTLED),
        (429, "insufficient_quota", "You exceeded your current quota.", Outcome.THROTTLED),
        (429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", Outcome.QUOTA_EXHAUSTED),
        (429, "Throttling", "Request rate increased too quickly.", Outcome.THROTTLED),
        (429, "Throttling.OfTomorrow", "no", Outcome.THROTTLED),
        (403, "Workspace.AccessDenied", "no", Outcome.PERMISSION_DENIED),
        (400, "DataInspectionFailed", "no", Outcome.CONTENT_REJECTED),
        (400, "InvalidParameter", "Voice 'x' is not supported.", Outcome.INVALID_REQUEST),
        (404, "ModelNotFound", "no", Outcome.MODEL_GONE),
        (500, "InternalError.Algo", "no", Outcome.PROVIDER_FAULT),
        (503, "ModelUnavailable", "no", Outcome.OVERLOADED),
        (504, "RequestTimeOut", "no", Outcome.TIMEOUT_SENT),
        (200, "InvalidParameter", "Voice is not supported.", Outcome.INVALID_REQUEST),
    ],
)
def test_a_refusal_is_told_by_its_code(reply, status, code, message, outcome):
    body, status = refused(status, code, message)
    assert qwen_failure(reply(status, body)).outcome is outcome


def test_a_refusal_of_the_compatible_mode_has_the_same_code_one_level_down(reply):
    body = {"error": {"message": "Access denied.", "type": "Arrearage", "param": None, "code": "Arrearage"}}
    assert qwen_failure(reply(400, body)).outcome is Outcome.QUOTA_EXHAUSTED


@pytest.mark.parametrize("body", [{}, {"output": None}, {"output": {"audio": {"url": ""}}}, b"[]", b""])
def test_a_success_without_speech_was_paid_in_vain(call, reply, body):
    got = QWEN.parse_response(reply(200, body), call("qwen-tts"))
    assert isinstance(got, Failure)
    assert got.outcome is Outcome.UNUSABLE_DELIVERY


def test_a_link_with_another_status_is_no_delivery(call):
    got = QWEN.parse_response(
        HttpReply(500, {}, b'{"output": {"audio": {"url": "https://x.invalid/a"}}}'), call("qwen-tts")
    )
    assert isinstance(got, Failure)
