"""Google Cloud Text-to-Speech: speech in base64 inside JSON, by the voices of Chirp 3 HD.

A voice is a name that speaks every language, `Kore`, or with its language, as the vendor writes it:
`en-GB-Chirp3-HD-Kore`. Sources: its guide to Chirp 3 HD (2026) and its client 2.38.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest, Stretch
from mediarelay.providers.api import Delivery, InlineMedia, ProviderCall
from mediarelay.providers.credentials import header_key
from mediarelay.providers.gemini.speech import PCM_RATE, VOICES
from mediarelay.providers.google.errors import google_failure
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_fields,
    pace_within,
    speech,
    too_many_bytes,
    voice,
)
from mediarelay.providers.json_reading import decoded, json_object
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

ENCODINGS: Final[Mapping[str, str]] = {"mp3": "MP3", "wav": "LINEAR16", "opus": "OGG_OPUS", "pcm": "PCM"}
PACE: Final = (0.25, 2.0)
# The first of a language is meant when no region is named; the very first when no language is.
LOCALES: Final = (
    *("en-US", "en-GB", "en-AU", "en-IN", "es-ES", "es-US", "fr-FR", "fr-CA", "de-DE", "it-IT", "pt-BR", "nl-NL"),
    *("nl-BE", "ja-JP", "ko-KR", "cmn-CN", "hi-IN", "ar-XA", "ru-RU", "pl-PL", "tr-TR", "uk-UA", "vi-VN", "id-ID"),
    *("th-TH", "sv-SE", "da-DK", "nb-NO", "fi-FI", "cs-CZ", "sk-SK", "sl-SI", "hu-HU", "ro-RO", "bg-BG", "hr-HR"),
    *("sr-RS", "el-GR", "he-IL", "et-EE", "lv-LV", "lt-LT", "bn-IN", "gu-IN", "kn-IN", "ml-IN", "mr-IN", "ta-IN"),
    *("te-IN", "ur-IN", "sw-KE"),
)

_OWN: Final = {"zh": "cmn", "no": "nb", "iw": "he"}
_WHOLE_NAME: Final = re.compile(r"([a-z]{2,3}-[A-Z]{2})-Chirp3-HD-([A-Z][a-z]+)")
_MILLION: Final = 1_000_000


class GoogleTts:
    """POST /v1/text:synthesize. There is no field for `input.instructions`: it is left out."""

    name: Final = "google-tts"
    vendor: Final = "google"
    kind: Final = Kind.TTS
    host: Final = "google"
    formats: Final = tuple(ENCODINGS)
    sign = staticmethod(header_key("x-goog-api-key"))

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges format, length, pace, voice and language."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            not_offered(self.name, "input.format", asked.format, self.formats)
            or too_many_bytes(self.name, "input.text", asked.text, call.model.limits.get("text_bytes"))
            or pace_within(self.name, asked.speed, PACE)
            or self._voice_refusal(call)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The whole speech comes at once. A voice's name has its language in it."""
        asked = speech(call)
        audio: dict[str, Any] = {"audioEncoding": ENCODINGS[asked.format]}
        if asked.format == "pcm":
            audio["sampleRateHertz"] = PCM_RATE
        if asked.speed != 1.0:
            audio["speakingRate"] = asked.speed
        language, name = _spoken_by(call)
        derived = {
            "input": {"text": asked.text},
            "voice": {"languageCode": language, "name": f"{language}-Chirp3-HD-{name}"},
            "audioConfig": audio,
        }
        return HttpRequest("POST", "/v1/text:synthesize", merged(derived, own_fields(call)), read_timeout_seconds=60.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Never: the speech is inside JSON."""
        del status, headers
        return False

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The speech, priced by the text, since the answer tells no usage; or the failure."""
        spoken: bytes | Stretch = b""
        if reply.status == 200:  # noqa: PLR2004 - OK
            spoken = decoded(json_object(reply.body).get("audioContent"), reply.files)
        if not spoken:
            return google_failure(reply)
        return Delivery((InlineMedia(spoken),), speech(call).format, self.estimate_usd(call))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the character."""
        usd = len(speech(call).text) * call.model.prices.get("per_million_characters", 0.0) / _MILLION
        return max(usd, call.least_usd)

    def _voice_refusal(self, call: ProviderCall) -> str | None:
        """Its own option takes any name of the vendor's form: a voice that is newer than our list can be had."""
        speaker, asked = voice(call).id, speech(call)
        whole = _WHOLE_NAME.fullmatch(speaker)
        if whole:
            return None if call.options.get("voice") else not_offered(self.name, "voice", whole[2], VOICES)
        unknown = not_offered(self.name, "voice", speaker, (*VOICES, "<language>-Chirp3-HD-<name>"))
        if unknown is None and _locale(asked.language) is None:
            return f"input.language: {asked.language}; {self.name} model {call.model.id} does not speak it"
        return unknown


def _spoken_by(call: ProviderCall) -> tuple[str, str]:
    """Returns the language and the name of the voice."""
    speaker = voice(call).id
    whole = _WHOLE_NAME.fullmatch(speaker)
    return (whole[1], whole[2]) if whole else (_locale(speech(call).language) or LOCALES[0], speaker)


@lru_cache(maxsize=64)
def _locale(language: str | None) -> str | None:
    """Returns the vendor's own tag for a language such as `zh` or `pt-PT`; None when it has none."""
    if language is None:
        return LOCALES[0]
    exact = next((each for each in LOCALES if each.lower() == language.lower()), None)
    base = language.partition("-")[0].lower()
    return exact or next((each for each in LOCALES if each.partition("-")[0] == _OWN.get(base, base)), None)
