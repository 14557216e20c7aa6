"""ElevenLabs: its error table in all three envelopes, requests, refusals, prices."""

from __future__ import annotations

import pytest

from mediarelay.providers.api import StreamedBody
from mediarelay.providers.elevenlabs.speech import ElevenLabsTts
from mediarelay.vocabulary.outcome import Outcome

PROVIDER = ElevenLabsTts()
VOICE = "A1b2C3d4E5f6G7h8I9j0"
KEY_CAP = "This request exceeds your API key (batch) quota of 40. You have 15 credits remaining, while 91 are required"
ACCOUNT = "This request exceeds your quota of 10000. You have 5 credits remaining, while 91 credits are required"


def new(kind, code, message="words", legacy=None):
    return {"detail": {"type": kind, "code": code, "message": message, "status": legacy, "request_id": "r"}}


def old(status, message="words"):
    return {"detail": {"status": status, "message": message}}


LIST = {"detail": [{"loc": ["body", "text"], "msg": "field required", "type": "missing"}]}
AUTH, PAY, LIMIT = "authentication_error", "payment_required", "rate_limit_error"
# status, body -> outcome, code, certain, spreads
ROWS = [
    (401, new(AUTH, "invalid_api_key"), Outcome.KEY_REJECTED, "invalid_api_key", True, True),
    (400, new(AUTH, "invalid_api_key"), Outcome.KEY_REJECTED, "invalid_api_key", True, True),
    (401, new(AUTH, "missing_api_key"), Outcome.KEY_REJECTED, "missing_api_key", True, True),
    (401, old("invalid_api_key"), Outcome.KEY_REJECTED, "invalid_api_key", True, True),
    (401, new(AUTH, "unauthorized"), Outcome.PERMISSION_DENIED, "unauthorized", True, True),
    (401, old("missing_permissions"), Outcome.PERMISSION_DENIED, "missing_permissions", True, True),
    # The family holds bad keys and missing scopes, so a new code in it is only probably a bad key.
    (401, new(AUTH, "a_new_code"), Outcome.KEY_REJECTED, "a_new_code", False, True),
    (401, b"", Outcome.KEY_REJECTED, "http_401", False, True),
    (403, new("authorization_error", "only_for_creator+"), Outcome.PERMISSION_DENIED, "only_for_creator+", True, True),
    (403, new("authorization_error", "a_new_code"), Outcome.PERMISSION_DENIED, "a_new_code", True, True),
    (401, new(PAY, "quota_exceeded", ACCOUNT), Outcome.QUOTA_EXHAUSTED, "quota_exceeded", True, True),
    (401, old("quota_exceeded", ACCOUNT), Outcome.QUOTA_EXHAUSTED, "quota_exceeded", True, True),
    (401, old("quota_exceeded", KEY_CAP), Outcome.QUOTA_EXHAUSTED, "quota_exceeded", True, False),
    (402, new(PAY, "insufficient_credits"), Outcome.QUOTA_EXHAUSTED, "insufficient_credits", True, True),
    (401, new(PAY, "payment_issue"), Outcome.QUOTA_EXHAUSTED, "payment_issue", True, True),
    (402, new(PAY, "a_new_code"), Outcome.QUOTA_EXHAUSTED, "a_new_code", True, True),
    (402, new(PAY, "paid_plan_required", legacy=PAY), Outcome.PERMISSION_DENIED, "paid_plan_required", True, True),
    (402, old(PAY), Outcome.PERMISSION_DENIED, PAY, True, True),
    (402, b"", Outcome.QUOTA_EXHAUSTED, "http_402", False, True),
    (401, old("detected_unusual_activity"), Outcome.KEY_REJECTED, "detected_unusual_activity", True, True),
    (400, new("validation_error", "invalid_parameters"), Outcome.INVALID_REQUEST, "invalid_parameters", True, True),
    (400, old("max_character_limit_exceeded"), Outcome.INVALID_REQUEST, "max_character_limit_exceeded", True, True),
    (422, LIST, Outcome.INVALID_REQUEST, "missing", True, True),
    (422, b"", Outcome.INVALID_REQUEST, "http_422", False, True),
    (400, new("validation_error", "bad_prompt"), Outcome.CONTENT_REJECTED, "bad_prompt", True, True),
    (404, new("not_found", "voice_not_found"), Outcome.INVALID_REQUEST, "voice_not_found", True, True),
    (400, old("voice_not_found"), Outcome.INVALID_REQUEST, "voice_not_found", True, True),
    (404, new("not_found", "model_not_found"), Outcome.MODEL_GONE, "model_not_found", True, True),
    (404, {"detail": "Not Found"}, Outcome.INVALID_REQUEST, "not_found", True, True),
    (409, new("conflict", "already_running"), Outcome.INVALID_REQUEST, "already_running", True, True),
    (409, b"", Outcome.INVALID_REQUEST, "conflict", False, True),
    (429, new(LIMIT, "rate_limit_exceeded"), Outcome.THROTTLED, "rate_limit_exceeded", True, True),
    (429, new(LIMIT, "concurrent_limit_exceeded"), Outcome.THROTTLED, "concurrent_limit_exceeded", True, True),
    (429, old("too_many_concurrent_requests"), Outcome.THROTTLED, "too_many_concurrent_requests", True, True),
    (429, new(LIMIT, "a_new_code"), Outcome.THROTTLED, "a_new_code", True, True),
    (429, b"", Outcome.THROTTLED, "http_429", False, True),
    # Busy is the provider's trouble, not the key's, although it says 429.
    (429, new(LIMIT, "system_busy"), Outcome.OVERLOADED, "system_busy", True, True),
    (429, old("system_busy"), Outcome.OVERLOADED, "system_busy", True, True),
    (500, new("internal_error", None), Outcome.PROVIDER_FAULT, "internal_error", True, True),
    (500, b"oops", Outcome.PROVIDER_FAULT, "http_500", False, True),
    (503, new("service_unavailable", None), Outcome.OVERLOADED, "service_unavailable", True, True),
    (503, b"", Outcome.OVERLOADED, "http_503", False, True),
    (504, b"", Outcome.TIMEOUT_SENT, "http_504", False, True),
    (408, b"", Outcome.TIMEOUT_SENT, "http_408", False, True),
    # The code outranks the older status, and both outrank the type.
    (401, new(PAY, "invalid_api_key", legacy="quota_exceeded"), Outcome.KEY_REJECTED, "invalid_api_key", True, True),
    (401, new(AUTH, "a_new_code", legacy="quota_exceeded"), Outcome.QUOTA_EXHAUSTED, "a_new_code", True, True),
    (200, new(PAY, "quota_exceeded"), Outcome.QUOTA_EXHAUSTED, "quota_exceeded", True, True),
    (200, {"audio": "?"}, Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True, True),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[3]}-{number}" for number, row in enumerate(ROWS)])
def test_every_row(call, reply, row):
    status, body, *expected = row
    failure = PROVIDER.parse_response(reply(status, body, content_type="application/json"), call("elevenlabs-tts"))
    assert [failure.outcome, failure.code, failure.certain, failure.spreads] == expected
    assert failure.wait_seconds is None


def test_a_proxys_page_with_status_200_is_never_bought_again(call, reply):
    failure = PROVIDER.parse_response(reply(200, b"<html>", content_type="text/html"), call("elevenlabs-tts"))
    assert (failure.outcome, failure.code) == (Outcome.UNUSABLE_DELIVERY, "wrong_content_type")


def test_a_reset_in_unix_time_is_read_by_the_answers_own_clock(call, reply):
    date = "Mon, 21 Sep 2026 14:13:20 GMT"
    answer = reply(429, old("rate_limit_exceeded"), x_ratelimit_reset="1790000007", date=date)
    assert PROVIDER.parse_response(answer, call("elevenlabs-tts")).wait_seconds == 7.0


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, {"model_id": "eleven_multilingual_v2"}),
        ({"speed": 1.1}, {"model_id": "eleven_multilingual_v2", "voice_settings": {"speed": 1.1}}),
        (
            {"speed": 1.1, "options": {"voice_settings": {"stability": 0.4}}},
            {"model_id": "eleven_multilingual_v2", "voice_settings": {"speed": 1.1, "stability": 0.4}},
        ),
        # This model refuses a language, the others take its two letters.
        ({"language": "en-US"}, {"model_id": "eleven_multilingual_v2"}),
        (
            {"model": "eleven_flash_v2_5", "language": "en-US"},
            {"model_id": "eleven_flash_v2_5", "language_code": "en"},
        ),
        ({"instructions": "Whisper."}, {"model_id": "eleven_multilingual_v2"}),
        ({"options": {"seed": 7}}, {"model_id": "eleven_multilingual_v2", "seed": 7}),
    ],
)
def test_body(call, given, body):
    asked = call("elevenlabs-tts", **given)
    assert PROVIDER.refusal(asked) is None
    assert PROVIDER.build_request(asked).json == {"text": "Good morning.", **body}


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [("mp3", "mp3_44100_128"), ("opus", "opus_48000_64"), ("pcm", "pcm_24000"), ("wav", "wav_24000")],
)
def test_the_format_is_a_query_parameter(call, wanted, sent):
    request = PROVIDER.build_request(call("elevenlabs-tts", format=wanted))
    assert request.params == {"output_format": sent}
    assert (request.method, request.read_timeout_seconds) == ("POST", 60.0)


def test_query_options_do_not_land_in_the_body(call):
    options = {"output_format": "mp3_44100_192", "enable_logging": False}
    request = PROVIDER.build_request(call("elevenlabs-tts", options=options))
    assert request.params == {"output_format": "mp3_44100_192", "enable_logging": "false"}
    assert set(request.json) == {"text", "model_id"}


@pytest.mark.parametrize(
    ("given", "voice"),
    [
        ({}, "JBFqnCBsd6RMkjVDRZzb"),
        ({"voice": VOICE}, VOICE),
        ({"voice": "alloy", "options": {"voice": VOICE}}, VOICE),
    ],
)
def test_the_voice_is_in_the_path_and_the_providers_own_option_wins(call, given, voice):
    asked = call("elevenlabs-tts", **given)
    assert PROVIDER.refusal(asked) is None
    assert PROVIDER.build_request(asked).path == f"/v1/text-to-speech/{voice}"
    assert "voice" not in PROVIDER.build_request(asked).json


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"voice": "Kore"}, "voice: Kore; elevenlabs-tts takes a voice id of 20 letters and digits"),
        ({"options": {"voice": "../../models/abcdefg"}}, "voice: ../../models/abcdefg; "),
        ({"format": "aac"}, "input.format: aac; elevenlabs-tts takes one of mp3, opus, pcm, wav"),
        ({"format": "flac"}, "input.format: flac; "),
        ({"text": "x" * 10_001}, "input.text: 10001 characters; elevenlabs-tts takes at most 10000"),
        ({"model": "eleven_v3", "text": "x" * 5001}, "input.text: 5001 characters; elevenlabs-tts takes at most 5000"),
        ({"options": {"output_format": "pcm_16000"}}, "options.output_format: pcm_16000; input.format mp3 needs"),
        ({"options": {"output_format": 1}}, "options.output_format: 1; "),
    ],
)
def test_refusals(call, given, message):
    assert PROVIDER.refusal(call("elevenlabs-tts", **given)).startswith(message)


def test_pictures_are_refused(call):
    assert PROVIDER.refusal(call("openai-image")) == "kind: elevenlabs-tts makes speech only"


@pytest.mark.parametrize(
    ("headers", "cost"),
    [
        ({"character_cost": "7"}, 0.00056),
        ({"x_character_count": "8"}, 0.00064),
        ({"character_cost": "0"}, 0.0),
        ({"character_cost": "many"}, 0.00104),
        ({"character_cost": "-1"}, 0.00104),
        ({}, 0.00104),
    ],
)
def test_credits_reported_outrank_characters_counted(call, reply, headers, cost):
    answer = reply(200, None, content_type="audio/mpeg", request_id="req-3", **headers)
    delivery = PROVIDER.parse_response(answer, call("elevenlabs-tts"))
    assert (delivery.media, delivery.format, delivery.vendor_request_id) == ((StreamedBody(),), "mp3", "req-3")
    assert delivery.cost_usd == pytest.approx(cost)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("eleven_multilingual_v2", 80),
        ("eleven_v3", 80),
        ("eleven_v4", 80),
        ("eleven_flash_v2_5", 40),
        ("eleven_turbo_v2_5", 40),
    ],
)
def test_a_million_characters_cost_the_list_price(call, model, usd):
    asked = call("elevenlabs-tts", model=model, text="x" * 1000)
    assert PROVIDER.estimate_usd(asked) * 1000 == pytest.approx(usd)


@pytest.mark.parametrize(("speed", "fits"), [(0.7, True), (1.2, True), (0.5, False), (1.5, False)])
def test_a_pace_that_the_vendor_refuses_is_not_asked_for(call, speed, fits):
    assert (PROVIDER.refusal(call("elevenlabs-tts", speed=speed)) is None) is fits
