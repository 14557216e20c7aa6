"""Sounds on fal's queue: Stable Audio's music and sound effects, and ElevenLabs' sound effects."""

from __future__ import annotations

import math
from typing import Any, Final

from mediarelay.http.messages import HttpRequest
from mediarelay.providers.api import ProviderCall
from mediarelay.providers.fal.queue import FalJobs, submission
from mediarelay.providers.input_checks import merged, sound, too_long, wrong_length
from mediarelay.vocabulary.kinds import Kind

DEFAULT_SECONDS: Final = 30.0
# An effect without a length is as long as the model finds fit; that long is what its price is reckoned by.
EFFECT_SECONDS: Final = 10.0
OUTPUT_FORMAT: Final = "mp3_44100_128"


class FalStableAudio(FalJobs):
    """One clip of up to 190 seconds (the older model: 47)."""

    name = "fal-stable-audio"
    kind = Kind.AUDIO
    # The newer model says `audio`, the older one `audio_file`.
    output_fields = ("audio", "audio_file")
    formats = ("wav", "mp3", "flac")

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the length."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes music and sound effects only"
        return wrong_length(self.name, _seconds(call), call)

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Whole seconds: a fraction is rounded up."""
        body: dict[str, Any] = {"prompt": sound(call).prompt, "seconds_total": math.ceil(_seconds(call))}
        return submission(call, merged(body, call.options))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the result."""
        return max(call.model.prices.get("per_result", 0.0), call.least_usd)


class FalSoundEffects(FalJobs):
    """One effect of up to 22 seconds."""

    name = "fal-sound-effects"
    kind = Kind.AUDIO
    output_fields = ("audio",)
    formats = ("mp3",)

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the type, and the length of sound and prompt."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes sound effects only"
        asked = sound(call)
        if asked.type != "sfx":
            return f"input.type: {asked.type}; {self.name} makes sfx only"
        return too_long(
            self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters")
        ) or wrong_length(self.name, asked.duration or EFFECT_SECONDS, call)

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The length is sent where one is asked for."""
        asked = sound(call)
        body: dict[str, Any] = {"text": asked.prompt, "output_format": OUTPUT_FORMAT}
        body |= {"duration_seconds": asked.duration} if asked.duration else {}
        return submission(call, merged(body, call.options))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the second."""
        seconds = sound(call).duration or EFFECT_SECONDS
        return max(seconds * call.model.prices.get("per_second", 0.0), call.least_usd)


def _seconds(call: ProviderCall) -> float:
    return sound(call).duration or DEFAULT_SECONDS
