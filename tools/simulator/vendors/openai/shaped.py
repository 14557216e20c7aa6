"""A vendor of speech in OpenAI's shape, from data: its models, voices, formats and errors."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.simulator.media import catalogue
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, json_reply

from .errors import ERRORS, error, invalid

_RATE = 24000
_CREATED = 1_790_000_000
Invalid = Callable[[str, str], Reply]
Unknown = Callable[[object], Reply]


def no_such_model(model: object) -> Reply:
    """What a vendor says that answers as OpenAI does."""
    message = f"The model `{model}` does not exist."
    return error(400, "model_gone", message, "invalid_request_error", "model_not_found", "model")


def no_such_path(path: str) -> Reply:
    """What OpenAI says."""
    return error(404, "unmatched", f"Invalid URL ({path})", "invalid_request_error")


@dataclass(frozen=True)
class ShapedModel:
    """One model: its voices, the longest text in characters, and its price in dollars for a million of them."""

    voices: tuple[str, ...]
    text_characters: int
    million: float


@dataclass(frozen=True, kw_only=True)
class ShapedSpeech:
    """One vendor. `path` is what its base URL has behind the host, as an OpenAI SDK wants it.

    `speeds` are the lowest and the highest pace, where there is a field for it; `types` replace the usual media types;
    `invalid` and `unknown_model` make its refusals of a request; `request_id_header` names each answer.
    """

    name: str
    path: str
    models: Mapping[str, ShapedModel]
    formats: tuple[str, ...]
    usual_format: str = "mp3"
    speeds: tuple[float, float] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    errors: NamedErrors = field(default_factory=lambda: ERRORS)
    invalid: Invalid = invalid
    unknown_model: Unknown = no_such_model
    no_such_path: Callable[[str], Reply] = no_such_path
    request_id_header: str = "x-request-id"
    more_operations: tuple[Operation, ...] = ()

    @property
    def base_urls(self) -> Mapping[str, str]:
        return {f"{self.name.upper()}_BASE_URL": f"/{self.name}/{self.path}"}

    @property
    def operations(self) -> tuple[Operation, ...]:
        speech, models = re.compile(f"{self.path}/audio/speech"), re.compile(f"{self.path}/models")
        return (
            Operation("speech", self.name, "POST", speech, self._speech, limited=True, paid=True),
            Operation("models", self.name, "GET", models, self._models),
            *self.more_operations,
        )

    def credential(self, headers: Headers) -> str | None:
        return headers.get("authorization", "").removeprefix("Bearer ") or None

    def unknown_path(self, path: str) -> Reply:
        return self.no_such_path(path)

    def headers(self, call: Call, _now: float) -> dict[str, str]:
        return {self.request_id_header: call.request_id}

    def _speech(self, call: Call) -> Reply:
        body = call.json
        model = self.models.get(str(body.get("model")))
        if model is None:
            raise Refused(self.unknown_model(body.get("model")))
        self._check(body, model)
        text, codec = body["input"], body.get("response_format", self.usual_format)
        purchase = Purchase(text, len(text), len(text) * model.million / 1_000_000)
        media_type = self.types.get(codec, catalogue.AUDIO_TYPES[codec])
        return Reply(200, catalogue.speech(text, codec, _RATE), media_type, purchase=purchase, chunked=True)

    def _check(self, body: dict[str, Any], model: ShapedModel) -> None:
        text, speed = body.get("input"), body.get("speed", 1.0)
        lowest, highest = self.speeds or (1.0, 1.0)
        faults = {
            "voice": body.get("voice") not in model.voices and f"Voice {body.get('voice')!r} does not exist.",
            "response_format": body.get("response_format", self.usual_format) not in self.formats
            and f"response_format must be one of {', '.join(self.formats)}.",
            "speed": not (isinstance(speed, int | float) and lowest <= speed <= highest)
            and f"speed must be between {lowest} and {highest}.",
            "input": not (isinstance(text, str) and 0 < len(text) <= model.text_characters)
            and f"input must have 1 to {model.text_characters} characters.",
        }
        for param, message in faults.items():
            if message:
                raise Refused(self.invalid(message, param))

    def _models(self, _call: Call) -> Reply:
        data = [{"id": name, "object": "model", "created": _CREATED, "owned_by": self.name} for name in self.models]
        return json_reply(200, {"object": "list", "data": data})
