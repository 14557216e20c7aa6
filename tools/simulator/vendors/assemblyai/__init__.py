"""AssemblyAI's speech in OpenAI's shape, as of November 2026: its models, voices and formats; OpenAI's errors."""

import re
from typing import Any

from tools.simulator.media import catalogue
from tools.simulator.vendors.openai.errors import ERRORS, error, invalid
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, json_reply

_MODELS = ("assemblyai-tts-en", "assemblyai-tts-1")
_MAPPED = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx")
_VOICES = (
    *_MAPPED,
    *(f"aai-{name}" for name in ("jane", "michael", "charles", "george", "anna", "paul", "mary", "eve")),
)
_FORMATS = ("mp3", "wav", "pcm")
_RATE = 24000
_TEXT_CHARACTERS = 5000
_DOLLARS_PER_CHARACTER = 15e-6
_CREATED = 1_790_000_000


def _check(body: dict[str, Any]) -> None:
    if body.get("model") not in _MODELS:
        message = f"The model `{body.get('model')}` does not exist."
        raise Refused(error(400, "model_gone", message, "invalid_request_error", "model_not_found", "model"))
    if body.get("voice") not in _VOICES:
        raise Refused(invalid(f"Voice {body.get('voice')!r} does not exist.", "voice"))
    if body.get("response_format", "mp3") not in _FORMATS:
        raise Refused(invalid(f"response_format must be one of {', '.join(_FORMATS)}.", "response_format"))
    text = body.get("input")
    if not isinstance(text, str) or not 0 < len(text) <= _TEXT_CHARACTERS:
        raise Refused(invalid(f"input must have 1 to {_TEXT_CHARACTERS} characters.", "input"))


def _speech(call: Call) -> Reply:
    body = call.json
    _check(body)
    text, codec = body["input"], body.get("response_format", "mp3")
    purchase = Purchase(text, len(text), len(text) * _DOLLARS_PER_CHARACTER)
    return Reply(
        200, catalogue.speech(text, codec, _RATE), catalogue.AUDIO_TYPES[codec], purchase=purchase, chunked=True
    )


def _models(_call: Call) -> Reply:
    data = [{"id": name, "object": "model", "created": _CREATED, "owned_by": "assemblyai"} for name in _MODELS]
    return json_reply(200, {"object": "list", "data": data})


class AssemblyAi:
    """Base URL with `/v1/openai`, as an OpenAI SDK wants it."""

    name = "assemblyai"
    base_urls = {"ASSEMBLYAI_BASE_URL": "/assemblyai/v1/openai"}  # noqa: RUF012 - the protocol reads it, nobody writes
    operations = (
        Operation(
            "speech", "assemblyai", "POST", re.compile("v1/openai/audio/speech"), _speech, limited=True, paid=True
        ),
        Operation("models", "assemblyai", "GET", re.compile("v1/openai/models"), _models),
    )

    errors: NamedErrors = ERRORS

    def credential(self, headers: Headers) -> str | None:
        return headers.get("authorization", "").removeprefix("Bearer ") or None

    def unknown_path(self, path: str) -> Reply:
        return error(404, "unmatched", f"Invalid URL ({path})", "invalid_request_error")

    def headers(self, call: Call, _now: float) -> dict[str, str]:
        return {"x-request-id": call.request_id}


SIMULATED = AssemblyAi()
