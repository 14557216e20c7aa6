"""OpenRouter's speech in OpenAI's shape, as of November 2026: models of two vendors, and errors that have numbers."""

import math
import re
from typing import Any

from tools.simulator.vendors.openai.shaped import ShapedModel, ShapedSpeech
from tools.simulator.wire import Call, NamedErrors, Operation, Reply, Trouble, json_reply

_ASSEMBLYAI = ("jane", "michael", "charles", "george", "anna", "paul", "mary", "eve")


def _error(status: int, outcome: str, message: str, metadata: dict[str, Any] | None = None, **headers: str) -> Reply:
    error = {"message": message, "code": status} | ({"metadata": metadata} if metadata else {})
    return json_reply(
        status, {"error": error}, {name.replace("_", "-"): value for name, value in headers.items()}, outcome
    )


def _limited(trouble: Trouble) -> Reply:
    return _error(429, "rate_limited", "Rate limit exceeded", retry_after=str(math.ceil(trouble.wait)))


def _in_flight(trouble: Trouble) -> Reply:
    message = "Requests in flight may cost more credits than are left."
    metadata = {"limit_source": "openrouter_in_flight_budget"}
    return _error(402, "rate_limited", message, metadata, retry_after=str(math.ceil(trouble.wait)))


def _upstream(_: Trouble) -> Reply:
    metadata = {"provider_name": "xAI", "raw": "Service temporarily overloaded"}
    return _error(429, "overloaded", "Provider returned error", metadata)


def _flagged(_: Trouble) -> Reply:
    metadata = {"reasons": ["violence"], "flagged_input": "...", "provider_name": "xAI", "model_slug": "x-ai/grok"}
    return _error(403, "content_rejected", "Your input was flagged by moderation", metadata)


def _key(_call: Call) -> Reply:
    data = {"label": "sim-openrouter", "limit": None, "limit_remaining": None, "usage": 0.5, "is_free_tier": False}
    return json_reply(200, {"data": data})


_NO_CREDITS = "Insufficient credits. Add more using https://openrouter.ai/settings/credits"
_ERRORS: NamedErrors = {
    "bad_key": lambda _: _error(401, "bad_key", "User not found."),
    "permission_denied": lambda _: _error(403, "permission_denied", "This key may not use this model."),
    "quota_exhausted": lambda _: _error(402, "quota_exhausted", _NO_CREDITS),
    "in_flight_budget": _in_flight,
    "rate_limited": _limited,
    "concurrency_limited": _limited,
    "upstream_busy": _upstream,
    "content_rejected": _flagged,
    "invalid_request": lambda _: _error(400, "invalid_request", "Input required: specify input"),
    "not_found": lambda _: _error(404, "model_gone", "No endpoints found for x-ai/grok-voice-tts-0.1."),
    "server_error": lambda _: _error(502, "server_error", "Provider returned an invalid response"),
    "overloaded": lambda _: _error(503, "overloaded", "No available model provider meets your routing requirements"),
    "timeout": lambda _: _error(408, "timeout", "The request timed out"),
}
_PAGE = "vendor document: openrouter.ai/docs/api/reference/errors-and-debugging, 2026-11"
VENDOR_DOCUMENTS = dict.fromkeys(("content_rejected", "upstream_busy", "in_flight_budget"), _PAGE)

SIMULATED = ShapedSpeech(
    name="openrouter",
    path="api/v1",
    models={
        "x-ai/grok-voice-tts-1.0": ShapedModel(("eve", "ara", "rex", "sal", "leo"), 15_000, million=15.0),
        "assemblyai/assemblyai-tts-1": ShapedModel(tuple(f"aai-{name}" for name in _ASSEMBLYAI), 5_000, million=15.0),
    },
    formats=("mp3", "pcm"),
    types={"pcm": "audio/pcm;rate=24000;channels=1"},
    errors=_ERRORS,
    invalid=lambda message, _param: _error(400, "invalid_request", message),
    unknown_model=lambda model: _error(400, "model_gone", f"{model} is not a valid model ID"),
    no_such_path=lambda path: _error(404, "unmatched", f"Not found: {path}"),
    request_id_header="x-generation-id",
    more_operations=(Operation("key", "openrouter", "GET", re.compile("api/v1/key"), _key),),
)
