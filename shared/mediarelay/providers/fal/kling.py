"""Kling's models on fal's queue. The choice of the model is the mode, so `input.mode` is not sent.

Sound is on there unless one says otherwise, at a higher price, while the same models elsewhere are silent: clips are
silent unless the request's options ask for sound.
"""

from __future__ import annotations

from typing import Any, Final

from mediarelay.http.messages import HttpRequest
from mediarelay.providers.api import ProviderCall
from mediarelay.providers.fal.queue import FalJobs, submission
from mediarelay.providers.input_checks import clip, merged, reserved_option, too_long, wrong_length
from mediarelay.vocabulary.kinds import Kind

_RESERVED: Final = {
    "model": "set model.fal-kling instead",
    "prompt": "set input.prompt instead",
    "duration": "set input.duration instead",
}


class FalKling(FalJobs):
    """Clips from a prompt."""

    name = "fal-kling"
    kind = Kind.VIDEO
    output_fields = ("video",)
    formats = ("mp4",)

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the length of clip and prompt, a first picture, and options that would bypass them."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes video only"
        asked = clip(call)
        if asked.image_url:
            return f"input.image_url: {self.name} films from a prompt only; leave it out"
        return (
            reserved_option(call.options, _RESERVED)
            or too_long(self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters"))
            or wrong_length(self.name, asked.duration, call)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The duration is a string there. What decides the price is sent."""
        asked = clip(call)
        body: dict[str, Any] = {
            "prompt": asked.prompt,
            "duration": str(asked.duration),
            "aspect_ratio": asked.aspect_ratio,
            "generate_audio": False,
        }
        return submission(call, merged(body, call.options))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the second, at the price of a silent clip or of one with sound."""
        silent = self.build_request(call).json["generate_audio"] is False
        return clip(call).duration * call.model.prices.get("per_second" if silent else "per_second_with_sound", 0.0)
