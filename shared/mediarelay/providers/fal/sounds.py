"""Sounds on fal's queue: Stable Audio's music and sound effects, and ElevenLabs' sound effects."""

from __future__ import annotations

import math
from typing import Any, Final

from mediarelay.http.messages import HttpRequest
from mediarelay.providers.api import ProviderCall
from mediarelay.providers.fal.queue import FalJobs, submission
from mediarelay.providers.input_checks import merged, reserved_option, sound, too_long, wrong_length
from mediarelay.vocabulary.kinds import Kind

DEFAULT_SECONDS: Final = 30.0
# An effect without a length is as long as the model finds fit; that long is what its price is reckoned by.
EFFECT_SECONDS: Final = 10.0
OUTPUT_FORMAT: Final = "mp3_44100_128"

_RESERVED: Final = {
    "model": "set model.fal-stable-audio instead",
    "prompt": "set input.prompt instead",
    "seconds_total": "set input.duration instead",
    "sync_mode": "results are fetched by URL; leave it out",
}
_RESERVED_OF_EFFECTS: Final = {
    "model": "set model.fal-sound-effects instead",
    "text": "set input.prompt instead",
    "duration_seconds": "set input.duration instead",
    "output_format": "results are MP3; leave it out",
    "sync_mode": "results are fetched by URL; leave it out",
}


class FalStableAudio(FalJobs):
    """One clip of up to 190 seconds (the older model: 47)."""

    name = "fal-stable-audio"
    kind = Kind.AUDIO
    # The newer model says `audio`, the older one `audio_file`.
    output_fields = ("audio", "audio_file")
    formats = ("wav", "mp3", "flac")

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the length, and options that would bypass it."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes music and sound effects only"
        return reserved_option(call.options, _RESERVED) or wrong_length(self.name, _seconds(call), call)

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Whole seconds: a fraction is rounded up."""
        body: dict[str, Any] = {"prompt": sound(call).prompt, "seconds_total": math.ceil(_seconds(call))}
        return submission(call, merged(body, call.options))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the result."""
        return call.model.prices.get("per_result", 0.0)


class FalSoundEffects(FalJobs):
    """One effect of up to 22 seconds."""

    name = "fal-sound-effects"
    kind = Kind.AUDIO
    output_fields = ("audio",)
    formats = ("mp3",)

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the type, the length of sound and prompt, and options that would bypass them."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes sound effects only"
        asked = sound(call)
        if asked.type != "sfx":
            return f"input.type: {asked.type}; {self.name} makes sfx only"
        return (
            reserved_option(call.options, _RESERVED_OF_EFFECTS)
            or too_long(self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters"))
            or wrong_length(self.name, asked.duration or EFFECT_SECONDS, call)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The length is sent where one is asked for."""
        asked = sound(call)
        body: dict[str, Any] = {"text": asked.prompt, "output_format": OUTPUT_FORMAT}
        body |= {"duration_seconds": asked.duration} if asked.duration else {}
        return submission(call, merged(body, call.options))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the second."""
        return (sound(call).duration or EFFECT_SECONDS) * call.model.prices.get("per_second", 0.0)


def _seconds(call: ProviderCall) -> float:
    return sound(call).duration or DEFAULT_SECONDS
