"""OpenAI's error table. Envelope: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.json_reading import json_object, mapping, text
from mediarelay.vocabulary.outcome import Failure, Outcome

_NO_CREDIT: Final = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
)

OPENAI_ERRORS: Final = (
    # A project's limit leaves the keys of the organisation's other projects working.
    Row(Outcome.QUOTA_EXHAUSTED, codes=("project_spend_limit_exceeded",), spreads=False),
    Row(Outcome.QUOTA_EXHAUSTED, codes=_NO_CREDIT),
    # Either marker of a spent balance is enough, even beside the code of an ordinary rate limit.
    Row(Outcome.QUOTA_EXHAUSTED, codes=("rate_limit_exceeded",), types=("insufficient_quota",)),
    Row(Outcome.QUOTA_EXHAUSTED, types=("insufficient_quota", "billing_limit_user_error")),
    Row(Outcome.THROTTLED, codes=("rate_limit_exceeded",)),
    Row(Outcome.OVERLOADED, codes=("slow_down",), statuses=(503,)),
    Row(Outcome.THROTTLED, codes=("slow_down",)),
    Row(Outcome.OVERLOADED, codes=("server_is_overloaded",)),
    Row(Outcome.OVERLOADED, types=("service_unavailable_error",)),
    Row(Outcome.KEY_REJECTED, codes=("invalid_api_key", "no_organization", "account_deactivated")),
    # Restricted keys: barred from one capability, while the others may be theirs.
    Row(Outcome.PERMISSION_DENIED, codes=("missing_scope", "insufficient_permissions")),
    Row(Outcome.PERMISSION_DENIED, says="missing scope", statuses=(401, 403), named="missing_scope"),
    Row(Outcome.PERMISSION_DENIED, says="insufficient permission", statuses=(401, 403), named="missing_scope"),
    Row(Outcome.KEY_REJECTED, says="must be a member of an organization", statuses=(401,), named="not_a_member"),
    Row(Outcome.PERMISSION_DENIED, says="ip not authorized", statuses=(401, 403), named="ip_not_authorized"),
    # The egress address is refused, so every key of the pool will get the same answer.
    Row(Outcome.PERMISSION_DENIED, says="territory not supported", statuses=(403,), named="unsupported_territory"),
    Row(Outcome.PERMISSION_DENIED, says="must be verified", statuses=(403,), named="organization_not_verified"),
    # With 403 the model exists, but not for this key's project; another key may have it.
    Row(Outcome.PERMISSION_DENIED, codes=("model_not_found",), statuses=(401, 403)),
    # "does not exist or you do not have access to it": which of the two, another account tells.
    Row(Outcome.MODEL_GONE, codes=("model_not_found",), of_account=True),
    Row(Outcome.CONTENT_REJECTED, codes=("moderation_blocked", "content_policy_violation")),
    Row(Outcome.TIMEOUT_SENT, statuses=(408, 504), named="timeout", certain=False),
    Row(Outcome.INVALID_REQUEST, types=("invalid_request_error", "image_generation_user_error"), statuses=(400, 422)),
    Row(Outcome.PROVIDER_FAULT, types=("server_error",), statuses=(500, 502, 503)),
)


def openai_failure(reply: HttpReply) -> Failure:
    """Returns what an answer without media means."""
    return classify(OPENAI_ERRORS, openai_signals(reply), reply)


def openai_signals(reply: HttpReply) -> Signals:
    """OpenAI's envelope; empty signals when the body is something else."""
    body = json_object(reply.body)
    error = mapping(body.get("error"))
    code = text(error.get("code"))
    return Signals(
        codes=(code,) if code else (),
        type=text(error.get("type")),
        message=text(error.get("message")),
        body=body,
    )
