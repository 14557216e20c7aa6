"""ElevenLabs: text to speech, models, subscription."""

import base64
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tools.simulator.media import catalogue
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, Trouble, json_reply

from . import audio

# Longest text in characters, and credits per character.
_MODELS = {
    "eleven_v4": (10_000, 1.0),
    "eleven_v3": (5_000, 1.0),
    "eleven_multilingual_v2": (10_000, 1.0),
    "eleven_flash_v2": (30_000, 0.5),
    "eleven_turbo_v2": (30_000, 0.5),
    "eleven_flash_v2_5": (40_000, 0.5),
    "eleven_turbo_v2_5": (40_000, 0.5),
}
_DEFAULT_MODEL = "eleven_multilingual_v2"
_VOICE = re.compile(r"[A-Za-z0-9]{20}")
# George, Rachel, Sarah, Chris, Brian, Alice: gone from 2026-12-31, and never there for accounts made since March 2026.
_PREMADE = frozenset(
    {
        "JBFqnCBsd6RMkjVDRZzb",
        "21m00Tcm4TlvDq8ikWAM",
        "EXAVITQu4vr4xnSDxMaL",
        "iP95p4xoKVk53GoZ742B",
        "nPczCjzI2devNBz1zQrb",
        "Xb7hH8MSUJpSbSDYk0k2",
    }
)
_MP3 = ("22050_32", "24000_48", *(f"44100_{kbps}" for kbps in (32, 64, 96, 128, 192)))
_PCM_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
_UNLIMITED_CREDITS = 1_000_000
_UNLIMITED_CONCURRENCY = 15
_MAX_SEED = 4_294_967_295
_SETTINGS = {"stability": (0, 1), "similarity_boost": (0, 1), "style": (0, 1), "speed": (0.7, 1.2)}


def _error(
    status: int, type_: str, code: str, message: str, outcome: str, legacy: str | None = None
) -> Callable[[Trouble], Reply]:
    def reply(trouble: Trouble) -> Reply:
        detail = {
            "type": type_,
            "code": code,
            "status": legacy or code,
            "message": message,
            "request_id": trouble.request_id,
        }
        return json_reply(status, {"detail": detail}, outcome=outcome)

    return reply


def _quota(trouble: Trouble) -> Reply:
    account = trouble.account
    left = account.balance if account and account.balance is not None and account.state == "ok" else 0
    quota = left + (account.spent if account else 0)
    message = (
        f"This request exceeds your quota of {quota:.0f}. You have {left:.0f} credits remaining, "
        f"while {trouble.cost:.0f} credits are required for this request."
    )
    return _error(401, "payment_required", "quota_exceeded", message, "quota_exhausted")(trouble)


def _refuse(call: Call, message: str, code: str) -> Refused:
    return Refused(
        _error(400, "validation_error", code, message, "invalid_request")(Trouble(request_id=call.request_id))
    )


def _no_voice(voice: str) -> Reply:
    detail = {"status": "voice_not_found", "message": f"A voice with the voice_id {voice} was not found."}
    return json_reply(404, {"detail": detail}, outcome="not_found")


def _require(condition: object, call: Call, message: str, code: str = "invalid_parameters") -> None:
    if not condition:
        raise _refuse(call, message, code)


def _missing(field: str) -> Refused:
    problem = {"type": "missing", "loc": ["body", field], "msg": "Field required", "input": {}}
    return Refused(json_reply(422, {"detail": [problem]}, outcome="invalid_request"))


def _format(name: str) -> tuple[str, int, int] | None:
    """Codec, rate in Hz and bit rate in kbit/s of an output format; None when there is no such format."""
    codec, _, rest = name.partition("_")
    rate, _, kbps = rest.partition("_")
    if not rate.isdigit() or (kbps and not kbps.isdigit()):
        return None
    parts = codec, int(rate), int(kbps or 0)
    valid = {
        "mp3": lambda: rest in _MP3,
        "pcm": lambda: parts[1] in _PCM_RATES and not kbps,
        "wav": lambda: parts[1] in _PCM_RATES and not kbps,
        "opus": lambda: rate == "48000" and kbps in ("32", "64", "96", "128", "192"),
        "ulaw": lambda: rest == "8000",
        "alaw": lambda: rest == "8000",
    }
    return parts if codec in valid and valid[codec]() else None


def _within(value: object, low: float, high: float) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high)


def _check_options(call: Call, body: dict[str, Any]) -> None:
    settings = body.get("voice_settings") or {}
    _require(isinstance(settings, dict), call, "voice_settings must be an object")
    for name, (low, high) in _SETTINGS.items():
        _require(_within(settings.get(name), low, high), call, f"voice_settings.{name} must be from {low} to {high}")
    _require(_within(body.get("seed"), 0, _MAX_SEED), call, f"seed must be from 0 to {_MAX_SEED}")


def _asked_format(call: Call) -> tuple[str, int, int]:
    name = call.query.get("output_format", "mp3_44100_128")
    if (found := _format(name)) is None:
        raise _refuse(call, f"Output format {name!r} is not supported.", "invalid_output_format")
    return found


def _check_voice(call: Call) -> None:
    voice, account = call.path["voice"], call.account.name
    known = _VOICE.fullmatch(voice) and call.world.voices.has("elevenlabs", account, voice, premade=voice in _PREMADE)
    if not known:
        raise Refused(_no_voice(voice))


def _speech(call: Call) -> Reply:
    body = call.json
    if "text" not in body:
        raise _missing("text")
    text, model = body["text"], body.get("model_id") or _DEFAULT_MODEL
    codec, rate, kbps = _asked_format(call)
    _check_voice(call)
    _require(model in _MODELS, call, f"A model with model ID {model} does not exist.", "model_not_found")
    _require(isinstance(text, str) and text, call, "text must be a non-empty string", "empty_text")
    _check_options(call, body)
    longest, credits_each = _MODELS[model]
    too_long = f"This model accepts at most {longest} characters per request; there are {len(text)}."
    _require(len(text) <= longest, call, too_long, "max_character_limit_exceeded")
    credits_used = math.ceil(len(text) * credits_each)
    headers, purchase = {"character-cost": str(credits_used)}, Purchase(text, len(text), credits_used)
    sound = catalogue.speech(text, codec, rate, kbps)
    if call.path["form"] == "/with-timestamps":
        return replace(json_reply(200, _timed(text, sound), headers), purchase=purchase)
    chunked = bool(call.path["form"])
    return Reply(200, sound, catalogue.AUDIO_TYPES[codec], headers=headers, purchase=purchase, chunked=chunked)


def _timed(text: str, sound: bytes) -> dict[str, Any]:
    """The speech with the time of each character, which are all heard equally long."""
    each = catalogue.seconds_of(text) / len(text)
    alignment = {
        "characters": list(text),
        "character_start_times_seconds": [round(at * each, 3) for at in range(len(text))],
        "character_end_times_seconds": [round((at + 1) * each, 3) for at in range(len(text))],
    }
    audio = base64.b64encode(sound).decode()
    return {"audio_base64": audio, "alignment": alignment, "normalized_alignment": alignment}


def _models(_call: Call) -> Reply:
    models = [
        {
            "model_id": name,
            "name": name.replace("_", " ").title(),
            "can_do_text_to_speech": True,
            "can_do_voice_conversion": False,
            "token_cost_factor": cost,
            "maximum_text_length_per_request": longest,
            "languages": [{"language_id": "en", "name": "English"}],
            "model_rates": {"character_cost_multiplier": cost},
        }
        for name, (longest, cost) in _MODELS.items()
    ]
    return json_reply(200, models)


def _subscription(call: Call) -> Reply:
    account = call.account
    left = _UNLIMITED_CREDITS if account.balance is None else account.balance
    zero = {"amount": "0", "currency": "usd"}
    numbers = dict.fromkeys(
        (
            "max_credit_limit_extension",
            "voice_slots_used",
            "professional_voice_slots_used",
            "professional_voice_slots_used_in_workspace",
            "voice_add_edit_counter",
            "professional_voice_limit",
        ),
        0,
    )
    flags = dict.fromkeys(
        (
            "can_extend_character_limit",
            "allowed_to_extend_character_limit",
            "can_extend_voice_limit",
            "can_use_instant_voice_cloning",
            "can_use_professional_voice_cloning",
            "has_open_invoices",
        ),
        False,
    )
    usage = {
        "tier": "creator",
        "status": "active",
        "character_count": round(account.spent),
        "character_limit": round(left + account.spent),
        "next_character_count_reset_unix": 1_798_761_600,
        "voice_limit": 30,
        "currency": "usd",
        "current_overage": zero,
        "open_invoices": [],
    }
    return json_reply(200, usage | numbers | flags)


_MISSING_PERMISSION = "The API key you used is missing the permission text_to_speech to execute this operation."
_TOO_MANY = "Too many concurrent requests. Your subscription has a maximum."


class ElevenLabs:
    """Base URL without `/v1`, as the SDK wants it. Never sends Retry-After."""

    name = "elevenlabs"
    base_urls = {"ELEVENLABS_BASE_URL": "/elevenlabs"}  # noqa: RUF012 - the protocol reads it, nobody writes
    operations = (
        Operation(
            "speech",
            "elevenlabs",
            "POST",
            re.compile(r"v1/text-to-speech/(?P<voice>[^/]+)(?P<form>/stream|/with-timestamps|)"),
            _speech,
            limited=True,
            paid=True,
        ),
        Operation("models", "elevenlabs", "GET", re.compile("v1/models"), _models),
        Operation("subscription", "elevenlabs", "GET", re.compile("v1/user/subscription"), _subscription),
        *audio.OPERATIONS,
    )
    errors: NamedErrors = {  # noqa: RUF012 - a constant table
        "bad_key": _error(401, "authentication_error", "invalid_api_key", "Invalid API key", "bad_key"),
        "bad_key_400": _error(400, "authentication_error", "invalid_api_key", "Invalid API key", "bad_key"),
        "permission_denied": _error(
            401, "authentication_error", "unauthorized", _MISSING_PERMISSION, "permission_denied", "missing_permissions"
        ),
        "quota_exhausted": _quota,
        "payment_issue": _error(
            401,
            "payment_required",
            "payment_issue",
            "Your subscription has a failed or incomplete payment.",
            "quota_exhausted",
        ),
        "paid_plan_required": _error(
            402, "payment_required", "paid_plan_required", "Free users can't use library voices.", "permission_denied"
        ),
        "unusual_activity": _error(
            401,
            "authentication_error",
            "detected_unusual_activity",
            "Unusual activity detected. Free Tier usage disabled.",
            "bad_key",
        ),
        "rate_limited": _error(429, "rate_limit_error", "rate_limit_exceeded", "Too many requests.", "rate_limited"),
        "concurrency_limited": _error(
            429,
            "rate_limit_error",
            "concurrent_limit_exceeded",
            _TOO_MANY,
            "concurrency_limited",
            "too_many_concurrent_requests",
        ),
        "system_busy": _error(
            429, "rate_limit_error", "system_busy", "The system is busy. Please try again.", "overloaded"
        ),
        "content_rejected": _error(
            400, "validation_error", "content_rejected", "The text violates our terms of service.", "content_rejected"
        ),
        "invalid_request": _error(
            400, "validation_error", "invalid_parameters", "The request body is not valid.", "invalid_request"
        ),
        "not_found": lambda _: _no_voice("foo"),
        "server_error": _error(500, "internal_error", "internal_error", "Something went wrong.", "server_error"),
        "overloaded": _error(
            503, "service_unavailable", "service_unavailable", "The service is temporarily unavailable.", "overloaded"
        ),
        "timeout": _error(504, "internal_error", "timeout", "The request timed out.", "timeout"),
    }

    def credential(self, headers: Headers) -> str | None:
        return headers.get("xi-api-key")

    def unknown_path(self, _path: str) -> Reply:
        return json_reply(404, {"detail": "Not Found"}, outcome="unmatched")

    def headers(self, call: Call, _now: float) -> dict[str, str]:
        headers = {"request-id": call.request_id}
        if call.holder.account is None or not call.operation.limited:
            return headers
        slots = call.holder.account.slots
        return headers | {
            "current-concurrent-requests": str(slots.in_use),
            "maximum-concurrent-requests": str(slots.limit or _UNLIMITED_CONCURRENCY),
        }


SIMULATED = ElevenLabs()
