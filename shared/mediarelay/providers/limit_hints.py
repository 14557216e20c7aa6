"""What a vendor's answers say about its limits: OpenAI's `x-ratelimit-*-requests`, ElevenLabs' concurrency headers.

What a refusal says in its body is read by the vendor's own module, and becomes a limit here: `stated_limit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeGuard

from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.wait_time import duration_seconds

_LIMIT: Final = "x-ratelimit-limit-requests"
_REMAINING: Final = "x-ratelimit-remaining-requests"
_RESET: Final = "x-ratelimit-reset-requests"
_CONCURRENCY: Final = "maximum-concurrent-requests"
# Nobody allows more, so it is a slip; and what is less than one call is none.
_MOST_CALLS: Final = 1_000_000


def limit_hint(headers: Mapping[str, str]) -> Limit | None:
    """The limit that an answer's headers (lower-case names) tell of; None when they tell of none.

    `reset` is the time until the bucket is full again, so what is missing over that time is the rate. A bucket is
    filled evenly, so a second's worth of it is a burst that is safe whatever its size.
    """
    slots = _whole(headers.get(_CONCURRENCY))
    rate = _rate(headers)
    if rate is None:
        return Limit(math.inf, slots=slots) if slots else None
    return Limit(rate, max(1, math.floor(rate)), slots or None)


def stated_limit(calls: float | None, per_seconds: float, burst: float | None = None) -> Limit | None:
    """So many calls in so many seconds, as a vendor's own words or fields say; None when these make no limit.

    A burst that is not stated is a second's worth, which is safe whatever the vendor's bucket holds.
    """
    if not _is_count(calls) or (burst is not None and not _is_count(burst)):
        return None
    rate = calls / per_seconds
    return Limit(rate, max(1, math.floor(rate)) if burst is None else int(burst))


def _is_count(value: float | None) -> TypeGuard[float]:
    return value is not None and 1.0 <= value <= _MOST_CALLS and value == math.floor(value)


def _rate(headers: Mapping[str, str]) -> float | None:
    limit, remaining = _whole(headers.get(_LIMIT)), _whole(headers.get(_REMAINING))
    reset = duration_seconds(headers.get(_RESET, ""))
    if limit is None or remaining is None or not reset or not math.isfinite(reset) or reset < 0.0 or remaining >= limit:
        return None
    return (limit - remaining) / reset


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004
