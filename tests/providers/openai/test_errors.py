"""OpenAI's error table, row by row, with the rows that must not match."""

from __future__ import annotations

import pytest

from mediarelay.providers.openai.pictures import OpenAiImage
from mediarelay.providers.openai.speech import OPENAI_TTS
from mediarelay.vocabulary.outcome import Failure, Outcome


def error(code=None, kind=None, message="words"):
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


QUOTA = "insufficient_quota"
INVALID = "invalid_request_error"
# status, body, headers -> outcome, code, wait, certain, spreads
ROWS = [
    (401, error("invalid_api_key", INVALID), {}, Outcome.KEY_REJECTED, "invalid_api_key", None, True, True),
    (
        *(401, error(None, INVALID, "You must be a member of an organization to use the API"), {}),
        *(Outcome.KEY_REJECTED, "not_a_member", None, True, True),
    ),
    (
        *(401, error(None, INVALID, "IP not authorized"), {}),
        *(Outcome.PERMISSION_DENIED, "ip_not_authorized", None, True, True),
    ),
    (401, b"<html>denied</html>", {}, Outcome.KEY_REJECTED, "http_401", None, False, True),
    # The type alone says nothing about a 401: it must not turn into the caller's fault.
    (401, error(None, INVALID), {}, Outcome.KEY_REJECTED, INVALID, None, False, True),
    (
        *(403, error(None, None, "Country, region, or territory not supported"), {}),
        *(Outcome.PERMISSION_DENIED, "unsupported_territory", None, True, True),
    ),
    (
        *(403, error(None, INVALID, "Your organization must be verified to use the model"), {}),
        *(Outcome.PERMISSION_DENIED, "organization_not_verified", None, True, True),
    ),
    (403, error("model_not_found", INVALID), {}, Outcome.PERMISSION_DENIED, "model_not_found", None, True, True),
    (403, b"", {}, Outcome.PERMISSION_DENIED, "http_403", None, False, True),
    (404, error("model_not_found", INVALID), {}, Outcome.MODEL_GONE, "model_not_found", None, True, True),
    (400, error("model_not_found", INVALID), {}, Outcome.MODEL_GONE, "model_not_found", None, True, True),
    (404, error(None, INVALID, "Invalid URL"), {}, Outcome.INVALID_REQUEST, INVALID, None, False, True),
    (
        *(400, error("moderation_blocked", "image_generation_user_error"), {}),
        *(Outcome.CONTENT_REJECTED, "moderation_blocked", None, True, True),
    ),
    (
        *(400, error("content_policy_violation", INVALID), {}),
        *(Outcome.CONTENT_REJECTED, "content_policy_violation", None, True, True),
    ),
    # The same family without the moderation code is an ordinary mistake.
    (
        *(400, error("image_too_small", "image_generation_user_error"), {}),
        *(Outcome.INVALID_REQUEST, "image_too_small", None, True, True),
    ),
    (400, error("unknown_parameter", INVALID), {}, Outcome.INVALID_REQUEST, "unknown_parameter", None, True, True),
    (422, error(None, INVALID), {}, Outcome.INVALID_REQUEST, INVALID, None, True, True),
    (413, b"", {}, Outcome.INVALID_REQUEST, "http_413", None, False, True),
    (
        *(429, error("rate_limit_exceeded", "requests"), {"retry_after": "3", "retry_after_ms": "2500"}),
        *(Outcome.THROTTLED, "rate_limit_exceeded", 2.5, True, True),
    ),
    (
        *(429, error("rate_limit_exceeded", "tokens"), {"x_ratelimit_reset_tokens": "6m0s"}),
        *(Outcome.THROTTLED, "rate_limit_exceeded", 360.0, True, True),
    ),
    (
        *(429, error("rate_limit_exceeded", "input-images", "Limit 5, Used 5. Please try again in 12s."), {}),
        *(Outcome.THROTTLED, "rate_limit_exceeded", 12.0, True, True),
    ),
    (429, error("rate_limit_exceeded", "requests"), {}, Outcome.THROTTLED, "rate_limit_exceeded", None, True, True),
    (
        *(429, error("rate_limit_exceeded"), {"retry_after": "Mon, 21 Sep 2026 14:13:30 GMT"}),
        *(Outcome.THROTTLED, "rate_limit_exceeded", None, True, True),
    ),
    (
        429,
        error("rate_limit_exceeded"),
        {"retry_after": "Mon, 21 Sep 2026 14:13:30 GMT", "date": "Mon, 21 Sep 2026 14:13:20 GMT"},
        *(Outcome.THROTTLED, "rate_limit_exceeded", 10.0, True, True),
    ),
    (
        *(429, error("slow_down", "rate_limit_error"), {"retry_after": "20"}),
        *(Outcome.THROTTLED, "slow_down", 20.0, True, True),
    ),
    (429, b"", {"retry_after": "4"}, Outcome.THROTTLED, "http_429", 4.0, False, True),
    (429, error(None, INVALID), {}, Outcome.THROTTLED, INVALID, None, False, True),
    # A wait beside a spent balance is not a wait.
    (429, error(QUOTA, QUOTA), {"retry_after": "1"}, Outcome.QUOTA_EXHAUSTED, QUOTA, None, True, True),
    (
        *(429, error("credit_balance_exhausted", QUOTA), {}),
        *(Outcome.QUOTA_EXHAUSTED, "credit_balance_exhausted", None, True, True),
    ),
    (
        *(429, error("credit_balance_exhausted"), {}),
        *(Outcome.QUOTA_EXHAUSTED, "credit_balance_exhausted", None, True, True),
    ),
    (
        *(429, error("organization_spend_limit_exceeded", QUOTA), {}),
        *(Outcome.QUOTA_EXHAUSTED, "organization_spend_limit_exceeded", None, True, True),
    ),
    (
        *(429, error("organization_usage_limit_exceeded", QUOTA), {}),
        *(Outcome.QUOTA_EXHAUSTED, "organization_usage_limit_exceeded", None, True, True),
    ),
    (
        *(429, error("project_spend_limit_exceeded", QUOTA), {}),
        *(Outcome.QUOTA_EXHAUSTED, "project_spend_limit_exceeded", None, True, False),
    ),
    (429, error("a_limit_of_next_year", QUOTA), {}, Outcome.QUOTA_EXHAUSTED, "a_limit_of_next_year", None, True, True),
    (429, error("rate_limit_exceeded", QUOTA), {}, Outcome.QUOTA_EXHAUSTED, "rate_limit_exceeded", None, True, True),
    (500, error(None, "server_error"), {}, Outcome.PROVIDER_FAULT, "server_error", None, True, True),
    (500, b"oops", {}, Outcome.PROVIDER_FAULT, "http_500", None, False, True),
    (502, b"<html>Bad gateway</html>", {}, Outcome.TIMEOUT_SENT, "http_502", None, False, True),
    (
        *(503, error("server_is_overloaded", "service_unavailable_error"), {"retry_after": "30"}),
        *(Outcome.OVERLOADED, "server_is_overloaded", 30.0, True, True),
    ),
    (
        *(503, error(None, "service_unavailable_error"), {}),
        *(Outcome.OVERLOADED, "service_unavailable_error", None, True, True),
    ),
    (503, error("slow_down"), {}, Outcome.OVERLOADED, "slow_down", None, True, True),
    (503, b"", {}, Outcome.OVERLOADED, "http_503", None, False, True),
    (529, b"", {}, Outcome.OVERLOADED, "http_529", None, False, True),
    (408, b"", {}, Outcome.TIMEOUT_SENT, "timeout", None, False, True),
    (504, b"<html>Gateway time-out</html>", {}, Outcome.TIMEOUT_SENT, "timeout", None, False, True),
    # Perhaps drawn and billed, whatever the type says.
    (504, error(None, "server_error"), {}, Outcome.TIMEOUT_SENT, "timeout", None, False, True),
    (409, b"", {}, Outcome.PROVIDER_FAULT, "http_409", None, False, True),
    (302, b"", {}, Outcome.PROVIDER_FAULT, "http_302", None, False, True),
    # A success status does not make an error a success.
    (200, error(QUOTA, QUOTA), {}, Outcome.QUOTA_EXHAUSTED, QUOTA, None, True, True),
    (200, {"nothing": "here"}, {}, Outcome.UNUSABLE_DELIVERY, "unexpected_answer", None, True, True),
    (
        *(200, b"<html>", {"content_type": "Text/HTML; charset=utf-8"}),
        *(Outcome.UNUSABLE_DELIVERY, "wrong_content_type", None, True, True),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[4]}-{number}" for number, row in enumerate(ROWS)])
@pytest.mark.parametrize("provider", [OPENAI_TTS, OpenAiImage()], ids=lambda provider: provider.name)
def test_every_row(provider, call, reply, row):
    status, body, headers, *expected = row
    answer = reply(status, body, **{"content_type": "application/json", **headers})
    failure = provider.parse_response(answer, call(provider.name))
    assert isinstance(failure, Failure)
    assert failure.status == status
    found = [failure.outcome, failure.code, failure.wait_seconds, failure.certain, failure.spreads]
    assert found == expected


def test_the_message_is_one_line_of_at_most_three_hundred_characters(call, reply):
    answer = reply(400, error("x", INVALID, "first\nsecond " + "long " * 200))
    message = OpenAiImage().parse_response(answer, call("openai-image")).message
    assert message.startswith("first second long")
    assert len(message) == 300


def test_a_body_that_is_not_json_is_quoted(call, reply):
    assert OpenAiImage().parse_response(reply(502, b"Bad\n gateway"), call("openai-image")).message == "Bad gateway"


@pytest.mark.parametrize("code", ["free text with spaces", "x" * 65, "", 429, None, ["a"]])
def test_a_code_is_never_free_text(call, reply, code):
    assert OpenAiImage().parse_response(reply(418, error(code)), call("openai-image")).code == "http_418"
