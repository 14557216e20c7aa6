"""Qwen's speech by Model Studio (DashScope), and the object storage that its links lead to. One flat error envelope."""

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tools.simulator.media import catalogue, clips, tone
from tools.simulator.vendors.fal.api import refuse_credentials
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, Trouble, json_reply

# US dollars per character.
_MODELS = {"qwen3-tts-flash": 10e-6, "qwen3-tts-flash-2025-11-27": 10e-6}
_VOICES = (
    *("Cherry", "Serena", "Ethan", "Chelsie", "Vivian", "Bella", "Jennifer", "Katerina", "Mia", "Ryan", "Aiden"),
    *("Kai", "Moon", "Nofish", "Eldric Sage"),
)
_LANGUAGES = (
    *("Auto", "Chinese", "English", "German", "Italian", "Portuguese"),
    *("Spanish", "Japanese", "Korean", "French", "Russian"),
)
_TEXT_CHARACTERS = 600
_RATE = 24000
_SECONDS_VALID = 24 * 3600
_CHINESE = re.compile("[\u4e00-\u9fff]")


def _error(status: int, code: str, message: str, outcome: str, request_id: str = "") -> Reply:
    return json_reply(status, {"code": code, "message": message, "request_id": request_id}, outcome=outcome)


def _invalid(message: str) -> Refused:
    return Refused(_error(400, "InvalidParameter", message, "invalid_request"))


def _named(status: int, code: str, message: str, outcome: str) -> Callable[[Trouble], Reply]:
    return lambda trouble: _error(status, code, message, outcome, trouble.request_id)


_STANDING = "Access denied, please make sure your account is in good standing."
_INSPECTED = "Input data may contain inappropriate content."
_UNPURCHASED = "Access to model denied. Please make sure you are eligible for using the model."
_RATE_EXCEEDED = "Requests rate limit exceeded, please try again later."

ERRORS: NamedErrors = {
    "bad_key": _named(401, "InvalidApiKey", "Invalid API-key provided.", "bad_key"),
    "permission_denied": _named(403, "AccessDenied.Unpurchased", _UNPURCHASED, "permission_denied"),
    "quota_exhausted": _named(400, "Arrearage", _STANDING, "quota_exhausted"),
    "rate_limited": _named(429, "Throttling.RateQuota", _RATE_EXCEEDED, "rate_limited"),
    "concurrency_limited": _named(429, "Throttling", "Too many requests at once.", "rate_limited"),
    "content_rejected": _named(400, "DataInspectionFailed", _INSPECTED, "content_rejected"),
    "invalid_request": _named(400, "InvalidParameter", "The request is not valid.", "invalid_request"),
    "not_found": _named(404, "ModelNotFound", "Model can not be found.", "not_found"),
    "server_error": _named(500, "InternalError", "An internal error has occurred.", "server_error"),
    "overloaded": _named(503, "ModelUnavailable", "Model is unavailable, please try again later.", "overloaded"),
    "timeout": _named(504, "RequestTimeOut", "Request timed out, please try again later.", "timeout"),
}


def _require(condition: object, message: str) -> None:
    if not condition:
        raise _invalid(message)


def _text(body: dict[str, Any]) -> str:
    """The text to say, of a request that is right. Raises Refused."""
    if body.get("model") not in _MODELS:
        raise Refused(_error(404, "ModelNotFound", f"Model {body.get('model')} can not be found.", "not_found"))
    given = body.get("input")
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        raise _invalid("input.text is required")
    text: str = given["text"]
    _require(0 < len(text) <= _TEXT_CHARACTERS, f"Range of input length should be [1, {_TEXT_CHARACTERS}]")
    _require(given.get("voice") in _VOICES, f"Voice '{given.get('voice')}' is not supported.")
    language = given.get("language_type", "Auto")
    _require(language in _LANGUAGES, f"language_type {language} is not supported.")
    return text


def _speech(call: Call) -> Reply:
    text = _text(call.json)
    characters = len(text) + len(_CHINESE.findall(text))
    seconds = tone.ticks_for(text) * tone.TICK_MS / 1000
    name = clips.file_name(secrets.token_hex(8), seconds, catalogue.seed_of(text), "wav", _RATE)
    audio = {
        "data": "",
        "url": f"{call.origin}/qwenmedia/{name}",
        "id": f"audio_{call.request_id}",
        "expires_at": int(call.world.clock()) + _SECONDS_VALID,
    }
    answer = {
        "request_id": call.request_id,
        "output": {"finish_reason": "stop", "audio": audio},
        "usage": {"characters": characters},
    }
    purchase = Purchase(text, characters, characters * _MODELS[call.json["model"]])
    return replace(json_reply(200, answer), purchase=purchase)


def _models(call: Call) -> Reply:
    size = int(call.query.get("page_size", "10"))
    wanted = call.query.get("model")
    names = [name for name in _MODELS if wanted in (None, name)]
    listed = {
        "total": len(names),
        "page_no": 1,
        "page_size": size,
        "models": [{"model": each} for each in names[:size]],
    }
    return json_reply(200, {"request_id": call.request_id, "output": listed})


def _media(call: Call) -> Reply:
    refuse_credentials(call)
    return clips.serve(call)


class Qwen:
    """Base URL with `/api/v1`, as the SDK wants it; the links' host as a path of its own."""

    name = "qwen"
    base_urls = {"QWEN_BASE_URL": "/qwen/api/v1"}  # noqa: RUF012 - the protocol reads it, nobody writes
    errors: NamedErrors = ERRORS
    operations = (
        Operation(
            "speech",
            "qwen",
            "POST",
            re.compile("api/v1/services/aigc/multimodal-generation/generation"),
            _speech,
            limited=True,
            paid=True,
        ),
        Operation("models", "qwen", "GET", re.compile("api/v1/models"), _models),
        Operation("media", "qwenmedia", "GET", clips.FILE, _media, public=True),
    )

    def credential(self, headers: Headers) -> str | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return key if scheme == "Bearer" else None

    def unknown_path(self, path: str) -> Reply:
        return _error(404, "NotFound", f"No such path: {path}", "unmatched")

    def headers(self, _call: Call, _now: float) -> dict[str, str]:
        return {}


SIMULATED = Qwen()
