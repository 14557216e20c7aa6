"""OpenAI: speech, images, models, as of November 2026."""

import base64
import json
import math
import re
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from tools.simulator.media import catalogue
from tools.simulator.media.colour import PALETTE_SIZE
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, json_reply

from .errors import ERRORS, UNLIMITED_RPM, duration, error, invalid

_SPEECH_END = "2027-01-06"
_SPEECH_MODELS = dict.fromkeys(("gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15", "tts-1", "tts-1-hd"), _SPEECH_END)
_IMAGE_MODELS: dict[str, str | None] = {
    **dict.fromkeys(("gpt-image-1-mini", "gpt-image-1.5", "chatgpt-image-latest"), "2026-12-01"),
    **dict.fromkeys(("gpt-image-2", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst"), None),
    **dict.fromkeys(("gpt-image-2.6-flare", "gpt-image-2.6-sunburst"), None),
}
_VOICES = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "onyx",
    "nova",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_RATE = 24000
_SIZES = ("1024x1024", "1536x1024", "1024x1536")
# Output tokens of a square of 1024 by quality; a picture of another size costs as many more as it costs more.
_OUTPUT_TOKENS = {"low": 272, "medium": 1056, "high": 4160}
_OUTPUT_TOKENS_2 = {"low": 196, "medium": 1756, "high": 7024}
_OUTPUT_TOKENS_25 = {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024}
_PORTRAIT = 0.165 / 0.211
_LEAST_PIXELS, _MOST_PIXELS = 655_360, 8_294_400
_DOLLARS_PER_CHARACTER = 15e-6
_DOLLARS_PER_IMAGE_TOKEN = 30e-6
_CREATED = 1_780_000_000


def _require(condition: object, message: str, param: str, code: str = "invalid_value") -> None:
    if not condition:
        raise Refused(invalid(message, param, code))


def _one_of(body: dict[str, Any], param: str, allowed: tuple[str, ...], default: str) -> str:
    value = body.get(param, default)
    listed = ", ".join(f"'{item}'" for item in allowed)
    _require(value in allowed, f"Invalid value: {value!r}. Supported values are: {listed}.", param)
    return str(value)


def _text(body: dict[str, Any], param: str, limit: int) -> str:
    value = body.get(param)
    _require(value is not None, f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    _require(isinstance(value, str) and value, f"Invalid '{param}': expected a non-empty string.", param)
    text = str(value)
    too_long = (
        f"Invalid '{param}': string too long. Expected a string with maximum length {limit}, but got {len(text)}."
    )
    _require(len(text) <= limit, too_long, param, "string_above_max_length")
    return text


def _number(body: dict[str, Any], param: str, low: float, high: float, default: float) -> float:
    value = body.get(param, default)
    valid = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    _require(valid, f"Invalid '{param}': expected a value between {low} and {high}.", param)
    return float(value)


def _model(body: dict[str, Any], known: dict[str, Any]) -> str:
    model = body.get("model")
    _require(model, "you must provide a model parameter", "model", "missing_required_parameter")
    if model not in known:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise Refused(error(404, "model_gone", message, "invalid_request_error", "model_not_found"))
    return str(model)


def _check_voice(voice: object) -> None:
    _require(voice is not None, "Missing required parameter: 'voice'.", "voice", "missing_required_parameter")
    custom = isinstance(voice, dict) and str(voice.get("id", "")).startswith("voice_")
    _require(
        custom or voice in _VOICES, f"Invalid value: {voice!r}. Supported values are: {', '.join(_VOICES)}.", "voice"
    )


def _speech(call: Call) -> Reply:
    body = call.json
    model = _model(body, _SPEECH_MODELS)
    text = _text(body, "input", 4096)
    _check_voice(body.get("voice"))
    codec = _one_of(body, "response_format", _FORMATS, "mp3")
    _number(body, "speed", 0.25, 4.0, 1.0)
    stream_format = _one_of(body, "stream_format", ("audio", "sse"), "audio")
    audio = catalogue.speech(text, codec, _RATE)
    purchase = Purchase(text, len(text), len(text) * _DOLLARS_PER_CHARACTER)
    if stream_format == "sse":
        _require(not model.startswith("tts-1"), f"stream_format 'sse' is not supported for {model}.", "stream_format")
        return Reply(
            200,
            content_type="text/event-stream; charset=utf-8",
            purchase=purchase,
            stream=partial(_events, audio, text),
        )
    return Reply(200, audio, catalogue.AUDIO_TYPES[codec], purchase=purchase, chunked=True)


async def _events(audio: bytes, text: str, step: int = 8192) -> AsyncIterator[bytes]:
    for at in range(0, len(audio), step):
        part = base64.b64encode(audio[at : at + step]).decode()
        yield _event({"type": "speech.audio.delta", "audio": part})
    tokens = _tokens(text)
    usage = {"input_tokens": tokens, "output_tokens": 2 * tokens, "total_tokens": 3 * tokens}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _size(body: dict[str, Any], model: str) -> tuple[int, int]:
    size = body.get("size", "auto")
    if size == "auto":
        return 1024, 1024
    listed = size in _SIZES
    free = model.startswith("gpt-image-2")
    found = re.fullmatch(r"([1-9]\d{1,3})x([1-9]\d{1,3})", str(size)) if free or listed else None
    if found is None:
        raise Refused(
            invalid(f"Invalid value: {size!r}. Supported values are: {', '.join(_SIZES)}, and 'auto'.", "size")
        )
    width, height = int(found[1]), int(found[2])
    too_few = f"Invalid size {size!r}: below the current minimum pixel budget of {_LEAST_PIXELS}."
    _require(width * height >= _LEAST_PIXELS, too_few, "size")
    longest, shortest = max(width, height), min(width, height)
    fits = longest <= 3840 and width * height <= _MOST_PIXELS and longest <= 3 * shortest  # noqa: PLR2004 - the documented maximum
    _require(
        fits and width % 16 == height % 16 == 0, f"Invalid size {size!r}: not within the limits of {model}.", "size"
    )
    return width, height


def _check_image_options(body: dict[str, Any], model: str) -> None:
    for legacy in ("response_format", "style"):
        _require(legacy not in body, f"Unknown parameter: '{legacy}'.", legacy, "unknown_parameter")
    _one_of(body, "moderation", ("auto", "low"), "auto")
    compression = _number(body, "output_compression", 0, 100, 100)
    output_format = _one_of(body, "output_format", ("png", "webp", "jpeg"), "png")
    background = _one_of(body, "background", ("transparent", "opaque", "auto"), "auto")
    lossy = output_format != "png" or compression == 100  # noqa: PLR2004 - per cent
    _require(lossy, "Compression less than 100 is not supported for PNG output format.", "output_compression")
    opaque = background != "transparent" or output_format != "jpeg"
    _require(opaque, f"Transparent background is not supported for {output_format} by {model}.", "background")


def _qualities(model: str) -> tuple[str, ...]:
    newer = model.startswith(("gpt-image-2.5", "gpt-image-2.6"))
    return ("auto", "low", "medium", "high", *(("xhigh", "max") if newer else ()))


def _image(call: Call) -> Reply:
    body = call.json
    model = _model(body, _IMAGE_MODELS)
    prompt = _text(body, "prompt", 32_000)
    count = int(_number(body, "n", 1, 10, 1))
    width, height = _size(body, model)
    quality = _one_of(body, "quality", _qualities(model), "auto")
    _check_image_options(body, model)
    kind = body.get("output_format", "png")
    made = "low" if quality == "auto" else quality
    tokens = round(_tokens_of(model)[made] * (1.0 if width == height else _PORTRAIT)) * count
    seed = catalogue.seed_of(prompt)
    answer = {
        "created": int(time.time()),
        "data": [
            {"b64_json": catalogue.image_base64(kind, width, height, (seed + i) % PALETTE_SIZE)} for i in range(count)
        ],
        "background": "opaque",
        "output_format": kind,
        "quality": made,
        "size": f"{width}x{height}",
        "usage": _usage(_tokens(prompt), tokens),
    }
    return Reply(200, json.dumps(answer).encode(), purchase=Purchase(prompt, count, tokens * _DOLLARS_PER_IMAGE_TOKEN))


def _tokens_of(model: str) -> dict[str, int]:
    if not model.startswith("gpt-image-2"):
        return _OUTPUT_TOKENS
    return _OUTPUT_TOKENS_2 if model == "gpt-image-2" else _OUTPUT_TOKENS_25


def _usage(text: int, output: int) -> dict[str, Any]:
    details = {"text_tokens": text, "image_tokens": 0}
    return {
        "input_tokens": text,
        "output_tokens": output,
        "total_tokens": text + output,
        "input_tokens_details": details,
    }


def _models(_call: Call) -> Reply:
    data = [
        {"id": name, "object": "model", "created": _CREATED, "owned_by": "system", "shutdown_date": end}
        for name, end in (_SPEECH_MODELS | _IMAGE_MODELS).items()
    ]
    return json_reply(200, {"object": "list", "data": data})


class OpenAI:
    """Base URL with `/v1`, as the SDK wants it."""

    name = "openai"
    base_urls = {"OPENAI_BASE_URL": "/openai/v1"}  # noqa: RUF012 - the protocol reads it, nobody writes
    operations = (
        Operation("speech", "openai", "POST", re.compile("v1/audio/speech"), _speech, limited=True, paid=True),
        Operation("image", "openai", "POST", re.compile("v1/images/generations"), _image, limited=True, paid=True),
        Operation("models", "openai", "GET", re.compile("v1/models"), _models),
    )

    errors: NamedErrors = ERRORS

    def credential(self, headers: Headers) -> str | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return key if scheme == "Bearer" else None

    def unknown_path(self, path: str) -> Reply:
        return error(404, "unmatched", f"Invalid URL ({path})", "invalid_request_error")

    def headers(self, call: Call, now: float) -> dict[str, str]:
        headers = {"x-request-id": f"req_{call.request_id.replace('-', '')}"}
        account = call.holder.account
        if account is None or not call.operation.limited:
            return headers
        bucket = account.bucket
        limit, left, reset = (
            (round(bucket.rate * 60), int(bucket.level(now)), bucket.seconds_until_full(now))
            if bucket
            else (UNLIMITED_RPM, UNLIMITED_RPM - 1, 0.002)
        )
        return headers | {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": duration(reset),
        }


SIMULATED = OpenAI()
