"""Replicate's error table. Envelope, without codes: `{"title": "…", "detail": "…"[, "retry_after": 9]}`."""

from __future__ import annotations

import re
from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.answers import stated_limit
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.json_reading import json_object, text
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome

# Our name for the family: whoever writes this envelope is the platform, not some gateway before it.
PLATFORM: Final = "replicate"

# "… is reduced to 6 requests per minute with a burst of 1 requests while you have less than $5.0 in credit."
_REDUCED: Final = re.compile(
    r"reduced to ([0-9]{1,7}) requests? per (second|minute)(?: with a burst of ([0-9]{1,7})(?![0-9]))?"
)
_SECONDS: Final = {"second": 1.0, "minute": 60.0}
_WORDS_CHARACTERS: Final = 2000

REPLICATE_ERRORS: Final = (
    Row(Outcome.KEY_REJECTED, types=(PLATFORM,), statuses=(401,), named="unauthenticated"),
    Row(Outcome.QUOTA_EXHAUSTED, types=(PLATFORM,), statuses=(402,), named="insufficient_credit"),
    Row(Outcome.PERMISSION_DENIED, types=(PLATFORM,), statuses=(403,), named="forbidden"),
    # The path is the model, so whatever is not found is the model.
    Row(Outcome.MODEL_GONE, types=(PLATFORM,), statuses=(404,), named="not_found"),
    Row(Outcome.INVALID_REQUEST, types=(PLATFORM,), statuses=(422,), named="invalid_input"),
    Row(Outcome.THROTTLED, says="throttled", statuses=(429,), named="throttled"),
    Row(Outcome.OVERLOADED, types=(PLATFORM,), statuses=(503,), named="overloaded"),
    Row(Outcome.PROVIDER_FAULT, types=(PLATFORM,), statuses=(500, 502, 504), named="server_error"),
)


def replicate_failure(reply: HttpReply) -> Failure:
    """Returns what an answer that is no prediction means."""
    return classify(REPLICATE_ERRORS, replicate_signals(reply), reply)


def replicate_signals(reply: HttpReply) -> Signals:
    """The envelope; empty signals when the body is something else."""
    body = json_object(reply.body)
    title, detail = text(body.get("title")), text(body.get("detail"))
    family = PLATFORM if title or detail else ""
    return Signals(type=family, message=detail or title, body=body, limit=_reduced(detail))


def _reduced(detail: str) -> Limit | None:
    """The limit that a refusal names; the ordinary one names none."""
    found = _REDUCED.search(detail[:_WORDS_CHARACTERS].lower())
    if found is None:
        return None
    calls, unit, burst = found.groups()
    return stated_limit(int(calls), _SECONDS[unit], None if burst is None else int(burst))
