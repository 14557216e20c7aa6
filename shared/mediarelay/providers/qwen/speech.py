"""Qwen's speech: one call, answered with the address of a WAV file of 24 kHz on Alibaba's object storage.

Sources: Model Studio's pages of Qwen-TTS (models, limits, prices: 2026-01; API: 2026-03) and its SDKs (dashscope 2.0.2;
the voices are those of its Java SDK's `AudioParameters.Voice`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import media_in
from mediarelay.providers.api import Delivery, ProviderCall, RemoteMedia
from mediarelay.providers.credentials import bearer_key
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_fields,
    own_pace_only,
    speech,
    too_long,
    voice,
)
from mediarelay.providers.json_reading import count, json_object, mapping, text
from mediarelay.providers.qwen.errors import qwen_failure
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

VOICES: Final = (
    *("Cherry", "Serena", "Ethan", "Chelsie", "Momo", "Vivian", "Moon", "Maia", "Kai", "Nofish", "Bella", "Jennifer"),
    *("Ryan", "Katerina", "Aiden", "Eldric Sage", "Mia", "Mochi", "Bellona", "Vincent", "Bunny", "Neil", "Elias"),
    *("Arthur", "Nini", "Ebona", "Seren", "Pip", "Stella", "Bodega", "Sonrisa", "Alek", "Dolce", "Sohee", "Ono Anna"),
    *("Lenn", "Emilien", "Andre", "Radio Gol", "Jada", "Dylan", "Li", "Marcus", "Roy", "Peter", "Sunny", "Eric"),
    *("Rocky", "Kiki"),
)
# By the first part of a language tag.
LANGUAGES: Final[Mapping[str, str]] = {
    "zh": "Chinese",
    "en": "English",
    "de": "German",
    "it": "Italian",
    "pt": "Portuguese",
    "es": "Spanish",
    "ja": "Japanese",
    "ko": "Korean",
    "fr": "French",
    "ru": "Russian",
}

_PATH: Final = "/services/aigc/multimodal-generation/generation"
# The vendor's own links begin with http://, and its storage answers to https as well.
_STORAGE: Final = re.compile(r"http://(?=[a-z0-9.-]+\.aliyuncs\.com/)", re.IGNORECASE)
# Chinese characters, in Japanese and Korean text too, are counted twice.
_COUNTED_TWICE: Final = re.compile(
    "[\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_MILLION: Final = 1_000_000


class QwenTts:
    """POST …/multimodal-generation/generation. Options are further fields of its `input`; instructions have none."""

    name: Final = "qwen-tts"
    vendor: Final = "qwen"
    kind: Final = Kind.TTS
    host: Final = "qwen"
    sign = staticmethod(bearer_key)
    voices: Final = VOICES
    formats: Final = ("wav",)

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges format, length, pace, voice and language."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            not_offered(self.name, "input.format", asked.format, self.formats)
            or own_pace_only(self.name, asked.speed)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or not_offered(self.name, "voice", voice(call).id, self.voices)
            or (asked.language and not_offered(self.name, "input.language", _main(asked.language), LANGUAGES))
            or None
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The speech is made before the answer begins, so the time allowed is that of making all of it."""
        asked = speech(call)
        given: dict[str, Any] = {"text": asked.text, "voice": voice(call).id}
        if asked.language:
            given["language_type"] = LANGUAGES[_main(asked.language)]
        body = {"model": call.model.id, "input": merged(given, own_fields(call)), "parameters": {}}
        return HttpRequest("POST", _PATH, body, read_timeout_seconds=120.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Never: the answer is JSON with an address."""
        del status, headers
        return False

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """Where the speech is, priced by the characters that the answer counts; or the failure."""
        body = json_object(reply.body) if reply.status == 200 else {}  # noqa: PLR2004 - OK
        media = media_in(mapping(mapping(body.get("output")).get("audio")), reply)
        if media is None:
            return qwen_failure(reply)
        if isinstance(media, RemoteMedia):
            media = RemoteMedia(_STORAGE.sub("https://", media.url, count=1))
        counted = count(mapping(body.get("usage")).get("characters"))
        cost = self.estimate_usd(call) if counted is None else max(_usd(call, counted), call.least_usd)
        return Delivery((media,), speech(call).format, cost, text(body.get("request_id")) or None)

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the character, a Chinese one twice."""
        said = speech(call).text
        return max(_usd(call, len(said) + len(_COUNTED_TWICE.findall(said))), call.least_usd)


def _main(language: str) -> str:
    return language.partition("-")[0]


def _usd(call: ProviderCall, characters: float) -> float:
    return characters * call.model.prices.get("per_million_characters", 0.0) / _MILLION
