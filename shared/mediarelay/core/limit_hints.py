"""What a vendor's answers say about its limits: OpenAI's `x-ratelimit-*-requests`, ElevenLabs' concurrency headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from mediarelay.core.lease_limit import Limit
from mediarelay.core.wait_time import duration_seconds

_LIMIT: Final = "x-ratelimit-limit-requests"
_REMAINING: Final = "x-ratelimit-remaining-requests"
_RESET: Final = "x-ratelimit-reset-requests"
_CONCURRENCY: Final = "maximum-concurrent-requests"


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


def _rate(headers: Mapping[str, str]) -> float | None:
    limit, remaining = _whole(headers.get(_LIMIT)), _whole(headers.get(_REMAINING))
    reset = duration_seconds(headers.get(_RESET, ""))
    if limit is None or remaining is None or not reset or not math.isfinite(reset) or reset < 0.0 or remaining >= limit:
        return None
    return (limit - remaining) / reset


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004
