"""Gemini: speech in base64 inside JSON, as a WAV file or as headerless PCM."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest, Stretch
from mediarelay.providers.api import Delivery, InlineMedia, ProviderCall
from mediarelay.providers.credentials import header_key
from mediarelay.providers.gemini.errors import candidate, gemini_failure
from mediarelay.providers.gemini.pcm import is_wav, raw_rate, unpacked, wav_header
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_fields,
    own_pace_only,
    speech,
    too_long,
    voice,
)
from mediarelay.providers.json_reading import count, decoded, items, json_object, mapping, text
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

VOICES: Final = (
    *("Zephyr", "Puck", "Charon", "Kore", "Fenrir", "Leda", "Orus", "Aoede", "Callirrhoe", "Autonoe"),
    *("Enceladus", "Iapetus", "Umbriel", "Algieba", "Despina", "Erinome", "Algenib", "Rasalgethi", "Laomedeia"),
    *("Achernar", "Alnilam", "Schedar", "Gacrux", "Pulcherrima", "Achird", "Zubenelgenubi", "Vindemiatrix"),
    *("Sadachbia", "Sadaltager", "Sulafat"),
)
PCM_RATE: Final = 24_000  # what `pcm` means with every provider

_OWN_VOICE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WHOLE: Final = ("", "STOP", "FINISH_REASON_UNSPECIFIED")
_MILLION: Final = 1_000_000
_CHARACTERS_PER_TOKEN: Final = 4  # the vendor's rule of thumb
_CHARACTERS_PER_SECOND: Final = 15  # English read aloud: about 150 words a minute
_AUDIO_TOKENS_PER_SECOND: Final = 25


class GeminiTts:
    """POST /v1beta/models/{model}:generateContent. The text is said as it is, `input.instructions` are its style."""

    name: Final = "gemini-tts"
    vendor: Final = "gemini"
    kind: Final = Kind.TTS
    host: Final = "gemini"
    formats: Final = ("wav", "pcm")
    sign = staticmethod(header_key("x-goog-api-key"))

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges format, length, pace and voice. There is no field for the pace."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            not_offered(self.name, "input.format", asked.format, self.formats)
            or own_pace_only(self.name, asked.speed)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or self._voice_refusal(call)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The whole speech comes at once, so the time allowed is that of making all of it."""
        asked = speech(call)
        part: dict[str, Any] = {"text": asked.text}
        if asked.instructions:
            part["speechMetadata"] = {"style": asked.instructions}
        manner: dict[str, Any] = {"voiceConfig": _voice_config(call)}
        if asked.language:
            manner["languageCode"] = asked.language
        derived = {
            "contents": [{"role": "user", "parts": [part]}],
            "generationConfig": {"responseModalities": ["AUDIO"], "speechConfig": manner},
        }
        path = f"/v1beta/models/{call.model.id}:generateContent"
        return HttpRequest("POST", path, merged(derived, own_fields(call)), read_timeout_seconds=180.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Never: the speech is inside JSON."""
        del status, headers
        return False

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The speech, whole and decodable, priced by the answer's own usage; or the failure."""
        body = json_object(reply.body) if reply.status == 200 else {}  # noqa: PLR2004 - OK
        format_ = speech(call).format
        media = _spoken(candidate(body), format_, reply.files)
        if media is None:
            return gemini_failure(reply)
        used = _used_usd(mapping(body.get("usageMetadata")), call)
        cost = self.estimate_usd(call) if used is None else max(used, call.least_usd)
        return Delivery((media,), format_, cost, text(body.get("responseId")) or None)

    def estimate_usd(self, call: ProviderCall) -> float:
        """Text tokens from the characters, audio tokens from how long the text takes to read aloud."""
        characters = len(speech(call).text)
        seconds = characters / _CHARACTERS_PER_SECOND
        usd = _usd(call, characters / _CHARACTERS_PER_TOKEN, seconds * _AUDIO_TOKENS_PER_SECOND)
        return max(usd, call.least_usd)

    def _voice_refusal(self, call: ProviderCall) -> str | None:
        """The thirty voices go by name. A voice of the caller's own is for this provider's option or the book alone:
        another provider's name for one, taken for it, would be refused by the vendor as the caller's fault.
        """
        speaker = voice(call)
        if not speaker.in_book and call.options.get("voice") is None:
            return not_offered(self.name, "voice", speaker.id, VOICES)
        if _OWN_VOICE.fullmatch(speaker.id):
            return None
        return f"voice: {speaker.id}; {self.name} takes 1 to 64 letters, digits, '_' or '-'"


def _voice_config(call: ProviderCall) -> dict[str, Any]:
    speaker = voice(call).id
    return {"prebuiltVoiceConfig": {"voiceName": speaker}} if speaker in VOICES else {"voice": speaker}


def _spoken(answer: Mapping[str, Any], format_: str, files: Mapping[str, Stretch]) -> InlineMedia | None:
    """All parts of a whole speech in the format asked for; None when there is none, or one that broke off.

    The bytes say what they are: newer models send a WAV file, older ones raw samples, whatever the type beside them.
    """
    blobs = [
        mapping(mapping(part).get("inlineData") or mapping(part).get("inline_data"))
        for part in items(mapping(answer.get("content")).get("parts"))
    ]
    pieces = [(data, _media_type(blob)) for blob in blobs if (data := decoded(blob.get("data"), files))]
    if not pieces or text(answer.get("finishReason")) not in _WHOLE:
        return None
    if format_ == "wav" and len(pieces) == 1 and is_wav(pieces[0][0]):
        return InlineMedia(pieces[0][0])
    sound = [unpacked(data) if is_wav(data) else _raw(data, media_type) for data, media_type in pieces]
    heard = [piece for piece in sound if piece is not None]
    rates = {rate for _, rate in heard}
    if len(heard) != len(pieces) or len(rates) != 1:
        return None
    samples, rate = [data for data, _ in heard], rates.pop()
    size = sum(map(len, samples))
    if not size or size % 2 or (format_ == "pcm" and rate != PCM_RATE):
        return None
    parts = [wav_header(size, rate), *samples] if format_ == "wav" else samples
    held = [part for part in parts if isinstance(part, bytes)]
    return InlineMedia(b"".join(held)) if len(held) == len(parts) else InlineMedia(parts[0], tuple(parts[1:]))


def _media_type(blob: Mapping[str, Any]) -> str:
    return text(blob.get("mimeType")) or text(blob.get("mime_type"))


def _raw(data: bytes | Stretch, media_type: str) -> tuple[bytes | Stretch, int] | None:
    """Samples and their rate; None for what is no PCM."""
    rate = raw_rate(media_type, otherwise=PCM_RATE)
    return None if rate is None else (data, rate)


def _used_usd(usage: Mapping[str, Any], call: ProviderCall) -> float | None:
    """The price from the answer's own figures; None when they are missing or make no sense."""
    spent_in, spent_out = count(usage.get("promptTokenCount")), count(usage.get("candidatesTokenCount"))
    return None if spent_in is None or spent_out is None else _usd(call, spent_in, spent_out)


def _usd(call: ProviderCall, text_tokens: float, audio_tokens: float) -> float:
    prices = call.model.prices
    text_usd = text_tokens * prices.get("per_million_text_tokens", 0.0)
    return (text_usd + audio_tokens * prices.get("per_million_audio_tokens", 0.0)) / _MILLION
