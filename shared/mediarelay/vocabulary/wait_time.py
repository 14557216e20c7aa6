"""How long a vendor asked us to wait: one reading of headers, body and words, in a fixed order of trust.

Header before body before prose, and the precise before the general: `retry-after-ms`, `retry-after`, a body field,
`x-ratelimit-reset-<dimension>`, `x-ratelimit-reset`, and last the sentence meant for people. What is negative, not a
number or unreadable counts as unsaid, and the next source is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

# A longer demand is a slip of units or really a quota: an hour parks the key, and then it is asked again.
MAX_WAIT_SECONDS: Final = 3600.0

_MESSAGE_CHARACTERS: Final = 2000  # the hint stands near the start; the rest may be an echo of the input
_UNIT_SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TERM: Final = re.compile(
    r"(?:\s|,|and\s)*([0-9]+(?:\.[0-9]+)?)\s?"
    r"(milliseconds?|ms|minutes?|mins?|m|seconds?|secs?|s|hours?|hrs?|h|days?|d)(?![a-z])"
)
_HINT: Final = re.compile(r"(?:try again|retry|resets?)\s+(?:in|after)\s+~?")
_RESET: Final = "x-ratelimit-reset-"
_REMAINING: Final = "x-ratelimit-remaining-"


def wait_seconds(
    headers: Mapping[str, str], body: Mapping[str, Any] | None, message: str, *, now: float
) -> float | None:
    """Return how long the vendor asks us to wait.

    Args:
        headers: With lower-case names.
        body: The parsed JSON object, or None.
        message: The human-readable part of the error.
        now: Unix seconds, to turn dates into durations; NaN when unknown, which makes dates unreadable.

    Returns:
        Seconds in [0, MAX_WAIT_SECONDS]; None when nothing usable was said.
    """
    for seconds in _said(headers, body or {}, message, now):
        if seconds is not None and math.isfinite(seconds) and seconds >= 0:
            return min(seconds, MAX_WAIT_SECONDS)
    return None


def http_date_seconds(text: str) -> float | None:
    """Return the unix seconds of an HTTP date; None when it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _said(headers: Mapping[str, str], body: Mapping[str, Any], message: str, now: float) -> Iterator[float | None]:
    milliseconds = _number(headers.get("retry-after-ms"))
    yield None if milliseconds is None else milliseconds / 1000
    yield _retry_after(headers.get("retry-after"), now)
    yield _number(body.get("retry_after"))
    yield _retry_delay(body)
    yield _dimension_reset(headers)
    reset_at = _number(headers.get("x-ratelimit-reset"))
    yield None if reset_at is None else reset_at - now
    yield _hint(message)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _retry_after(value: str | None, now: float) -> float | None:
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    moment = http_date_seconds(value)
    return None if moment is None else moment - now


def _retry_delay(body: Mapping[str, Any]) -> float | None:
    """Gemini's `error.details[].retryDelay`, such as "34s"."""
    error = body.get("error")
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str):
            return duration_seconds(delay)
    return None


def _dimension_reset(headers: Mapping[str, str]) -> float | None:
    """Return the longest reset among the dimensions that may be the exhausted one.

    A dimension that still has something left did not cause the refusal, and these headers accompany every answer: its
    reset says when it will be full again, which is minutes too late.
    """
    resets = [
        duration_seconds(value)
        for name, value in headers.items()
        if name.startswith(_RESET) and not _has_remaining(headers, name.removeprefix(_RESET))
    ]
    return max((seconds for seconds in resets if seconds is not None), default=None)


def _has_remaining(headers: Mapping[str, str], dimension: str) -> bool:
    remaining = _number(headers.get(_REMAINING + dimension))
    return remaining is not None and remaining > 0


def _hint(message: str) -> float | None:
    text = message[:_MESSAGE_CHARACTERS].lower()
    for found in _HINT.finditer(text):
        seconds, _ = _terms(text, found.end())
        if seconds is not None:
            return seconds
    return None


def duration_seconds(text: str) -> float | None:
    """Return the seconds of "6m0s", "240ms" or a bare number; None when it is neither."""
    lowered = text.strip().lower()
    seconds, end = _terms(lowered, 0)
    return seconds if end == len(lowered) else _number(text)


def _terms(text: str, start: int) -> tuple[float | None, int]:
    """Return the sum of the terms of a duration such as "1m30s" from *start* on, and where it ends."""
    total: float | None = None
    while term := _TERM.match(text, start):
        unit = term[2]
        total = (total or 0.0) + float(term[1]) * _UNIT_SECONDS["ms" if unit.startswith(("ms", "mil")) else unit[0]]
        start = term.end()
    return total, start
