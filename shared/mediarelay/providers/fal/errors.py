"""fal's error table, of its synchronous host and of what its queue says of jobs.

Envelope: `{"detail": [{"type", "msg", …}]}` from models, `{"detail": "text", "error_type": …}` from the platform, whose
type is also in the header `x-fal-error-type`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, Signals
from mediarelay.providers.json_reading import count, items, json_object, mapping, text
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Outcome

_MODEL_ERROR: Final = "model_error"  # our name for the family whose `detail` is a list
_MOST_SLOTS: Final = 10_000  # an account of any size has fewer

FAL_ERRORS: Final = (
    Row(Outcome.CONTENT_REJECTED, codes=("content_policy_violation", "content_blocked", "partner_validation_failed")),
    # Not billed, and no one's mistake: the same input often succeeds.
    Row(Outcome.PROVIDER_FAULT, codes=("no_media_generated",)),
    Row(Outcome.THROTTLED, codes=("concurrent_requests_limit",), statuses=(429,)),
    Row(
        Outcome.PROVIDER_FAULT,
        codes=("downstream_service_error",),
        statuses=(400,),
        header=("x-fal-retryable", "true"),
    ),
    Row(Outcome.INVALID_REQUEST, codes=("downstream_service_error",), statuses=(400,)),
    Row(Outcome.PROVIDER_FAULT, codes=("internal_server_error", "downstream_service_unavailable")),
    Row(Outcome.OVERLOADED, codes=("runner_scheduling_failure",)),
    Row(
        Outcome.PROVIDER_FAULT,
        codes=("runner_connection_timeout", "runner_disconnected", "runner_connection_refused"),
    ),
    # Server errors, time-outs included, are not billed: another provider may be asked without paying twice.
    Row(Outcome.PROVIDER_FAULT, codes=("request_timeout", "startup_timeout", "generation_timeout")),
    Row(Outcome.PROVIDER_FAULT, statuses=(504,), named="timeout", certain=False),
    Row(Outcome.KEY_REJECTED, says="no user found for key id", statuses=(401,), named="invalid_key"),
    Row(Outcome.KEY_REJECTED, says="authentication is required", statuses=(401,), named="invalid_key"),
    Row(Outcome.KEY_REJECTED, says="invalid key authorization header", statuses=(401,), named="invalid_key"),
    Row(Outcome.QUOTA_EXHAUSTED, says="exhausted balance", statuses=(401, 402, 403), named="exhausted_balance"),
    # Whatever the reason, it is the account that is locked, with all its keys.
    Row(Outcome.QUOTA_EXHAUSTED, says="user is locked", statuses=(401, 402, 403), named="account_locked"),
    # The path is the model, so whatever is not found is the model.
    Row(Outcome.MODEL_GONE, statuses=(404,), named="application_not_found", certain=False),
    # The one 429 of the synchronous host is the account's concurrency.
    Row(Outcome.THROTTLED, statuses=(429,), named="concurrency_limit", certain=False),
    Row(Outcome.INVALID_REQUEST, types=(_MODEL_ERROR,), statuses=(422,)),
)


def fal_signals(reply: HttpReply) -> Signals:
    """The envelope in either shape; empty signals when the body is something else."""
    body = json_object(reply.body)
    detail = body.get("detail")
    entries = [mapping(entry) for entry in items(detail)]
    platform = text(body.get("error_type")) or reply.headers.get("x-fal-error-type", "")
    family = text(body.get("type"))  # the 429 alone has it under this name
    markers = (platform, family, *(text(entry.get("type")) for entry in entries), *map(_reason, entries))
    messages = (text(detail), *(text(entry.get("msg")) for entry in entries))
    return Signals(
        codes=tuple(filter(None, markers)),
        type=_MODEL_ERROR if entries else "",
        message=". ".join(filter(None, messages)),
        body=body,
        limit=_slots(mapping(body.get("data"))),
    )


def _reason(entry: Mapping[str, Any]) -> str:
    """Why a partner's model refused; the type above may be that of any fault of the input."""
    return text(mapping(mapping(entry.get("ctx")).get("extra_info")).get("reason"))


def _slots(data: Mapping[str, Any]) -> Limit | None:
    """How many calls the account may have at once, as a refusal for more of them says."""
    slots = count(data.get("limit"))
    return Limit(math.inf, slots=int(slots)) if slots and slots <= _MOST_SLOTS else None
