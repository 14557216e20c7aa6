"""Gemini's error table. Envelope: `{"error": {"code", "message", "status", "details": [{"@type", "reason"?, …}]}}`.

A prompt or an answer that was blocked is a 200 without speech: its reason is read as the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.answers import http_date_seconds, stated_limit
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.gemini.pacific import until_midnight
from mediarelay.providers.json_reading import count, items, json_object, mapping, text
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome

# Our names for a refusal by a quota of the day, and by one that returns by itself within the hour.
PER_DAY: Final = "per_day"
FOR_A_WHILE: Final = "for_a_while"
# ... and for who was blocked: what was asked, or what was made of it.
_OF_PROMPT: Final = "prompt_feedback"

_BLOCKED: Final = (
    *("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII", "IMAGE_SAFETY"),
    *("ESCALATION", "MODEL_ARMOR", "JAILBREAK"),
)

GEMINI_ERRORS: Final = (
    # A bad key comes as a 400, a missing or foreign credential as a 401.
    Row(Outcome.KEY_REJECTED, codes=("API_KEY_INVALID", "CONSUMER_SUSPENDED", "UNAUTHENTICATED")),
    Row(Outcome.KEY_REJECTED, codes=("PERMISSION_DENIED",), says="reported as leaked"),
    Row(Outcome.KEY_REJECTED, codes=("ACCESS_TOKEN_EXPIRED", "CREDENTIALS_MISSING", "API_KEY_EXPIRED")),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("BILLING_DISABLED", "BILLING_ACCOUNT_CLOSED")),
    Row(
        Outcome.PERMISSION_DENIED,
        codes=("API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "API_KEY_HTTP_REFERRER_BLOCKED"),
    ),
    Row(Outcome.PERMISSION_DENIED, codes=("API_KEY_IP_ADDRESS_BLOCKED", "IAM_PERMISSION_DENIED")),
    Row(Outcome.PERMISSION_DENIED, codes=("PERMISSION_DENIED", "FAILED_PRECONDITION"), broad=True),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("RESOURCE_EXHAUSTED",), types=(PER_DAY,)),
    # Spent credits carry this code too, and were a 429 before October 2026: only the words tell them from a rate.
    Row(Outcome.THROTTLED, codes=("RESOURCE_EXHAUSTED",), types=(FOR_A_WHILE,)),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("RESOURCE_EXHAUSTED",), statuses=(402,)),
    Row(Outcome.THROTTLED, codes=("RESOURCE_EXHAUSTED",), says="exceeded your current quota"),
    Row(Outcome.THROTTLED, codes=("RESOURCE_EXHAUSTED",), broad=True),
    # The path is the model, so whatever is not found is the model.
    Row(Outcome.MODEL_GONE, codes=("NOT_FOUND",)),
    # The model's own slip: the same body, sent again, succeeds.
    Row(Outcome.PROVIDER_FAULT, codes=("INVALID_ARGUMENT",), says="tried to generate"),
    Row(Outcome.PROVIDER_FAULT, codes=("INVALID_ARGUMENT",), says="should only be used for tts"),
    Row(Outcome.INVALID_REQUEST, codes=("INVALID_ARGUMENT", "OUT_OF_RANGE"), broad=True),
    Row(Outcome.OVERLOADED, codes=("UNAVAILABLE",)),
    Row(Outcome.TIMEOUT_SENT, codes=("DEADLINE_EXCEEDED",)),
    Row(Outcome.PROVIDER_FAULT, codes=("INTERNAL", "UNKNOWN")),
    Row(Outcome.CONTENT_REJECTED, types=(_OF_PROMPT,), statuses=(200,)),
    Row(Outcome.CONTENT_REJECTED, codes=_BLOCKED, statuses=(200,)),
    Row(Outcome.INVALID_REQUEST, codes=("LANGUAGE",), statuses=(200,)),
    Row(Outcome.PERMISSION_DENIED, codes=("PUP_LIMITED_DISABLED",), statuses=(200,)),
    # The same text succeeds later, whatever this attempt counted in tokens.
    Row(Outcome.PROVIDER_FAULT, codes=("OTHER",), statuses=(200,)),
    # Speech that breaks off was paid for, and would break off again; another provider may take a text as long as this.
    Row(Outcome.UNUSABLE_DELIVERY, codes=("MAX_TOKENS",), statuses=(200,)),
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
        type=_term(body, details),
        message=text(error.get("message")),
        body=body,
        limit=_requests_per_minute(body),
    )


def _term(body: Mapping[str, Any], details: Sequence[Mapping[str, Any]]) -> str:
    """How long a quota that ran out is away, by the quotas named and the wait; empty when neither is."""
    quotas = [text(each.get("quotaId")) for each in _violations(body)]
    if any("PerDay" in quota for quota in quotas):
        return PER_DAY
    waits = any(text(detail.get("retryDelay")) for detail in details)
    return FOR_A_WHILE if waits or any("PerMinute" in quota for quota in quotas) else ""


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
    blocked = text(prompt.get("blockReason"))
    reason = blocked or text(answer.get("finishReason"))
    words = text(prompt.get("blockReasonMessage")) or text(answer.get("finishMessage"))
    said = f"no speech in the answer: {words or reason}" if reason else ""
    return Signals(codes=(reason,) if reason else (), type=_OF_PROMPT if blocked else "", message=said, body=body)
