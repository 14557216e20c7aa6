"""Speech in OpenAI's shape, `POST /audio/speech` answered with the audio itself: its own, and that of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import is_speech
from mediarelay.providers.api import Delivery, ProviderCall, StreamedBody
from mediarelay.providers.credentials import bearer_key
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_fields,
    own_pace_only,
    speech,
    too_long,
    voice,
)
from mediarelay.providers.openai.errors import OPENAI_ERRORS, openai_signals
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

MILLION: Final = 1_000_000
CHARACTERS_PER_TOKEN: Final = 4  # the usual rule of thumb for English
CHARACTERS_PER_SECOND: Final = 15  # English read aloud: about 150 words a minute
AUDIO_TOKENS_PER_SECOND: Final = 1250 / 60  # the list price of $12 per million comes to about $0.015 a minute

VOICES: Final = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx"),
    *("nova", "sage", "shimmer", "verse", "marin", "cedar"),
)


@dataclass(frozen=True, kw_only=True)
class OpenAiShapedSpeech:
    """Speech of one vendor that speaks OpenAI's shape: data says in what it differs. `input.language` has no field.

    Attributes:
        name: The provider's.
        vendor: Whose keys it is called with.
        host: Which of the vendor's addresses it is called at.
        voices: The voices that go by name.
        voices_of: Instead of those, the voices of a model that has its own, by its id.
        custom_voice: How the id of a voice of the caller's own begins; None where there are none.
        formats: Which of the request's formats the vendor has; empty means all.
        has_speed: Whether there is a field for the pace.
        instructed_models: How the ids of the models begin that take instructions; None where none does.
        signals: Reads the envelope of an error.
        errors: Rows of the vendor's own error table, read before OpenAI's.
        request_id_header: Where an answer has the id to quote in a support ticket.
    """

    name: str
    vendor: str
    host: str
    voices: tuple[str, ...]
    voices_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    custom_voice: str | None = None
    formats: tuple[str, ...] = ()
    has_speed: bool = True
    instructed_models: str | None = None
    signals: Callable[[HttpReply], Signals] = openai_signals
    errors: tuple[Row, ...] = ()
    request_id_header: str = "x-request-id"

    kind: ClassVar = Kind.TTS
    sign = staticmethod(bearer_key)

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges format, length, pace and voice."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            (not_offered(self.name, "input.format", asked.format, self.formats) if self.formats else None)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or (None if self.has_speed else own_pace_only(self.name, asked.speed))
            or self._voice_refusal(call)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The required fields, the format, and what differs from the vendor's defaults."""
        asked = speech(call)
        body: dict[str, Any] = {"model": call.model.id, "input": asked.text, "response_format": asked.format}
        if asked.speed != 1.0:
            body["speed"] = asked.speed
        if asked.instructions and self._takes_instructions(call):
            body["instructions"] = asked.instructions
        speaker = voice(call).id
        body["voice"] = {"id": speaker} if self._is_custom(speaker) else speaker
        return HttpRequest("POST", "/audio/speech", merged(body, own_fields(call)), read_timeout_seconds=60.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the speech, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, or the failure."""
        if not self.streams(reply.status, reply.headers):
            return self.failure(reply)
        request_id = reply.headers.get(self.request_id_header)
        return Delivery((StreamedBody(),), speech(call).format, self.estimate_usd(call), request_id)

    def failure(self, reply: HttpReply) -> Failure:
        """Returns what an answer without speech means."""
        return classify((*self.errors, *OPENAI_ERRORS), self.signals(reply), reply)

    def estimate_usd(self, call: ProviderCall) -> float:
        """From the request alone, as the answer carries no usage.

        Exact for models priced by the character. Of those priced by tokens, text tokens are estimated from the
        characters, and audio tokens from how long the text takes to read aloud at the speed asked for.
        """
        asked, prices = speech(call), call.model.prices
        characters = len(asked.text)
        seconds = characters / CHARACTERS_PER_SECOND / asked.speed
        millionths = (
            characters * prices.get("per_million_characters", 0.0)
            + characters / CHARACTERS_PER_TOKEN * prices.get("per_million_text_tokens", 0.0)
            + seconds * AUDIO_TOKENS_PER_SECOND * prices.get("per_million_audio_tokens", 0.0)
        )
        return max(millionths / MILLION, call.least_usd)

    def _takes_instructions(self, call: ProviderCall) -> bool:
        """Elsewhere they are left out, so that one request fits any model."""
        return self.instructed_models is not None and call.model.id.startswith(self.instructed_models)

    def _is_custom(self, speaker: str) -> bool:
        return self.custom_voice is not None and speaker.startswith(self.custom_voice)

    def _voice_refusal(self, call: ProviderCall) -> str | None:
        speaker = voice(call).id
        if self._is_custom(speaker):
            return None
        custom = () if self.custom_voice is None else (f"{self.custom_voice}<id>",)
        return not_offered(self.name, "voice", speaker, (*self.voices_of.get(call.model.id, self.voices), *custom))


# OpenAI's own. The model hears the language from the text; the tts-1 models take no instructions.
OPENAI_TTS: Final = OpenAiShapedSpeech(
    name="openai-tts",
    vendor="openai",
    host="openai",
    voices=VOICES,
    custom_voice="voice_",
    instructed_models="gpt-",
)
