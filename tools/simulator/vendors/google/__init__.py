"""Google Cloud Text-to-Speech as of November 2026: speech by Chirp 3 HD, the list of voices, Google's errors."""

import base64
import re
from collections.abc import Callable
from typing import Any

from tools.simulator.media import catalogue
from tools.simulator.vendors.gemini.errors import error, info, invalid
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Reply, Trouble, json_reply

_SERVICE = "texttospeech.googleapis.com"
_TEXT_BYTES = 5000
_DOLLARS_PER_CHARACTER = 30e-6
_RATE = 24000
_VOICE = re.compile(r"([a-z]{2,3}-[A-Z]{2})-Chirp3-HD-([A-Z][a-z]+)")
_NAMES = (
    *("Achernar", "Achird", "Algenib", "Algieba", "Alnilam", "Aoede", "Autonoe", "Callirrhoe", "Charon", "Despina"),
    *("Enceladus", "Erinome", "Fenrir", "Gacrux", "Iapetus", "Kore", "Laomedeia", "Leda", "Orus", "Puck"),
    *("Pulcherrima", "Rasalgethi", "Sadachbia", "Sadaltager", "Schedar", "Sulafat", "Umbriel", "Vindemiatrix"),
    *("Zephyr", "Zubenelgenubi"),
)
_LANGUAGES = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "pt-BR", "cmn-CN", "ja-JP", "ar-XA", "et-EE", "nb-NO")
_CODECS = {"LINEAR16": "wav", "MP3": "mp3", "OGG_OPUS": "opus", "PCM": "pcm"}
_TOO_LONG = (
    "Either `input.text` or `input.ssml` is longer than the limit of 5000 bytes. This limit is different from quotas. "
    "To fix, reduce the byte length of the characters in this request, or consider using the Long Audio API: "
    "https://cloud.google.com/text-to-speech/docs/create-audio-text-long-audio-synthesis."
)
_DISABLED = (
    "Cloud Text-to-Speech API has not been used in project 000000000000 before or it is disabled. Enable it by "
    "visiting https://console.developers.google.com/apis/api/texttospeech.googleapis.com/overview?project=000000000000 "
    "then retry."
)
_UNPAID = (
    "This API method requires billing to be enabled. Please enable billing on project #000000000000 by visiting "
    "https://console.developers.google.com/billing/enable?project=000000000000 then retry."
)


def _of(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    if not isinstance(found, dict):
        raise invalid(f"Invalid value at '{name}': a message is expected.")
    return found


def _said(body: dict[str, Any]) -> str:
    text = _of(body, "input").get("text")
    if not isinstance(text, str) or not text:
        raise invalid("Either `input.text` or `input.ssml` must be set.")
    if len(text.encode()) > _TEXT_BYTES:
        raise invalid(_TOO_LONG)
    return text


def _check_voice(body: dict[str, Any]) -> None:
    voice = _of(body, "voice")
    language, name = voice.get("languageCode"), str(voice.get("name"))
    found = _VOICE.fullmatch(name)
    if found is None or found[1] not in _LANGUAGES or found[2] not in _NAMES:
        raise invalid(f"Voice '{name}' does not exist. Is it misspelled?")
    if language != found[1]:
        raise invalid(
            f"Requested language code '{language}' doesn't match the voice '{name}''s language code '{found[1]}'. "
            "Either change the requested voice or language code."
        )


def _speech(call: Call) -> Reply:
    body = call.json
    said = _said(body)
    _check_voice(body)
    audio = _of(body, "audioConfig")
    encoding = audio.get("audioEncoding")
    codec = _CODECS.get(str(encoding))
    if codec is None:
        raise invalid(f"Unsupported audio encoding: {encoding}.")
    if not 0.25 <= (audio.get("speakingRate") or 1.0) <= 2.0:  # noqa: PLR2004 - its bounds
        raise invalid("Speaking rate is out of the range [0.25, 2.0].")
    spoken = base64.b64encode(catalogue.speech(said, codec, _RATE)).decode()
    purchase = Purchase(said, len(said), len(said) * _DOLLARS_PER_CHARACTER)
    reply = json_reply(200, {"audioContent": spoken})
    return Reply(200, reply.body, "application/json; charset=UTF-8", purchase=purchase)


def _voices(call: Call) -> Reply:
    wanted = call.query.get("languageCode", "")
    voices = [
        {
            "languageCodes": [language],
            "name": f"{language}-Chirp3-HD-{name}",
            "ssmlGender": "FEMALE",
            "naturalSampleRateHertz": _RATE,
        }
        for language in _LANGUAGES
        if language.startswith(wanted)
        for name in _NAMES
    ]
    return json_reply(200, {"voices": voices} if voices else {})


def _named(status: int, name: str, message: str, outcome: str, reason: str | None = None) -> Callable[[Trouble], Reply]:
    details = () if reason is None else (info(reason) | {"metadata": {"service": _SERVICE}},)
    return lambda _trouble: error(status, name, message, outcome, *details)


_ERRORS: NamedErrors = {
    "bad_key": _named(
        400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "bad_key", "API_KEY_INVALID"
    ),
    "permission_denied": _named(403, "PERMISSION_DENIED", _DISABLED, "permission_denied", "SERVICE_DISABLED"),
    "quota_exhausted": _named(403, "PERMISSION_DENIED", _UNPAID, "quota_exhausted", "BILLING_DISABLED"),
    "rate_limited": _named(
        429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", "rate_limited"
    ),
    "concurrency_limited": _named(
        429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", "concurrency_limited"
    ),
    # It refuses no words that were recorded: a text that it can't say is what comes nearest.
    "content_rejected": _named(
        400,
        "INVALID_ARGUMENT",
        "This request contains sentences that are too long. Consider splitting up long sentences with sentence ending "
        "punctuation e.g. periods.",
        "content_rejected",
    ),
    "invalid_request": _named(400, "INVALID_ARGUMENT", "Invalid JSON payload received.", "invalid_request"),
    "not_found": _named(404, "NOT_FOUND", "Requested entity was not found.", "not_found"),
    "server_error": _named(500, "INTERNAL", "Internal error encountered.", "server_error"),
    "overloaded": _named(503, "UNAVAILABLE", "The service is currently unavailable.", "overloaded"),
    "timeout": _named(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", "timeout"),
    "empty": lambda _trouble: json_reply(200, {"audioContent": ""}, outcome="empty"),
}


class Google:
    """Base URL without a version, as the client wants it. The owner of the limits is the project."""

    name = "google"
    base_urls = {"GOOGLE_BASE_URL": "/google"}  # noqa: RUF012 - the protocol reads it, nobody writes
    errors: NamedErrors = _ERRORS
    operations = (
        Operation("speech", "google", "POST", re.compile("v1/text:synthesize"), _speech, limited=True, paid=True),
        Operation("voices", "google", "GET", re.compile("v1/voices"), _voices),
    )

    def credential(self, headers: Headers) -> str | None:
        return headers.get("x-goog-api-key")

    def unknown_path(self, _path: str) -> Reply:
        return _ERRORS["not_found"](Trouble())

    def headers(self, _call: Call, _now: float) -> dict[str, str]:
        return {}


SIMULATED = Google()
