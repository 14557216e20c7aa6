"""Deepgram's speech, as of November 2026: Aura-2's voices, formats by encoding and container, and its errors."""

import re
from collections.abc import Callable

from tools.simulator.media import catalogue
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, Trouble, json_reply

_LANGUAGES = ("en", "es", "de", "fr", "it", "nl", "ja")
_VOICE = re.compile(rf"aura-2-[a-z]+-({'|'.join(_LANGUAGES)})")
_UNKNOWN = "aura-2-nobody-en"
# Encoding and container, the first of them where none is named: the codec, and its rate in Hz where it is fixed.
_CODECS: dict[tuple[str, str], tuple[str, int | None]] = {
    ("mp3", ""): ("mp3", 22_050),
    ("opus", "ogg"): ("opus", 48_000),
    ("aac", ""): ("aac", 24_000),
    ("flac", ""): ("flac", None),
    ("linear16", "wav"): ("wav", None),
    ("linear16", "none"): ("pcm", None),
    ("mulaw", "none"): ("ulaw", 8_000),
    ("alaw", "none"): ("alaw", 8_000),
}
_RATES = ("8000", "16000", "22050", "24000", "32000", "48000")
_PACE = (0.7, 1.5)
_TEXT_CHARACTERS = 2000
_DOLLARS_PER_CHARACTER = 30e-6


def _error(status: int, outcome: str, code: str, message: str, name: str = "err_code") -> Callable[[Trouble], Reply]:
    def reply(trouble: Trouble) -> Reply:
        words = "err_msg" if name == "err_code" else "message"
        return json_reply(status, {name: code, words: message, "request_id": trouble.request_id}, outcome=outcome)

    return reply


def _refused(call: Call, status: int, code: str, message: str) -> Refused:
    return Refused(_error(status, "invalid_request", code, message)(Trouble(request_id=call.request_id)))


def _codec(call: Call) -> tuple[str, int]:
    encoding, container = call.query.get("encoding", "mp3"), call.query.get("container", "")
    fitting = {names[1]: found for names, found in _CODECS.items() if names[0] == encoding}
    found = fitting.get(container) if container else next(iter(fitting.values()), None)
    if found is None:
        raise _refused(call, 400, "UNSUPPORTED_AUDIO_FORMAT", f"Unsupported audio format: {encoding} {container}")
    codec, fixed = found
    rate = call.query.get("sample_rate")
    if rate is not None and (fixed or rate not in _RATES):
        raise _refused(call, 400, "UNSUPPORTED_AUDIO_FORMAT", f"sample_rate {rate} is not applicable to {encoding}")
    return codec, fixed or int(rate or 24_000)


def _text(call: Call) -> str:
    text = call.json.get("text")
    if not isinstance(text, str) or not text:
        raise _refused(call, 400, "PAYLOAD_ERROR", "Failed to deserialize JSON payload: `text` is needed.")
    if len(text) > _TEXT_CHARACTERS:
        message = f"Input text exceeds maximum character limit of {_TEXT_CHARACTERS}."
        raise _refused(call, 413, "Payload Too Large", message)
    return text


def _voice(call: Call) -> str:
    name = call.query.get("model", "aura-asteria-en")
    found = _VOICE.fullmatch(name)
    if found is None or name == _UNKNOWN:
        raise _refused(call, 400, "Bad Request", "No such model/version combination found.")
    speed = call.query.get("speed")
    if speed is not None and (found[1] not in ("en", "es") or not _PACE[0] <= float(speed) <= _PACE[1]):
        raise _refused(call, 400, "INVALID_QUERY_PARAMETER", "speed must be between 0.7 and 1.5")
    return name


def _speak(call: Call) -> Reply:
    name, text = _voice(call), _text(call)
    codec, rate = _codec(call)
    headers = {"dg-model-name": name, "dg-char-count": str(len(text)), "dg-request-id": call.request_id}
    return Reply(
        200,
        catalogue.speech(text, codec, rate, kbps=32),
        "audio/ogg;codecs=opus" if codec == "opus" else catalogue.AUDIO_TYPES[codec],
        headers,
        purchase=Purchase(text, len(text), len(text) * _DOLLARS_PER_CHARACTER),
        chunked=True,
    )


def _projects(_call: Call) -> Reply:
    return json_reply(200, {"projects": [{"project_id": "00000000-0000-4000-8000-000000000000", "name": "simulated"}]})


_ERRORS: NamedErrors = {
    "bad_key": _error(401, "bad_key", "INVALID_AUTH", "Invalid credentials."),
    "permission_denied": _error(
        403, "permission_denied", "INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."
    ),
    "quota_exhausted": _error(
        402,
        "quota_exhausted",
        "ASR_PAYMENT_REQUIRED",
        "Project does not have enough credits for an ASR request and does not have an overage agreement.",
    ),
    "rate_limited": _error(
        429, "concurrency_limited", "TOO_MANY_REQUESTS", "Too many requests. Please try again later."
    ),
    "concurrency_limited": _error(
        429, "concurrency_limited", "TOO_MANY_REQUESTS", "Too many requests. Please try again later."
    ),
    "content_rejected": _error(400, "content_rejected", "Bad Request", "The text violates the content policy."),
    "invalid_request": _error(400, "invalid_request", "INVALID_JSON", "Invalid JSON submitted."),
    "not_found": _error(400, "not_found", "Bad Request", "No such model/version combination found."),
    "server_error": _error(422, "server_error", "UNPROCESSABLE_ENTITY", "Failed to handle request."),
    "overloaded": _error(503, "overloaded", "Service Unavailable", "Please try again later.", name="error_code"),
    "timeout": _error(504, "timeout", "GATEWAY_TIMEOUT", "The request timed out."),
}
VENDOR_DOCUMENTS = {"overloaded": "vendor document: developers.deepgram.com, errors, 2026-11"}


class Deepgram:
    """Everything but the text is in the query."""

    name = "deepgram"
    base_urls = {"DEEPGRAM_BASE_URL": "/deepgram"}  # noqa: RUF012 - the protocol reads it, nobody writes
    operations = (
        Operation("speech", "deepgram", "POST", re.compile("v1/speak"), _speak, limited=True, paid=True),
        Operation("projects", "deepgram", "GET", re.compile("v1/projects"), _projects),
    )
    errors: NamedErrors = _ERRORS

    def credential(self, headers: Headers) -> str | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return key if scheme == "Token" else None

    def unknown_path(self, path: str) -> Reply:
        return _error(404, "unmatched", "NOT_FOUND", f"No such path: {path}")(Trouble())

    def headers(self, call: Call, _now: float) -> dict[str, str]:
        return {"dg-request-id": call.request_id}


SIMULATED = Deepgram()
