"""Replicate: MiniMax's speech, as official models. A sentence is there within seconds; more is followed up by its id.

Source: the models' own pages on replicate.com (`minimax/speech-2.8-turbo`, schema of its version fb87e0f2), 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import Accepted, Delivery, Finished, JobFailed, ProviderCall
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_fields,
    pace_within,
    speech,
    too_long,
    voice,
)
from mediarelay.providers.json_reading import json_object, text
from mediarelay.providers.replicate.predictions import Predictions
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

# The system voices that the models' pages list; a cloned one, or one of MiniMax's other lists, goes by the option.
VOICES: Final = (
    *("Wise_Woman", "Friendly_Person", "Inspirational_girl", "Deep_Voice_Man", "Calm_Woman", "Casual_Guy"),
    *("Lively_Girl", "Patient_Man", "Young_Knight", "Determined_Man", "Lovely_Girl", "Decent_Boy", "Imposing_Manner"),
    *("Elegant_Man", "Abbess", "Sweet_Girl_2", "Exuberant_Girl", "English_expressive_narrator"),
)
# By the first part of a language tag. It is a hint: any other language is heard from the text.
_LANGUAGES: Final = (
    "zh:Chinese yue:Chinese,Yue en:English ar:Arabic ru:Russian es:Spanish fr:French pt:Portuguese de:German "
    "tr:Turkish nl:Dutch uk:Ukrainian vi:Vietnamese id:Indonesian ja:Japanese it:Italian ko:Korean th:Thai "
    "pl:Polish ro:Romanian el:Greek cs:Czech fi:Finnish hi:Hindi bg:Bulgarian da:Danish he:Hebrew ms:Malay "
    "sk:Slovak sv:Swedish hr:Croatian hu:Hungarian no:Norwegian sl:Slovenian ca:Catalan ta:Tamil"
)
LANGUAGES: Final[Mapping[str, str]] = dict(pair.split(":", 1) for pair in _LANGUAGES.split())
PACE: Final = (0.5, 2.0)
PCM_RATE: Final = 24_000  # what `pcm` means with every provider

# See docs/decisions/0016: a sentence is done within seconds, and the id of more is known as soon.
_HOLD_SECONDS: Final = 5
_WAY_SECONDS: Final = 2.0  # what an answer takes besides the time for which it is held
_DEADLINE: Final = {"cancel-after": "2m"}
_MILLION: Final = 1_000_000


class ReplicateTts(Predictions):
    """Options are further inputs of the model, such as `emotion`; for `input.instructions` there is no field."""

    name: Final = "replicate-tts"
    kind: Final = Kind.TTS
    formats: Final = ("mp3", "wav", "flac", "pcm")

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges format, length, pace and voice."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        own_voice = call.options.get("voice") is not None
        return (
            not_offered(self.name, "input.format", asked.format, self.formats)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or pace_within(self.name, asked.speed, PACE)
            or (None if own_voice else not_offered(self.name, "voice", voice(call).id, VOICES))
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The prediction ends by itself after minutes."""
        asked = speech(call)
        given: dict[str, Any] = {"text": asked.text, "voice_id": voice(call).id, "audio_format": asked.format}
        if asked.speed != 1.0:
            given["speed"] = asked.speed
        if asked.language:
            given["language_boost"] = LANGUAGES.get(asked.language.partition("-")[0], "Automatic")
        if asked.format == "pcm":
            given["sample_rate"] = PCM_RATE
        return self.making(call, merged(given, own_fields(call))).with_headers(_DEADLINE)

    def held(self, request: HttpRequest, seconds: float) -> HttpRequest:
        """An answer that is held too long is lost, and the id with it."""
        wait = min(_HOLD_SECONDS, max(1, int(seconds - _WAY_SECONDS)))
        return request.with_headers({"prefer": f"wait={wait}"})

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Never: the answer is the prediction, with an address once it is over."""
        del status, headers
        return False

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Accepted | Failure:
        """The prediction as it is when the answer comes: over, or accepted."""
        accepted = self.made(reply)
        if isinstance(accepted, Failure):
            return accepted
        prediction = json_object(reply.body)
        state = self.state(prediction, call)
        if isinstance(state, Finished):
            return Delivery(state.media, state.formats[0], state.cost_usd, text(prediction.get("id")))
        return state.failure if isinstance(state, JobFailed) else accepted

    def made_as(self, call: ProviderCall) -> tuple[str, ...]:
        """As asked for."""
        return (speech(call).format,)

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the character."""
        usd = len(speech(call).text) * call.model.prices.get("per_million_characters", 0.0) / _MILLION
        return max(usd, call.least_usd)
