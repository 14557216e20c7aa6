from __future__ import annotations

import math

import pytest

from mediarelay.core.lease_limit import Limit
from mediarelay.core.limit_hints import limit_hint

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
