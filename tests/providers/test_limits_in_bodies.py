"""What a refusal says of the limit in its body, and what is not believed."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.http.messages import HttpReply
from mediarelay.providers.registry import JOB_PROVIDERS, PROVIDERS
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome

GEMINI, REPLICATE = PROVIDERS["gemini-tts"], JOB_PROVIDERS["replicate-video"]
REDUCED = (
    "Request was throttled. Your rate limit for creating predictions is reduced to {} with a burst of {} requests "
    "while you have less than $5.0 in credit. Your rate limit resets in ~9s."
)
SIX = REDUCED.format("6 requests per minute", 1)
MINUTE, DAY = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "GenerateRequestsPerDayPerProjectPerModel"
TOKENS = "GenerateContentInputTokensPerModelPerMinute-FreeTier"
FRIDAY = "Fri, 27 Nov 2026 00:30:00 GMT"  # half past four in the afternoon in California


def replicate(call, body, status=429):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = REPLICATE.parse_submit(HttpReply(status, {}, raw), call("replicate-video"))
    assert isinstance(answer, Failure)
    return answer


def gemini(call, body, status=429, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = GEMINI.parse_response(HttpReply(status, headers, raw), call("gemini-tts", format="wav"))
    assert isinstance(answer, Failure)
    return answer


def problem(detail, **more):
    return {"title": "Too Many Requests", "detail": detail, "status": 429, **more}


def exhausted(*violations):
    failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": list(violations)}
    return {"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED", "details": [failure]}}


def quota(name, value=None):
    return {"quotaId": name} if value is None else {"quotaId": name, "quotaValue": value}


# --- Replicate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detail", "limit"),
    [
        (SIX, Limit(0.1, 1)),
        (REDUCED.format("60 requests per minute", 10), Limit(1.0, 10)),
        ("Throttled: your limit is REDUCED TO 1 request per second while ...", Limit(1.0, 1)),
        ("Request was throttled. Your rate limit resets in ~9s.", None),
        ("Throttled. " + REDUCED.format("0 requests per minute", 1), None),
        ("Throttled. " + REDUCED.format("6 requests per minute", 0), None),
        ("Throttled. " + REDUCED.format("-6 requests per minute", 1), None),
        ("Throttled. " + REDUCED.format("6.5 requests per minute", 1), None),
        ("Throttled. " + REDUCED.format("99999999 requests per minute", 1), None),
        ("Throttled. " + REDUCED.format("6 requests per fortnight", 1), None),
        # A burst that cannot be read leaves the rate, at the burst that is always safe.
        ("Throttled. " + REDUCED.format("6 requests per minute", "9" * 40), Limit(0.1, 1)),
        ("throttled" + " " * 3000 + SIX, None),
    ],
)
def test_replicate_says_it_in_words(call, detail, limit):
    failure = replicate(call, problem(detail))
    assert (failure.outcome, failure.limit) == (Outcome.THROTTLED, limit)


def test_replicates_wait_is_taken_all_the_same(call):
    assert replicate(call, problem(SIX)).wait_seconds == 9.0
    assert replicate(call, problem(SIX, retry_after=7)).wait_seconds == 7.0


@pytest.mark.parametrize(("status", "body"), [(402, problem(SIX)), (503, problem(SIX)), (429, [SIX]), (429, b"\xff")])
def test_only_a_refusal_for_the_rate_tells_of_one(call, status, body):
    assert replicate(call, body, status).limit is None


@given(calls=st.integers(1, 1_000_000), burst=st.integers(1, 1_000_000))
def test_every_limit_that_replicate_can_name_is_read(call, calls, burst):
    detail = REDUCED.format(f"{calls} requests per minute", burst)
    assert replicate(call, problem(detail)).limit == Limit(calls / 60, burst)


# --- Gemini -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("violations", "limit"),
    [
        ([quota(MINUTE, "3")], Limit(0.05, 1)),
        ([quota(MINUTE, 10)], Limit(10 / 60, 1)),
        ([quota(MINUTE, "1000")], Limit(1000 / 60, 16)),
        ([quota(MINUTE, "300"), quota(MINUTE, "60")], Limit(1.0, 1)),
        ([quota(MINUTE)], None),
        ([quota(TOKENS, "10000")], None),
        ([quota(TOKENS, "10"), quota(MINUTE, "60")], Limit(1.0, 1)),
        ([quota(MINUTE, value) for value in ("0", "-1", "many", "1e400", "NaN", "2.5", True, [3], {}, 10**12)], None),
        ([None, 7, "x", {}, {"quotaId": 3, "quotaValue": "3"}], None),
    ],
)
def test_gemini_names_the_quota(call, violations, limit):
    failure = gemini(call, exhausted(*violations))
    assert (failure.outcome, failure.limit) == (Outcome.THROTTLED, limit)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"status": "RESOURCE_EXHAUSTED", "details": {"violations": [quota(MINUTE, "3")]}}},
        {
            "error": {
                "status": "RESOURCE_EXHAUSTED",
                "details": [{"violations": {"quotaId": MINUTE, "quotaValue": "3"}}],
            }
        },
        {"error": [exhausted(quota(MINUTE, "3"))]},
        b"{" * 5000,
    ],
)
def test_gemini_garbled_tells_nothing(call, body):
    assert gemini(call, body).limit is None


def test_a_quota_of_the_day_is_over_until_midnight_in_california(call):
    failure = gemini(call, exhausted(quota(MINUTE, "3"), quota(DAY, "100")), date=FRIDAY)
    assert (failure.outcome, failure.limit) == (Outcome.QUOTA_EXHAUSTED, None)
    assert failure.wait_seconds == 7.5 * 3600


@pytest.mark.parametrize("headers", [{}, {"date": "soon"}, {"date": "Fri, 99 Nov 2026 00:30:00 GMT"}])
def test_without_the_vendors_clock_it_is_over_for_the_usual_time(call, headers):
    failure = gemini(call, exhausted(quota(DAY)), **headers)
    assert (failure.outcome, failure.wait_seconds) == (Outcome.QUOTA_EXHAUSTED, None)


WORDS = st.text(max_size=12) | st.sampled_from([MINUTE, DAY, TOKENS, SIX, "RESOURCE_EXHAUSTED", "3", "1e400"])
FIELDS = st.sampled_from(["error", "status", "details", "violations", "quotaId", "quotaValue", "detail", "title"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=10,
)
VIOLATIONS = st.lists(st.fixed_dictionaries({"quotaId": WORDS | JSON, "quotaValue": WORDS | JSON}), max_size=4)
BODIES = JSON | VIOLATIONS.map(lambda found: exhausted(*found)) | WORDS.map(problem)


@given(body=BODIES | st.binary(max_size=100), date=st.text(max_size=20) | st.just(FRIDAY))
def test_whatever_a_refusal_says_its_limit_can_be_kept_and_its_wait_ends(call, body, date):
    for failure in (gemini(call, body, date=date), replicate(call, body)):
        assert failure.wait_seconds is None or 0 <= failure.wait_seconds <= 25 * 3600
        if failure.limit is not None:
            assert failure.outcome is Outcome.THROTTLED
            assert 1 / 60 <= failure.limit.rate < math.inf
            assert failure.limit.burst >= 1
