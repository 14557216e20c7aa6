"""ElevenLabs' error table. The HTTP status says little there: the same 401 is a bad key, a missing scope or no credit.

Envelope: `{"detail": {"type", "code", "message", "status"}}`, where `status` is the older code; also
`{"detail": [{"loc", "msg", "type"}]}` and `{"detail": "text"}`.
"""

from __future__ import annotations

from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.json_reading import items, json_object, mapping, text
from mediarelay.vocabulary.outcome import Failure, Outcome

ELEVENLABS_ERRORS: Final = (
    Row(Outcome.KEY_REJECTED, codes=("invalid_api_key", "missing_api_key")),
    # The free tier is shut for this account or address: as good as a bad key, until a person looks.
    Row(Outcome.KEY_REJECTED, codes=("detected_unusual_activity",)),
    Row(Outcome.PERMISSION_DENIED, codes=("unauthorized", "missing_permissions", "only_for_creator+")),
    # A free plan that asked for a voice of the library; `payment_required` is its older code, and elsewhere a type.
    Row(Outcome.PERMISSION_DENIED, codes=("paid_plan_required", "payment_required")),
    # A plan without music, say; the account's speech works all the same.
    Row(Outcome.PERMISSION_DENIED, codes=("limited_access", "feature_not_available", "subscription_required")),
    # "exceeds your API key (name) quota": the key's own cap, while the account may have credit left.
    Row(Outcome.QUOTA_EXHAUSTED, codes=("quota_exceeded",), says="exceeds your api key", spreads=False),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("quota_exceeded", "insufficient_credits", "payment_issue")),
    Row(Outcome.THROTTLED, codes=("rate_limit_exceeded",)),
    Row(Outcome.THROTTLED, codes=("concurrent_limit_exceeded", "too_many_concurrent_requests")),
    Row(Outcome.OVERLOADED, codes=("system_busy", "service_unavailable")),
    Row(Outcome.PROVIDER_FAULT, codes=("internal_error",)),
    Row(Outcome.CONTENT_REJECTED, codes=("bad_prompt", "bad_composition_plan")),
    # A voice of one's own belongs to one account, and default voices do not exist for the newer accounts.
    Row(Outcome.INVALID_REQUEST, codes=("voice_not_found",), of_account=True),
    Row(Outcome.INVALID_REQUEST, codes=("invalid_parameters", "max_character_limit_exceeded")),
    Row(Outcome.INVALID_REQUEST, codes=("invalid_voice_settings", "voice_disabled", "unsupported_model")),
    Row(Outcome.MODEL_GONE, codes=("model_not_found",)),
    Row(Outcome.INVALID_REQUEST, codes=("conflict",), statuses=(409,)),
    # From here on no code is known, and the family has to do.
    Row(Outcome.PERMISSION_DENIED, types=("authorization_error",)),
    # Missing scopes belong to this family too, so it does not prove a bad key.
    Row(Outcome.KEY_REJECTED, types=("authentication_error",), certain=False),
    Row(Outcome.QUOTA_EXHAUSTED, types=("payment_required",)),
    Row(Outcome.INVALID_REQUEST, types=("validation_error", "not_found", "conflict")),
    Row(Outcome.THROTTLED, types=("rate_limit_error",)),
    Row(Outcome.OVERLOADED, types=("service_unavailable",)),
    Row(Outcome.PROVIDER_FAULT, types=("internal_error",)),
    Row(Outcome.INVALID_REQUEST, says="not found", statuses=(400, 404), named="not_found"),
    Row(Outcome.INVALID_REQUEST, statuses=(409,), named="conflict", certain=False),
)


def elevenlabs_failure(reply: HttpReply) -> Failure:
    """Returns what an answer without media means."""
    return classify(ELEVENLABS_ERRORS, elevenlabs_signals(reply), reply)


def elevenlabs_signals(reply: HttpReply) -> Signals:
    """ElevenLabs' envelope in any of its three shapes; empty signals when the body is something else."""
    body = json_object(reply.body)
    detail = body.get("detail")
    if isinstance(detail, list):
        first = mapping(next(iter(items(detail)), None))
        codes, message = _present(first.get("type")), text(first.get("msg"))
        return Signals(codes=codes, type="validation_error", message=message, body=body)
    fields = mapping(detail)
    return Signals(
        codes=_present(fields.get("code"), fields.get("status")),
        type=text(fields.get("type")),
        message=text(fields.get("message")) or text(detail),
        body=body,
    )


def _present(*values: object) -> tuple[str, ...]:
    return tuple(filter(None, map(text, values)))
