"""ElevenLabs: music and sound effects, each as a streamed body in the answer to the call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import is_speech
from mediarelay.providers.api import Delivery, ProviderCall, StreamedBody
from mediarelay.providers.credentials import header_key
from mediarelay.providers.elevenlabs.errors import elevenlabs_failure
from mediarelay.providers.elevenlabs.prices import MILLION, credits_usd
from mediarelay.providers.input_checks import merged, sound, too_long, wrong_length
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

OUTPUT_FORMAT: Final = "mp3_44100_128"
# What is made, or may be, when no length is asked for.
DEFAULT_SECONDS: Final[Mapping[str, float]] = {"music": 60.0, "sfx": 10.0}


class ElevenLabsAudio:
    """POST /v1/music or /v1/sound-generation, as `input.type` says."""

    name: Final = "elevenlabs-audio"
    vendor: Final = "elevenlabs"
    kind: Final = Kind.AUDIO
    host: Final = "elevenlabs"
    sign = staticmethod(header_key("xi-api-key"))

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the model's type, and the length of sound and prompt."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes music and sound effects only"
        asked = sound(call)
        if call.model.serves != asked.type:
            return f"model.{self.name}: {call.model.id} makes {call.model.serves}, not {asked.type}"
        return too_long(
            self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters")
        ) or wrong_length(self.name, _seconds(call), call)

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Without a duration music is a minute long; an effect is as long as the vendor finds fit."""
        asked = sound(call)
        body: dict[str, Any] = {"model_id": call.model.id}
        if asked.type == "music":
            path, own = "/v1/music", {"prompt": asked.prompt, "music_length_ms": round(_seconds(call) * 1000)}
        else:
            path, own = "/v1/sound-generation", {"text": asked.prompt}
            own |= {"duration_seconds": asked.duration} if asked.duration else {}
        params = {"output_format": OUTPUT_FORMAT}
        return HttpRequest("POST", path, merged(body | own, call.options), params=params, read_timeout_seconds=240.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the sound, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, priced by the credits the answer reports, or the failure."""
        if not self.streams(reply.status, reply.headers):
            return elevenlabs_failure(reply)
        return Delivery(
            (StreamedBody(),),
            "mp3",
            credits_usd(reply, call.model, otherwise=self.estimate_usd(call)),
            reply.headers.get("request-id"),
        )

    def estimate_usd(self, call: ProviderCall) -> float:
        """Music by the minute begun; effects in credits, by the second where a length is asked for, else each."""
        asked, prices = sound(call), call.model.prices
        if asked.type == "music":
            return max(math.ceil(_seconds(call) / 60) * prices.get("per_minute", 0.0), call.least_usd)
        by_second = prices.get("credits_per_second", 0.0)
        used = asked.duration * by_second if asked.duration else prices.get("credits_per_result", 0.0)
        return max(used * prices.get("per_million_credits", 0.0) / MILLION, call.least_usd)


def _seconds(call: ProviderCall) -> float:
    asked = sound(call)
    return asked.duration or DEFAULT_SECONDS[asked.type]
