"""OpenAI's error envelope, rate limit spans and named errors."""

import math

from tools.simulator.wire import NamedErrors, Reply, Trouble, json_reply

UNLIMITED_RPM = 30_000


def error(  # the envelope has this many parts
    status: int,
    outcome: str,
    message: str,
    type_: str | None,
    code: str | None = None,
    param: str | None = None,
    **headers: str,
) -> Reply:
    body = {"error": {"message": message, "type": type_, "param": param, "code": code}}
    return json_reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, outcome)


def invalid(message: str, param: str | None = None, code: str | None = "invalid_value") -> Reply:
    return error(400, "invalid_request", message, "invalid_request_error", code, param)


def duration(seconds: float) -> str:
    """A span as the rate limit headers write it: 240ms, 1s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    whole = math.ceil(seconds)
    return f"{whole // 60}m{whole % 60}s" if whole >= 60 else f"{whole}s"  # noqa: PLR2004 - seconds in a minute


def _rate_limited(trouble: Trouble) -> Reply:
    bucket = trouble.account.bucket if trouble.account else None
    limit = round(bucket.rate * 60) if bucket else UNLIMITED_RPM
    message = (
        f"Rate limit reached for requests per min (RPM): Limit {limit}, Used {limit}, Requested 1. "
        f"Please try again in {duration(trouble.wait)}."
    )
    headers = {"retry_after": str(math.ceil(trouble.wait)), "retry_after_ms": str(math.ceil(trouble.wait * 1000))}
    return error(429, "rate_limited", message, "requests", "rate_limit_exceeded", **headers)


_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_OVERLOADED = "The engine is currently overloaded, please try again later."
_BLOCKED = "Your request was rejected by the safety system."


ERRORS: NamedErrors = {
    "bad_key": lambda _: error(
        401, "bad_key", "Incorrect API key provided: sim-****.", "invalid_request_error", "invalid_api_key"
    ),
    "permission_denied": lambda _: error(
        403, "permission_denied", "You have insufficient permissions for this operation.", "invalid_request_error"
    ),
    "quota_exhausted": lambda _: error(429, "quota_exhausted", _QUOTA, "insufficient_quota", "insufficient_quota"),
    "credit_balance_exhausted": lambda _: error(
        429,
        "quota_exhausted",
        "Your credit balance is exhausted.",
        "insufficient_quota",
        "credit_balance_exhausted",
    ),
    "project_spend_limit": lambda _: error(
        429,
        "quota_exhausted",
        "The project's spend limit is reached.",
        "insufficient_quota",
        "project_spend_limit_exceeded",
    ),
    "rate_limited": _rate_limited,
    "concurrency_limited": _rate_limited,
    "slow_down": lambda _: error(
        429, "rate_limited", "Please slow down.", "rate_limit_error", "slow_down", retry_after="5"
    ),
    "content_rejected": lambda _: error(
        400, "content_rejected", _BLOCKED, "image_generation_user_error", "moderation_blocked"
    ),
    "invalid_request": lambda _: invalid("We could not parse the JSON body of your request.", None, None),
    "not_found": lambda _: error(
        404,
        "model_gone",
        "The model does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    ),
    "server_error": lambda _: error(
        500, "server_error", "The server had an error while processing your request.", "server_error"
    ),
    "overloaded": lambda _: error(503, "overloaded", _OVERLOADED, "service_unavailable_error", "server_is_overloaded"),
    "timeout": lambda _: error(504, "timeout", "The request timed out.", "server_error"),
}
