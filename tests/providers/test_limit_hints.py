from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.providers.answers import limit_hint, stated_limit
from mediarelay.vocabulary.limit import Limit

REQUESTS = "x-ratelimit-{}-requests"


def headers(limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {
        REQUESTS.format("limit"): limit,
        REQUESTS.format("remaining"): remaining,
        REQUESTS.format("reset"): reset,
    }


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "rate", "burst"),
    [
        ("500", "499", "120ms", 8.33, 8),
        ("500", "450", "6s", 8.33, 8),
        ("60", "59", "1s", 1.0, 1),
        ("3", "2", "20s", 0.05, 1),
    ],
)
def test_what_is_missing_over_the_time_until_it_is_full_is_the_rate(
    limit: str, remaining: str, reset: str, rate: float, burst: int
) -> None:
    hint = limit_hint(headers(limit, remaining, reset))
    assert hint is not None
    assert (round(hint.rate, 2), hint.burst, hint.slots) == (rate, burst, None)


@pytest.mark.parametrize(
    "given",
    [
        {},
        headers("500", "500", "0s"),
        headers("500", "500", "1s"),
        headers("500", "499", "0s"),
        headers("500", "499", "soon"),
        headers("x", "499", "1s"),
        headers("500", "-1", "1s"),
        {"maximum-concurrent-requests": "0"},
        {"maximum-concurrent-requests": "many"},
    ],
)
def test_what_tells_nothing_is_no_limit(given: dict[str, str]) -> None:
    assert limit_hint(given) is None


def test_concurrency_is_a_limit_of_its_own() -> None:
    assert limit_hint({"maximum-concurrent-requests": "5"}) == Limit(math.inf, slots=5)


@pytest.mark.parametrize(
    ("calls", "seconds", "burst", "limit"),
    [
        (6, 60.0, 1, Limit(0.1, 1)),
        (600, 60.0, None, Limit(10.0, 10)),
        (10.0, 60.0, None, Limit(10 / 60, 1)),
        (1, 1.0, 5, Limit(1.0, 5)),
    ],
)
def test_a_limit_that_is_stated(calls: float, seconds: float, burst: float | None, limit: Limit) -> None:
    assert stated_limit(calls, seconds, burst) == limit


@pytest.mark.parametrize("calls", [None, 0, -1, 0.5, 6.5, 1_000_001, math.inf, math.nan])
def test_what_is_no_number_of_calls_states_no_limit(calls: float | None) -> None:
    assert stated_limit(calls, 60.0) is None
    assert calls is None or stated_limit(6, 60.0, calls) is None


@given(calls=st.none() | st.floats() | st.integers(), burst=st.none() | st.floats() | st.integers())
def test_whatever_is_stated_it_is_a_limit_that_lets_a_call_through_in_a_minute_or_none(
    calls: float | None, burst: float | None
) -> None:
    limit = stated_limit(calls, 60.0, burst)
    assert limit is None or (1 / 60 <= limit.rate < 20_000 and 1 <= limit.burst <= 1_000_000)
