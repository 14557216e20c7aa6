"""Speech in OpenAI's shape, `POST /audio/speech` answered with the audio itself: its own, and a base for others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import Delivery, ProviderCall, StreamedBody
from mediarelay.providers.credentials import bearer_key
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_pace_only,
    reserved_option,
    speech,
    too_long,
)
from mediarelay.providers.openai.errors import openai_failure
from mediarelay.providers.openai.prices import speech_usd
from mediarelay.providers.streamed_body import is_speech
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

VOICES: Final = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx"),
    *("nova", "sage", "shimmer", "verse", "marin", "cedar"),
)


class OpenAiShapedSpeech:
    """What every vendor that speaks OpenAI's shape has in common. `input.language` has no field there.

    A subclass names itself, its vendor and its host, and says in what the vendor differs.

    Attributes:
        voices: The voices that go by name.
        default_voice: Used when the request names none.
        custom_voice: How the id of a voice of the caller's own begins; None where there are none.
        formats: Which of the request's formats the vendor has; empty means all.
        has_speed: Whether there is a field for the pace.
    """

    name: str
    vendor: str
    host: str
    kind: Final = Kind.TTS
    sign = staticmethod(bearer_key)
    voices: tuple[str, ...] = VOICES
    default_voice: str = "alloy"
    custom_voice: str | None = None
    formats: tuple[str, ...] = ()
    has_speed: bool = True

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges format, length, pace and voice, and options that would bypass them."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            reserved_option(call.options, self._reserved())
            or (not_offered(self.name, "input.format", asked.format, self.formats) if self.formats else None)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or (None if self.has_speed else own_pace_only(self.name, asked.speed))
            or self._voice_refusal(self._voice(call))
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The required fields, the format, and what differs from the vendor's defaults."""
        asked = speech(call)
        body: dict[str, Any] = {"model": call.model.id, "input": asked.text, "response_format": asked.format}
        if asked.speed != 1.0:
            body["speed"] = asked.speed
        if asked.instructions and self.takes_instructions(call):
            body["instructions"] = asked.instructions
        voice = str(self._voice(call))
        body = merged(body, call.options)
        body["voice"] = {"id": voice} if self._is_custom(voice) else voice
        return HttpRequest("POST", "/audio/speech", body, read_timeout_seconds=60.0)

    def takes_instructions(self, call: ProviderCall) -> bool:
        """Whether the model has a field for them. Elsewhere they are left out, so that one request fits any model."""
        del call
        return False

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the speech, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, or the failure."""
        if not self.streams(reply.status, reply.headers):
            return self.failure(reply)
        return Delivery(
            (StreamedBody(),), speech(call).format, self.estimate_usd(call), reply.headers.get("x-request-id")
        )

    def failure(self, reply: HttpReply) -> Failure:
        """Returns what an answer without speech means."""
        return openai_failure(reply)

    def estimate_usd(self, call: ProviderCall) -> float:
        """Exact for models priced by the character, estimated for those priced by audio tokens."""
        return speech_usd(speech(call), call.model)

    def _reserved(self) -> Mapping[str, str]:
        return {
            "model": f"set model.{self.name} instead",
            "input": "set input.text instead",
            "response_format": "set input.format instead",
            "stream_format": "the answer is read as audio; leave it out",
        }

    def _voice(self, call: ProviderCall) -> object:
        """The provider's own option before the request's voice: one request can name a voice for each provider."""
        return call.options.get("voice") or speech(call).voice or self.default_voice

    def _is_custom(self, voice: object) -> bool:
        return self.custom_voice is not None and isinstance(voice, str) and voice.startswith(self.custom_voice)

    def _voice_refusal(self, voice: object) -> str | None:
        if self._is_custom(voice):
            return None
        custom = () if self.custom_voice is None else (f"{self.custom_voice}<id>",)
        return not_offered(self.name, "voice", voice, (*self.voices, *custom))


class OpenAiTts(OpenAiShapedSpeech):
    """OpenAI's own. The model hears the language from the text."""

    name = "openai-tts"
    vendor = "openai"
    host = "openai"
    custom_voice = "voice_"

    def takes_instructions(self, call: ProviderCall) -> bool:
        """All but the tts-1 models."""
        return not call.model.id.startswith("tts-1")
