"""How long a vendor asked us to wait: one reading of headers, body and words, in a fixed order of trust.

Header before body before prose, and the precise before the general: `retry-after-ms`, `retry-after`, a body field,
`x-ratelimit-reset-<dimension>`, `x-ratelimit-reset`, and last the sentence meant for people. What is negative, not a
number or unreadable counts as unsaid, and the next source is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
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
_HINT: Final = re.compile(r"(?:try again|retry|resets?|wait)\s+(?:(?:in|after|for|at least|about)\s+)*~?")
_RESET: Final = "x-ratelimit-reset-"
_RESETS: Final = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")
# So large a number is no duration but a moment: seconds since 1970, or milliseconds.
_UNIX_TIME: Final = 1e9
_UNIX_MILLISECONDS: Final = 1e11
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
    yield _longest(headers.get("retry-after"), now)
    for level in (body, body.get("error"), body.get("detail"), body.get("parameters")):
        yield _number(level.get("retry_after")) if isinstance(level, Mapping) else None
    yield _retry_delay(body)
    yield _dimension_reset(headers)
    for name in _RESETS:
        yield _longest(headers.get(name), now)
    yield _hint(message)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _longest(value: str | None, now: float) -> float | None:
    """Seconds of a header in any form that is in use; of a list, which two servers may have made, the longest."""
    if value is None:
        return None
    whole = _moment_or_duration(value, now)
    if whole is not None:
        return whole
    found = [_moment_or_duration(part, now) for part in value.split(",")]
    usable = [seconds for seconds in found if seconds is not None and math.isfinite(seconds) and seconds >= 0]
    return max(usable, default=None)


def _moment_or_duration(value: str, now: float) -> float | None:
    """Seconds of "30", "1m30s", a date, or of a moment in unix time, in seconds or in milliseconds."""
    seconds = duration_seconds(value)
    if seconds is not None:
        return seconds if seconds < _UNIX_TIME else (seconds if seconds < _UNIX_MILLISECONDS else seconds / 1000) - now
    moment = http_date_seconds(value)
    return _iso_seconds(value, now) if moment is None else moment - now


def _iso_seconds(value: str, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now


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
