"""Gemini: speech and models, at either version of the API and in either spelling of its fields."""

import base64
import json
import math
import re
from typing import Any

from tools.simulator.media import catalogue
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, Trouble, json_reply

from .errors import ERRORS, error, invalid

# US dollars per million text and audio tokens.
_MODELS = {"gemini-3.8-flash-tts": (0.5, 9.0), "gemini-3.8-flash-lite-tts": (0.5, 6.0)}
_MAX_TOKENS = 8192
_CHARACTERS_PER_TOKEN = 4
_AUDIO_TOKENS_PER_SECOND = 25
_RATE = 24000
_VOICE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_VERSION = "(?:v1|v1beta)"
_GENERATE = re.compile(rf"{_VERSION}/models/(?P<model>[\w.-]+):generateContent")
_MODELS_PATH = re.compile(f"{_VERSION}/models")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _one_spelling(value: Any) -> Any:
    """The value with all names of fields in camel case, as protocol buffers read either."""
    if isinstance(value, dict):
        return {_camel(name): _one_spelling(inner) for name, inner in value.items()}
    return [_one_spelling(inner) for inner in value] if isinstance(value, list) else value


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name, {})
    if not isinstance(found, dict):
        raise invalid(f"Invalid value at '{name}': a message is expected.")
    return found


def _require(condition: object, message: str) -> None:
    if not condition:
        raise invalid(message)


def _texts(body: dict[str, Any]) -> list[str]:
    given = body.get("contents")
    contents = given if isinstance(given, list) else []
    _require(contents, "* GenerateContentRequest.contents: contents is not specified")
    parts = [part for content in contents for part in content.get("parts", ())]
    texts = [part.get("text") for part in parts]
    _require(texts and all(isinstance(text, str) and text for text in texts), "A part has no text to say.")
    return texts


def _check_voice(manner: dict[str, Any]) -> None:
    config = _object(manner, "voiceConfig")
    prebuilt = _object(config, "prebuiltVoiceConfig").get("voiceName")
    voice = prebuilt or config.get("voice") or "Kore"
    _require(isinstance(voice, str) and _VOICE.fullmatch(voice), f"Voice name {voice} is not supported.")
    language = manner.get("languageCode", "en")
    _require(isinstance(language, str) and _LANGUAGE.fullmatch(language), f"Language code {language} is not supported.")


def _generate(call: Call) -> Reply:
    model = call.path["model"]
    if model not in _MODELS:
        message = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
        raise Refused(error(404, "NOT_FOUND", message, "not_found"))
    body = _one_spelling(call.json)
    said = " ".join(_texts(body))
    config = _object(body, "generationConfig")
    only_speech = "The requested combination of response modalities is not supported by the model."
    _require(config.get("responseModalities") == ["AUDIO"], only_speech)
    _check_voice(_object(config, "speechConfig"))
    tokens = math.ceil(len(said) / _CHARACTERS_PER_TOKEN)
    _require(tokens <= _MAX_TOKENS, f"The input token count ({tokens}) exceeds the maximum of {_MAX_TOKENS}.")
    samples = catalogue.speech(said, "pcm", _RATE)
    spoken = math.ceil(len(samples) / 2 / _RATE * _AUDIO_TOKENS_PER_SECOND)
    # The 3.8 models answer a unary call with a whole file; those before them with bare samples.
    file = catalogue.speech(said, "wav", _RATE)
    text_price, audio_price = _MODELS[model]
    purchase = Purchase(said, len(said), (tokens * text_price + spoken * audio_price) / 1e6)
    blob = {"mimeType": "audio/wav", "data": base64.b64encode(file).decode()}
    answer = {
        "candidates": [
            {"content": {"role": "model", "parts": [{"inlineData": blob}]}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": tokens,
            "candidatesTokenCount": spoken,
            "totalTokenCount": tokens + spoken,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": spoken}],
        },
        "modelVersion": model,
        "responseId": call.request_id,
    }
    return Reply(200, json.dumps(answer).encode(), "application/json; charset=UTF-8", purchase=purchase)


def _models(call: Call) -> Reply:
    size = call.query.get("pageSize", "50")
    _require(size.isdecimal() and int(size) > 0, "page_size is not a positive number.")
    names = list(_MODELS)[: int(size)]
    models = [
        {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name,
            "inputTokenLimit": _MAX_TOKENS,
            "outputTokenLimit": 2 * _MAX_TOKENS,
            "supportedGenerationMethods": ["countTokens", "generateContent"],
        }
        for name in names
    ]
    more = {"nextPageToken": "more"} if len(names) < len(_MODELS) else {}
    return json_reply(200, {"models": models, **more})


class Gemini:
    """Base URL without a version, as the SDK wants it. The owner of the limits is the project."""

    name = "gemini"
    base_urls = {"GEMINI_BASE_URL": "/gemini"}  # noqa: RUF012 - the protocol reads it, nobody writes
    errors: NamedErrors = ERRORS
    operations = (
        Operation("speech", "gemini", "POST", _GENERATE, _generate, limited=True, paid=True),
        Operation("models", "gemini", "GET", _MODELS_PATH, _models),
    )

    def credential(self, headers: Headers) -> str | None:
        return headers.get("x-goog-api-key")

    def unknown_path(self, _path: str) -> Reply:
        return ERRORS["not_found"](Trouble())

    def headers(self, _call: Call, _now: float) -> dict[str, str]:
        return {}


SIMULATED = Gemini()
