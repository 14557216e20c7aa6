"""What every vendor's answer says apart from its errors: the media, its limits, and how long to wait.

- Media: how much may come, whether the body of a speech answer is the speech, and pictures within JSON.
- Limits: OpenAI's `x-ratelimit-*-requests`, ElevenLabs' concurrency headers. What a refusal says in its body is read by
  the vendor's own module, and becomes a limit here: `stated_limit`.
- Waits, in a fixed order of trust. Header before body before prose, and the precise before the general:
  `retry-after-ms`, `retry-after`, a body field, `x-ratelimit-reset-<dimension>`, `x-ratelimit-reset`, and last the
  sentence meant for people.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeGuard

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import InlineMedia, ProviderCall, RemoteMedia
from mediarelay.providers.json_reading import decoded, text
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.limit import Limit

# A longer demand is a slip of units or really a quota: an hour parks the key, and then it is asked again.
MAX_WAIT_SECONDS: Final = 3600.0

_MESSAGE_CHARACTERS: Final = 2000  # the hint stands near the start; the rest may be an echo of the input
_UNIT_SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# Both are compiled by `re` with the first text that is searched, and kept.
_TERM: Final = (
    r"(?:\s|,|and\s)*([0-9]+(?:\.[0-9]+)?)\s?"
    r"(milliseconds?|ms|minutes?|mins?|m|seconds?|secs?|s|hours?|hrs?|h|days?|d)(?![a-z])"
)
_HINT: Final = r"(?:try again|retry|resets?|wait)\s+(?:(?:in|after|for|at least|about)\s+)*~?"
# OpenAI's, whose words begin as those of every dimension do.
_LIMIT_REQUESTS: Final = "x-ratelimit-limit-requests"
_REMAINING_REQUESTS: Final = "x-ratelimit-remaining-requests"
_RESET_REQUESTS: Final = "x-ratelimit-reset-requests"
# ElevenLabs'.
_CONCURRENCY: Final = "maximum-concurrent-requests"
# Nobody allows more, so it is a slip; and what is less than one call is none.
_MOST_CALLS: Final = 1_000_000
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
    for found in re.finditer(_HINT, text):
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
    pattern = re.compile(_TERM)
    while term := pattern.match(text, start):
        unit = term[2]
        total = (total or 0.0) + float(term[1]) * _UNIT_SECONDS["ms" if unit.startswith(("ms", "mil")) else unit[0]]
        start = term.end()
    return total, start


# A picture is not larger than its pixels uncompressed, and what may lie beside them: thumbnails, provenance.
_PIXEL_BYTES: Final = 4
_BESIDE_PIXELS: Final = 512 * 1024
_SOME_PIXELS: Final = 2048 * 2048  # where neither the request nor the model says
_SLOW_BYTES_PER_SECOND: Final = 10
_FULL: Final = 48_000  # bytes a second of 16-bit samples at 24 kHz
_LEAN: Final = 24_000
_LEAN_FORMATS: Final = ("mp3", "opus", "aac")
_BESIDE_SOUND: Final = 128 * 1024
_DOCUMENTS: Final = ("json", "html", "xml", "javascript")
_OTHER_FAMILIES: Final = ("text/", "image/", "multipart/")
_REMOTE: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_INLINE: Final = re.compile(r"data:", re.IGNORECASE)


def content_type(headers: Mapping[str, str]) -> str:
    """Return the media type without parameters, in lower case; empty when none is given."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_speech(status: int, headers: Mapping[str, str]) -> bool:
    """Whether to stream the body as audio.

    Only what is plainly something else is refused: a missing type, `application/octet-stream` and odd names all come
    with audio that has been paid for, and the bytes are verified against the format later anyway.
    """
    kind = content_type(headers)
    other = kind.startswith(_OTHER_FAMILIES) or any(word in kind for word in _DOCUMENTS)
    return status == 200 and not other  # noqa: PLR2004 - OK


def answer_bytes(call: ProviderCall) -> int:
    """Returns how much media the answer to a call may bring, before it is bought: rather too much than too little."""
    asked: Any = call.input
    if asked.kind is Kind.IMAGE:
        width, _, height = asked.size.partition("x")
        pixels = int(width) * int(height) if height else call.model.limits.get("most_pixels", _SOME_PIXELS)
        return int(asked.n * (pixels * _PIXEL_BYTES + _BESIDE_PIXELS))
    # A second of speech is some fifteen letters; in scripts that take three bytes for each, some five.
    seconds = len(asked.text.encode()) / _SLOW_BYTES_PER_SECOND / asked.speed
    per_second = _LEAN if asked.format in _LEAN_FORMATS else max(2 * (asked.sample_rate or 0), _FULL)
    return int(_BESIDE_SOUND + seconds * (per_second if call.source_format is None else per_second + _FULL))


def media_in(entry: Mapping[str, Any], reply: HttpReply) -> InlineMedia | RemoteMedia | None:
    """Returns where one output of an answer is, by its `b64_json` or its `url`; None when neither leads to any."""
    url = text(entry.get("url"))
    data = decoded(entry.get("b64_json"), reply.files) or (decoded(url, reply.files) if _INLINE.match(url) else b"")
    if data:
        return InlineMedia(data)
    return RemoteMedia(url) if _REMOTE.fullmatch(url) else None


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
    limit, remaining = _whole(headers.get(_LIMIT_REQUESTS)), _whole(headers.get(_REMAINING_REQUESTS))
    reset = duration_seconds(headers.get(_RESET_REQUESTS, ""))
    if limit is None or remaining is None or not reset or not math.isfinite(reset) or reset < 0.0 or remaining >= limit:
        return None
    return (limit - remaining) / reset


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - far from any limit
