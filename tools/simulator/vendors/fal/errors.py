"""The two shapes of fal's refusals, and its named errors."""

from tools.simulator.wire import NamedErrors, Refused, Reply, Trouble, json_reply


def platform(
    status: int, outcome: str, detail: str, error_type: str | None = None, *, retryable: bool | None = None
) -> Reply:
    """A refusal by the platform: plain text, with the kind in the body and in a header when there is one."""
    headers = {"x-fal-error-type": error_type} if error_type else {}
    if retryable is not None:
        headers["x-fal-retryable"] = str(retryable).lower()
    body = {"detail": detail, "error_type": error_type} if error_type else {"detail": detail}
    return json_reply(status, body, headers, outcome)


def problem(field: str, type_: str, message: str, outcome: str = "invalid_request") -> Reply:
    """A refusal by the model."""
    entry = {"loc": ["body", field], "msg": message, "type": type_, "url": f"https://docs.fal.ai/errors/#{type_}"}
    return json_reply(422, {"detail": [entry]}, {"x-fal-error-type": type_}, outcome)


def refusal(field: str, type_: str, message: str) -> Refused:
    return Refused(problem(field, type_, message))


_LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
_BAD_FORMAT = "Invalid Key Authorization header format. Expected: Key <key_id>:<key_secret>"
_SENSITIVE = "The content could not be processed because it contained material flagged by a content checker."

# An account's slots where nothing else is configured, as the recorded answer has it.
_SLOTS = 20


def _concurrency_limited(trouble: Trouble) -> Reply:
    """The kind is in `type` here, and the account's slots beside it."""
    limit = (trouble.account.slots.limit if trouble.account else None) or _SLOTS
    body = {
        "detail": f"Reached concurrent requests limit of {limit}",
        "type": "concurrent_requests_limit",
        "data": {"limit": limit},
    }
    return json_reply(429, body, outcome="concurrency_limited")


ERRORS: NamedErrors = {
    "bad_key": lambda _: platform(401, "bad_key", "No user found for Key ID and Secret"),
    "bad_key_format": lambda _: platform(401, "bad_key", _BAD_FORMAT),
    "permission_denied": lambda _: platform(
        403, "permission_denied", "Access to this application is denied for this key"
    ),
    "quota_exhausted": lambda _: platform(403, "quota_exhausted", _LOCKED),
    "insufficient_credits": lambda _: platform(402, "quota_exhausted", "Insufficient credits"),
    "rate_limited": lambda _: platform(429, "rate_limited", "Too many requests", "rate_limited"),
    "concurrency_limited": _concurrency_limited,
    "content_rejected": lambda _: problem("prompt", "content_policy_violation", _SENSITIVE, "content_rejected"),
    "invalid_request": lambda _: problem("body", "json_invalid", "JSON decode error"),
    "not_found": lambda _: platform(404, "not_found", "Application not found"),
    "server_error": lambda _: platform(
        500, "server_error", "Internal server error", "internal_server_error", retryable=True
    ),
    "downstream_error": lambda _: platform(
        400, "server_error", "Downstream service error", "downstream_service_error", retryable=True
    ),
    "overloaded": lambda _: platform(
        503, "overloaded", "Runner could not be scheduled", "runner_scheduling_failure", retryable=True
    ),
    "runner_disconnected": lambda _: platform(
        503, "server_error", "Runner disconnected", "runner_disconnected", retryable=True
    ),
    "timeout": lambda _: platform(504, "timeout", "Request timed out", "generation_timeout", retryable=True),
}

# Errors whose shape is in no recorded answer: where it is documented.
_PAGE = "vendor document: docs.fal.ai, Errors, 2025-10-27"
VENDOR_DOCUMENTS = {
    **dict.fromkeys(("rate_limited", "server_error", "downstream_error", "overloaded"), _PAGE),
    **dict.fromkeys(("runner_disconnected", "timeout"), _PAGE),
    "nsfw": "vendor document: fal-js, types/endpoints.ts (`has_nsfw_concepts`), 2026-08",
}
