"""Groq's speech in OpenAI's shape, as of 2026: Orpheus in English and Arabic, and errors that have no param."""

import math

from tools.simulator.vendors.openai.errors import duration
from tools.simulator.vendors.openai.shaped import ShapedModel, ShapedSpeech
from tools.simulator.wire import NamedErrors, Reply, Trouble, json_reply

_ENGLISH = "canopylabs/orpheus-v1-english"
_INVALID = "invalid_request_error"


def _error(status: int, outcome: str, message: str, type_: str, code: str, **headers: str) -> Reply:
    body = {"error": {"message": message, "type": type_, "code": code}}
    return json_reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, outcome)


def _limited(trouble: Trouble) -> Reply:
    message = (
        f"Rate limit reached for model `{_ENGLISH}` in organization `org_EXAMPLE` service tier `on_demand` on requests "
        f"per minute (RPM): Limit 10, Used 10, Requested 1. Please try again in {duration(trouble.wait)}."
    )
    retry_after = str(math.ceil(trouble.wait))
    return _error(429, "rate_limited", message, "requests", "rate_limit_exceeded", retry_after=retry_after)


def _no_such_model(model: object) -> Reply:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return _error(404, "model_gone", message, _INVALID, "model_not_found")


def _terms(_: Trouble) -> Reply:
    message = f"The model `{_ENGLISH}` requires terms acceptance. Please have the org admin accept the terms."
    return _error(400, "permission_denied", message, _INVALID, "model_terms_required")


def _blocked(_: Trouble) -> Reply:
    message = "API access is blocked: the organization has reached its spend limit."
    return _error(400, "quota_exhausted", message, _INVALID, "blocked_api_access")


def _refused(message: str, _param: str = "") -> Reply:
    return _error(400, "invalid_request", message, _INVALID, "invalid_value")


_FAULT = "Internal Server Error"
_ERRORS: NamedErrors = {
    "bad_key": lambda _: _error(401, "bad_key", "Invalid API Key", _INVALID, "invalid_api_key"),
    "permission_denied": _terms,
    "quota_exhausted": _blocked,
    "rate_limited": _limited,
    "concurrency_limited": _limited,
    "content_rejected": lambda _: _error(
        400, "content_rejected", "The request violates the usage policy.", _INVALID, "content_policy_violation"
    ),
    "invalid_request": lambda _: _refused("The body is not valid."),
    "not_found": lambda _: _no_such_model("canopylabs/orpheus-v0"),
    "server_error": lambda _: _error(500, "server_error", _FAULT, "internal_server_error", "internal_error"),
    "overloaded": lambda _: _error(503, "overloaded", "Service Unavailable", "service_unavailable_error", "overloaded"),
    "timeout": lambda _: _error(504, "timeout", "Gateway Timeout", "internal_server_error", "timeout"),
}

SIMULATED = ShapedSpeech(
    name="groq",
    path="openai/v1",
    models={
        _ENGLISH: ShapedModel(("autumn", "diana", "hannah", "austin", "daniel", "troy"), 200, million=22.0),
        "canopylabs/orpheus-arabic-saudi": ShapedModel(
            ("fahad", "abdullah", "sultan", "lulwa", "noura", "aisha"), 200, million=40.0
        ),
    },
    formats=("wav",),
    usual_format="wav",
    errors=_ERRORS,
    invalid=_refused,
    unknown_model=_no_such_model,
)
