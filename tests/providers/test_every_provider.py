"""What holds for every provider: nothing a vendor answers can make it raise, and no secret reaches a request."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import MAX_WAIT_SECONDS
from mediarelay.providers.api import Accepted, Delivery, FollowedProvider
from mediarelay.providers.credentials import ON, ROLE_VARIABLES, ApiKeys
from mediarelay.providers.error_table import fallback
from mediarelay.providers.registry import PROVIDERS, VENDORS
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome

SECRET = "obviously-fake-secret"
ROLE_ID = "obviously-fake-id"
LONGEST_DAY_SECONDS = 25 * 3600.0
EVERY_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)

# How long an example takes says how busy the machine is, nothing about the code.
UNTIMED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

FIELDS = st.sampled_from(
    [
        *("error", "detail", "code", "type", "message", "status", "msg", "error_type", "retry_after"),
        *("data", "b64_json", "usage", "input_tokens", "output_tokens", "images", "url", "width", "height"),
        *("has_nsfw_concepts", "details", "retryDelay", "reason", "violations", "quotaId", "quotaValue"),
        *("candidates", "content", "parts", "inlineData", "mimeType", "finishReason", "usageMetadata"),
    ]
)
WORDS = st.text(max_size=20) | st.sampled_from(
    [
        *("slow_down", "insufficient_quota", "quota_exceeded", "not_found", "https://media.example/1"),
        *("aGk=", "\ud800", "audio/L16", "RESOURCE_EXHAUSTED", "RequestsPerDay", "RequestsPerMinute"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=8,
)
BODIES = st.none() | st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("content-type", "retry-after", "retry-after-ms", "x-ratelimit-reset", "date", "character-cost"),
            *("x-ratelimit-reset-tokens", "x-fal-error-type", "x-fal-retryable", "x-request-id"),
        ]
    ),
    st.text(max_size=30) | st.sampled_from(["application/json", "text/html", "audio/mpeg", "inf", "1e400", "12"]),
)


@EVERY_PROVIDER
@UNTIMED
@given(status=st.integers(100, 599), body=BODIES, headers=HEADERS)
def test_no_answer_makes_it_raise(provider, call, status, body, headers):
    result = provider.parse_response(HttpReply(status, headers, body), call(provider.name))
    if isinstance(result, Accepted):
        assert isinstance(provider, FollowedProvider)
        assert 200 <= status < 300
        assert result.task
        return
    if isinstance(result, Delivery):
        assert 200 <= status < 300
        assert result.media
        assert math.isfinite(result.cost_usd)
        assert result.cost_usd >= 0
        return
    assert isinstance(result, Failure)
    assert result.outcome.follow is not Follow.SETTLE
    assert result.status == status
    assert 1 <= len(result.code) <= 64
    assert len(result.message) <= 300
    result.message.encode()
    # A quota may return tomorrow; everything else is asked again within the hour.
    longest = LONGEST_DAY_SECONDS if result.outcome is Outcome.QUOTA_EXHAUSTED else MAX_WAIT_SECONDS
    assert result.wait_seconds is None or 0 <= result.wait_seconds <= longest


def credential(provider):
    """A key, or what stands for the function's role."""
    source = VENDORS[provider.vendor].credentials
    if isinstance(source, ApiKeys):
        return SECRET
    role = dict(zip(ROLE_VARIABLES, (ROLE_ID, SECRET, "fake-token"), strict=True))
    return source.credential({**role, source.allowed_by: ON})


@EVERY_PROVIDER
def test_no_secret_is_in_a_request_nor_in_a_representation(provider, call, reply):
    asked = call(provider.name)
    request = provider.build_request(asked).at("https://vendor.example")
    signed = provider.sign(request, credential(provider), now=0.0)
    carried = SECRET if isinstance(VENDORS[provider.vendor].credentials, ApiKeys) else ROLE_ID
    assert any(carried in value for value in signed.headers.values())
    assert signed == dataclasses.replace(request, headers=signed.headers)
    answers = [provider.parse_response(reply(status, b"{}"), asked) for status in (200, 401, 429, 500)]
    shown = [provider, vars(provider), asked, request, signed, dataclasses.asdict(request), answers]
    assert SECRET not in repr(shown)
    assert not {name.lower() for name in request.headers} & {"authorization", "xi-api-key", "x-goog-api-key"}


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("openai-tts", "authorization", f"Bearer {SECRET}"),
        ("openai-image", "authorization", f"Bearer {SECRET}"),
        ("elevenlabs-tts", "xi-api-key", SECRET),
        ("gemini-tts", "x-goog-api-key", SECRET),
        ("fal-flux", "authorization", f"Key {SECRET}"),
    ],
)
def test_the_credential_is_one_header(name, header, value):
    assert PROVIDERS[name].sign(HttpRequest("GET", "/", {}), SECRET, now=0.0).headers == {header: value}


@EVERY_PROVIDER
def test_building_a_request_changes_neither_the_call_nor_the_next_request(provider, call):
    options = {"extra": {"deep": [1]}, "voice_settings": {"stability": 0.4}}
    asked = call(provider.name, options=options)
    assert provider.build_request(asked) == provider.build_request(asked)
    assert options == {"extra": {"deep": [1]}, "voice_settings": {"stability": 0.4}}


@EVERY_PROVIDER
def test_a_path_starts_with_a_slash(provider, call):
    assert provider.build_request(call(provider.name)).path.startswith("/")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, Outcome.KEY_REJECTED),
        (402, Outcome.QUOTA_EXHAUSTED),
        (403, Outcome.PERMISSION_DENIED),
        (408, Outcome.TIMEOUT_SENT),
        (409, Outcome.PROVIDER_FAULT),
        (425, Outcome.PROVIDER_FAULT),
        (429, Outcome.THROTTLED),
        (404, Outcome.INVALID_REQUEST),
        (499, Outcome.INVALID_REQUEST),
        (500, Outcome.PROVIDER_FAULT),
        (503, Outcome.OVERLOADED),
        (504, Outcome.TIMEOUT_SENT),
        (529, Outcome.OVERLOADED),
        (200, Outcome.UNUSABLE_DELIVERY),
        (302, Outcome.PROVIDER_FAULT),
    ],
)
def test_an_unknown_answer_is_read_by_its_status(status, outcome):
    assert fallback(status) is outcome
