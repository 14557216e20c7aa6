"""Deepgram's Aura-2: `POST /v1/speak` answered with the audio itself, everything but the text in the query.

A voice is one of the vendor's models there, such as `aura-2-thalia-en`; ours is the family, which has one price.
Sources: developers.deepgram.com and its SDK 7.17.0, 2026-11. Beyond English the gender of a voice is that of its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import is_speech
from mediarelay.providers.api import Delivery, ProviderCall, StreamedBody
from mediarelay.providers.credentials import header_key
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.input_checks import not_offered, own_fields, speech, too_long, voice
from mediarelay.providers.json_reading import count, json_object, text
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome

_MILLION: Final = 1_000_000
# Raw samples at the rate that `pcm` has with every provider; the rate of MP3 and of Opus is the vendor's own.
_FORMATS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "mp3": {"encoding": "mp3"},
        "opus": {"encoding": "opus", "container": "ogg"},
        "aac": {"encoding": "aac"},
        "flac": {"encoding": "flac"},
        "wav": {"encoding": "linear16", "container": "wav", "sample_rate": "24000"},
        "pcm": {"encoding": "linear16", "container": "none", "sample_rate": "24000"},
    }
)
_VOICE: Final = re.compile(r"aura-2-[a-z]{1,32}-([a-z]{2})")
_PACE: Final = (0.7, 1.5)
_PACED: Final = ("en", "es")
_REFUSED: Final = (
    *("INVALID_JSON", "INVALID_QUERY_PARAMETER", "UNSUPPORTED_AUDIO_FORMAT", "PAYLOAD_ERROR", "PAYLOAD_TOO_LARGE"),
    *("Payload Too Large", "UNSUPPORTED_MEDIA_TYPE"),
)
_ERRORS: Final = (
    Row(Outcome.KEY_REJECTED, codes=("INVALID_AUTH",)),
    Row(Outcome.PERMISSION_DENIED, codes=("INSUFFICIENT_PERMISSIONS",)),
    # It says so of speech too, though it is named for the other direction.
    Row(Outcome.QUOTA_EXHAUSTED, codes=("ASR_PAYMENT_REQUIRED",)),
    # No such voice: another provider has one.
    Row(Outcome.INVALID_REQUEST, says="no such model/version combination", statuses=(400,), named="no_such_voice"),
    Row(Outcome.INVALID_REQUEST, codes=_REFUSED),
    # The model failed; it says nothing of the request.
    Row(Outcome.PROVIDER_FAULT, codes=("UNPROCESSABLE_ENTITY",)),
    # So many calls at once, over all keys of the project.
    Row(Outcome.THROTTLED, codes=("TOO_MANY_REQUESTS", "Too Many Requests")),
    Row(Outcome.OVERLOADED, codes=("SERVICE_UNAVAILABLE", "Service Unavailable")),
)


def deepgram_failure(reply: HttpReply) -> Failure:
    """Returns what an answer without speech means. The envelope has three forms, which differ in names only."""
    body = json_object(reply.body)
    codes = tuple(filter(None, (text(body.get(name)) for name in ("err_code", "error_code", "category"))))
    message = next(filter(None, (text(body.get(name)) for name in ("err_msg", "message", "details"))), "")
    return classify(_ERRORS, Signals(codes, message=message, body=body), reply)


class DeepgramTts:
    """There is no field for `input.instructions`: they are left out. Options are parameters of the query."""

    name: Final = "deepgram-tts"
    vendor: Final = "deepgram"
    host: Final = "deepgram"
    kind: Final = Kind.TTS
    formats: Final = tuple(_FORMATS)
    sign = staticmethod(header_key("authorization", "Token"))

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the format, the text's length, the voice, its pace."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked, speaker = speech(call), voice(call).id
        spoken = _VOICE.fullmatch(speaker)
        return (
            not_offered(self.name, "input.format", asked.format, self.formats)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or (None if spoken else f"voice: {speaker}; {self.name} takes names such as aura-2-thalia-en")
            or self._pace_refusal(asked.speed, spoken[1] if spoken else "")
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The voice goes as the vendor's model."""
        asked = speech(call)
        pace = {} if asked.speed == 1.0 else {"speed": f"{asked.speed:g}"}
        own = {name: _query_value(value) for name, value in own_fields(call).items()}
        query = {"model": voice(call).id, **_FORMATS[asked.format], **pace, **own}
        return HttpRequest("POST", "/v1/speak", {"text": asked.text}, params=query, read_timeout_seconds=60.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the speech, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, priced by the characters that the answer says were billed, or the failure."""
        if not self.streams(reply.status, reply.headers):
            return deepgram_failure(reply)
        billed = count(reply.headers.get("dg-char-count"))
        usd = self.estimate_usd(call) if billed is None else max(_usd(call, billed), call.least_usd)
        return Delivery((StreamedBody(),), speech(call).format, usd, reply.headers.get("dg-request-id"))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the character."""
        return max(_usd(call, len(speech(call).text)), call.least_usd)

    def _pace_refusal(self, speed: float, language: str) -> str | None:
        slowest, fastest = _PACE
        if speed == 1.0 or (language in _PACED and slowest <= speed <= fastest):
            return None
        return f"input.speed: {speed:g}; {self.name} takes {slowest:g} to {fastest:g}, English and Spanish, else 1"


def _usd(call: ProviderCall, characters: float) -> float:
    return characters * call.model.prices.get("per_million_characters", 0.0) / _MILLION


def _query_value(value: Any) -> str:
    """JSON's spelling: the vendor reads `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
