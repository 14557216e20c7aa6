"""Gemini's error table. Envelope: `{"error": {"code", "message", "status", "details": [{"@type", "reason"?, …}]}}`.

A prompt or an answer that was blocked is a 200 without speech: its reason is read as the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.gemini.pacific import until_midnight
from mediarelay.providers.json_reading import count, items, json_object, mapping, text
from mediarelay.providers.limit_hints import stated_limit
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.wait_time import http_date_seconds

# Our name for a refusal by a quota of the day.
PER_DAY: Final = "per_day"

_BLOCKED: Final = (
    *("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "OTHER", "RECITATION", "SPII"),
    *("ESCALATION", "MODEL_ARMOR", "JAILBREAK"),
)

GEMINI_ERRORS: Final = (
    # A bad key comes as a 400, a missing or foreign credential as a 401.
    Row(Outcome.KEY_REJECTED, codes=("API_KEY_INVALID", "CONSUMER_SUSPENDED", "UNAUTHENTICATED")),
    Row(Outcome.KEY_REJECTED, codes=("PERMISSION_DENIED",), says="reported as leaked"),
    Row(Outcome.PERMISSION_DENIED, codes=("PERMISSION_DENIED", "FAILED_PRECONDITION")),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("RESOURCE_EXHAUSTED",), types=(PER_DAY,)),
    Row(Outcome.THROTTLED, codes=("RESOURCE_EXHAUSTED",)),
    # The path is the model, so whatever is not found is the model.
    Row(Outcome.MODEL_GONE, codes=("NOT_FOUND",)),
    Row(Outcome.INVALID_REQUEST, codes=("INVALID_ARGUMENT", "OUT_OF_RANGE")),
    Row(Outcome.OVERLOADED, codes=("UNAVAILABLE",)),
    Row(Outcome.TIMEOUT_SENT, codes=("DEADLINE_EXCEEDED",)),
    Row(Outcome.PROVIDER_FAULT, codes=("INTERNAL", "UNKNOWN")),
    Row(Outcome.CONTENT_REJECTED, codes=_BLOCKED, statuses=(200,)),
    Row(Outcome.INVALID_REQUEST, codes=("LANGUAGE",), statuses=(200,)),
    Row(Outcome.PERMISSION_DENIED, codes=("PUP_LIMITED_DISABLED",), statuses=(200,)),
    # Speech that breaks off is not what was asked for; another provider may take a text as long as this.
    Row(Outcome.PROVIDER_FAULT, codes=("MAX_TOKENS",), statuses=(200,)),
)


def gemini_failure(reply: HttpReply) -> Failure:
    """What an answer without speech means. A quota of the day returns at midnight in California."""
    signals = gemini_signals(reply)
    failure = classify(GEMINI_ERRORS, signals, reply)
    told_at = http_date_seconds(reply.headers.get("date", ""))
    if failure.outcome is not Outcome.QUOTA_EXHAUSTED or signals.type != PER_DAY or told_at is None:
        return failure
    return replace(failure, wait_seconds=until_midnight(told_at))


def gemini_signals(reply: HttpReply) -> Signals:
    """The envelope, or why a success holds no speech; empty signals when the body is something else."""
    body = json_object(reply.body)
    if reply.status == 200:  # noqa: PLR2004 - OK
        return _withheld(body)
    error = mapping(body.get("error"))
    details = [mapping(detail) for detail in items(error.get("details"))]
    codes = (*(text(detail.get("reason")) for detail in details), text(error.get("status")))
    return Signals(
        codes=tuple(code for code in codes if code),
        type=PER_DAY if any("PerDay" in text(each.get("quotaId")) for each in _violations(body)) else "",
        message=text(error.get("message")),
        body=body,
        limit=_requests_per_minute(body),
    )


def _requests_per_minute(body: Mapping[str, Any]) -> Limit | None:
    """The lowest limit on calls that is named with its value; those on tokens are measured in something else."""
    quotas = [each for each in _violations(body) if _counts_calls(text(each.get("quotaId")))]
    found = [stated_limit(count(each.get("quotaValue")), 60.0) for each in quotas]
    return min((limit for limit in found if limit is not None), key=lambda limit: limit.rate, default=None)


def _counts_calls(quota_id: str) -> bool:
    return "Requests" in quota_id and "PerMinute" in quota_id


def _violations(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The quotas that a refusal names: `{"quotaMetric", "quotaId", "quotaDimensions", "quotaValue"?}`."""
    for detail in items(mapping(body.get("error")).get("details")):
        yield from map(mapping, items(mapping(detail).get("violations")))


def candidate(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one answer that is asked for; empty when there is none."""
    return mapping(next(iter(items(body.get("candidates"))), None))


def _withheld(body: Mapping[str, Any]) -> Signals:
    prompt, answer = mapping(body.get("promptFeedback")), candidate(body)
    reason = text(prompt.get("blockReason")) or text(answer.get("finishReason"))
    words = text(prompt.get("blockReasonMessage")) or text(answer.get("finishMessage"))
    said = f"no speech in the answer: {words or reason}" if reason else ""
    return Signals(codes=(reason,) if reason else (), message=said, body=body)
