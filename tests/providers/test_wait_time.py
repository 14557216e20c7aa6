"""The order in which a vendor's wait hints are believed, and what is not believed at all."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediarelay.providers.answers import MAX_WAIT_SECONDS, http_date_seconds, wait_seconds

NOW = 1_790_000_000.0  # Mon, 21 Sep 2026 14:13:20 GMT
IN_TEN_SECONDS = "Mon, 21 Sep 2026 14:13:30 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, id="milliseconds before seconds"),
        pytest.param({"retry-after": "12"}, 12.0, id="whole seconds"),
        pytest.param({"retry-after": "0.25"}, 0.25, id="fraction"),
        pytest.param({"retry-after": "0"}, 0.0, id="zero is an answer"),
        pytest.param({"retry-after": IN_TEN_SECONDS}, 10.0, id="http date"),
        pytest.param({"retry-after": "Mon, 21 Sep 2026 14:13:10 GMT"}, None, id="date gone by"),
        pytest.param({"retry-after": "86400"}, MAX_WAIT_SECONDS, id="a day is clamped"),
        pytest.param({"retry-after": "-1"}, None, id="negative"),
        pytest.param({"retry-after": "nan"}, None, id="not a number"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "soon"}, None, id="garbage"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "7"}, 7.0, id="garbage gives way to the next"),
        pytest.param({"x-ratelimit-reset-requests": "6m0s"}, 360.0, id="minutes and seconds"),
        pytest.param({"x-ratelimit-reset-requests": "240ms"}, 0.24, id="reset in milliseconds"),
        pytest.param({"x-ratelimit-reset-requests": "1h2m3.5s"}, MAX_WAIT_SECONDS, id="more than an hour"),
        pytest.param({"x-ratelimit-reset-tokens": "17"}, 17.0, id="reset without a unit"),
        pytest.param({"x-ratelimit-reset-tokens": "6m0s!"}, None, id="reset with a tail"),
        pytest.param({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360.0, id="longest"),
        pytest.param(
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "41000",
            },
            1.0,
            id="the spent dimension alone",
        ),
        pytest.param(
            {"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "41000"}, None, id="nothing is spent"
        ),
        pytest.param({"x-ratelimit-reset": str(NOW + 30)}, 30.0, id="unix time"),
        pytest.param({"x-ratelimit-reset": str(NOW - 30)}, None, id="unix time gone by"),
        pytest.param({"x-ratelimit-reset": str((NOW + 30) * 1000)}, 30.0, id="unix time in milliseconds"),
        pytest.param({"x-ratelimit-reset": "45"}, 45.0, id="reset in seconds from now"),
        pytest.param({"x-ratelimit-reset": "1m30s"}, 90.0, id="reset as a duration"),
        pytest.param({"x-ratelimit-reset": "2026-09-21T14:13:35Z"}, 15.0, id="reset as a timestamp"),
        pytest.param({"ratelimit-reset": "50"}, 50.0, id="the standard's own name"),
        pytest.param({"retry-after": str(int(NOW) + 20)}, 20.0, id="a moment instead of seconds"),
        pytest.param({"retry-after": str(int(NOW) * 1000 + 2500)}, 2.5, id="a moment in milliseconds"),
        pytest.param({"retry-after": "30s"}, 30.0, id="with a unit"),
        pytest.param({"retry-after": "1m30s"}, 90.0, id="with units"),
        pytest.param({"retry-after": "30, 45"}, 45.0, id="a list"),
        pytest.param({"retry-after": str(int(NOW) - 20)}, None, id="a moment gone by"),
        pytest.param({}, None, id="nothing said"),
    ],
)
def test_headers(headers, expected):
    assert wait_seconds(headers, None, "", now=NOW) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"retry_after": 9}, 9.0),
        ({"retry_after": "9.5"}, 9.5),
        ({"retry_after": True}, None),
        ({"retry_after": None}, None),
        ({"retry_after": [9]}, None),
        ({"retry_after": 10**400}, None),
        ({"error": {"details": [{"@type": "QuotaFailure"}, {"@type": "RetryInfo", "retryDelay": "34s"}]}}, 34.0),
        ({"error": {"details": {"retryDelay": "34s"}}}, None),
        ({"error": "retryDelay"}, None),
    ],
)
def test_body_fields(body, expected):
    assert wait_seconds({}, body, "", now=NOW) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Rate limit reached. Please try again in 12s.", 12.0),
        ("Please try again in 240ms. Visit the site", 0.24),
        ("Please try again in 1m30s", 90.0),
        ("Please try again in 1.5s", 1.5),
        ("Please try again in 20 seconds", 20.0),
        ("try again in 2 minutes and 5 seconds", 125.0),
        ("Request was throttled. Your rate limit resets in ~9s.", 9.0),
        ("Please retry in 34.07s.", 34.07),
        ("Please try again in 3 days", MAX_WAIT_SECONDS),
        ("Please try again in 5 mornings", None),
        ("Please try again later", None),
        ("It took 12s", None),
        ("", None),
    ],
)
def test_words(message, expected):
    assert wait_seconds({}, None, message, now=NOW) == pytest.approx(expected)


def test_headers_come_before_the_body_and_the_body_before_resets_and_words():
    headers = {"retry-after": "1", "x-ratelimit-reset-requests": "3s"}
    body = {"retry_after": 2}
    assert wait_seconds(headers, body, "try again in 4s", now=NOW) == 1.0
    headers.pop("retry-after")
    assert wait_seconds(headers, body, "try again in 4s", now=NOW) == 2.0
    assert wait_seconds(headers, None, "try again in 4s", now=NOW) == 3.0
    assert wait_seconds({}, None, "try again in 4s", now=NOW) == 4.0


def test_a_date_is_unreadable_without_a_clock_and_the_words_are_asked_instead():
    assert wait_seconds({"retry-after": IN_TEN_SECONDS}, None, "try again in 4s", now=math.nan) == 4.0


def test_a_date_is_read_in_utc():
    assert http_date_seconds("Mon, 21 Sep 2026 14:13:20 GMT") == NOW
    assert http_date_seconds("Mon, 21 Sep 2026 14:13:20 -0000") == NOW
    assert http_date_seconds("yesterday") is None


# How long an example takes says how busy the machine is, nothing about the code.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NUMBERS = st.integers(0, 10**6).map(str) | st.floats().map(str)
UNITS = st.sampled_from(["", "ms", "s", "m", "h", "d", " seconds", "x"])
DATES = st.builds(
    "{}, {} Sep {} {}:13:20 {}".format,
    st.sampled_from(["Mon", "Moon"]),
    st.integers(-1, 99),
    st.integers(-1, 10**6),
    st.integers(-1, 99),
    st.sampled_from(["GMT", "-0000", "+9999", "+999999", ""]),
)
HINTS = st.text(max_size=20) | NUMBERS | st.builds("{}{}".format, NUMBERS, UNITS) | DATES
NAMES = st.sampled_from(
    [
        *("retry-after-ms", "retry-after", "x-ratelimit-reset"),
        *("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-tokens"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["retry_after", "error", "details", "retryDelay"]), inner, max_size=4)
    ),
    max_leaves=4,
)


@UNTIMED
@given(
    headers=st.dictionaries(NAMES, HINTS),
    body=st.none() | st.dictionaries(st.sampled_from(["retry_after", "error"]), JSON),
    message=st.builds("{}{}".format, st.sampled_from(["", "try again in ", "resets in ~"]), HINTS),
    now=st.floats(),
)
def test_whatever_is_said_the_wait_is_bounded_or_none(headers, body, message, now):
    seconds = wait_seconds(headers, body, message, now=now)
    assert seconds is None or 0 <= seconds <= 3600.0
