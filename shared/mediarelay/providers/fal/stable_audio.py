"""Stable Audio on fal's queue: music and sound effects."""

from __future__ import annotations

import math
from typing import Any, Final

from mediarelay.http.messages import HttpRequest
from mediarelay.providers.api import ProviderCall
from mediarelay.providers.fal.queue import FalJobs, submission
from mediarelay.providers.input_checks import merged, reserved_option, sound, wrong_length
from mediarelay.vocabulary.kinds import Kind

DEFAULT_SECONDS: Final = 30.0

_RESERVED: Final = {
    "model": "set model.fal-stable-audio instead",
    "prompt": "set input.prompt instead",
    "seconds_total": "set input.duration instead",
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


def _seconds(call: ProviderCall) -> float:
    return sound(call).duration or DEFAULT_SECONDS
