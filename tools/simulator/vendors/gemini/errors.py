"""Google's error envelope, quota details and named errors."""

from collections.abc import Callable, Mapping
from typing import Any

from tools.simulator.wire import NamedErrors, Refused, Reply, Trouble, json_reply

_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_QUOTA = "type.googleapis.com/google.rpc.QuotaFailure"
_RETRY = "type.googleapis.com/google.rpc.RetryInfo"
_METRIC = "generativelanguage.googleapis.com/generate_requests_per_model"
_EXCEEDED = "You exceeded your current quota, please check your plan and billing details."
UNLIMITED_RPM = 1000


def error(status: int, name: str, message: str, outcome: str, *details: Mapping[str, Any]) -> Reply:
    body: dict[str, Any] = {"code": status, "message": message, "status": name}
    return json_reply(status, {"error": body | ({"details": details} if details else {})}, outcome=outcome)


def invalid(message: str) -> Refused:
    return Refused(error(400, "INVALID_ARGUMENT", message, "invalid_request"))


def info(reason: str) -> dict[str, Any]:
    return {"@type": _INFO, "reason": reason, "domain": "googleapis.com"}


def empty(reason: str, outcome: str) -> Reply:
    """A success without speech, as for what the vendor will not say."""
    answer = {"content": {"role": "model"}, "finishReason": reason, "index": 0}
    return json_reply(200, {"candidates": [answer]}, outcome=outcome)


def _violation(period: str, value: int) -> dict[str, Any]:
    violation = {
        "quotaMetric": _METRIC,
        "quotaId": f"GenerateRequestsPer{period}PerProjectPerModel",
        "quotaDimensions": {"location": "global"},
        "quotaValue": str(value),
    }
    return {"@type": _QUOTA, "violations": [violation]}


def _rate_limited(trouble: Trouble) -> Reply:
    bucket = trouble.account.bucket if trouble.account else None
    limit = round(bucket.rate * 60) if bucket else UNLIMITED_RPM
    delay = f"{trouble.wait:.9f}s"
    message = f"{_EXCEEDED} Please retry in {delay}."
    retry = {"@type": _RETRY, "retryDelay": f"{max(1, round(trouble.wait))}s"}
    return error(429, "RESOURCE_EXHAUSTED", message, "rate_limited", _violation("Minute", limit), retry)


def _named(
    status: int, name: str, message: str, outcome: str, *details: Mapping[str, Any]
) -> Callable[[Trouble], Reply]:
    return lambda _trouble: error(status, name, message, outcome, *details)


_BAD_KEY = "API key not valid. Please pass a valid API key."
_LEAKED = "Your API key was reported as leaked. Please use another API key."
_REGION = "User location is not supported for the API use."

ERRORS: NamedErrors = {
    "bad_key": _named(400, "INVALID_ARGUMENT", _BAD_KEY, "bad_key", info("API_KEY_INVALID")),
    "leaked_key": _named(403, "PERMISSION_DENIED", _LEAKED, "bad_key"),
    "permission_denied": _named(403, "PERMISSION_DENIED", "The caller does not have permission", "permission_denied"),
    "failed_precondition": _named(400, "FAILED_PRECONDITION", _REGION, "permission_denied"),
    "quota_exhausted": _named(429, "RESOURCE_EXHAUSTED", _EXCEEDED, "quota_exhausted", _violation("Day", 100)),
    "rate_limited": _rate_limited,
    "concurrency_limited": _rate_limited,
    "exhausted": _named(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", "rate_limited"),
    "content_rejected": lambda _: empty("PROHIBITED_CONTENT", "content_rejected"),
    "prompt_blocked": lambda _: json_reply(
        200, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, outcome="content_rejected"
    ),
    "cut_short": lambda _: empty("MAX_TOKENS", "cut_short"),
    "invalid_request": _named(400, "INVALID_ARGUMENT", "Invalid JSON payload received.", "invalid_request"),
    "not_found": _named(404, "NOT_FOUND", "The model is not found for API version v1beta.", "not_found"),
    "server_error": _named(500, "INTERNAL", "An internal error has occurred.", "server_error"),
    "overloaded": _named(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", "overloaded"),
    "timeout": _named(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", "timeout"),
}
