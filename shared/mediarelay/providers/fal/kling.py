"""Kling's models on fal's queue. The choice of the model is the mode, so `input.mode` is not sent.

Sound is on there unless one says otherwise, at a higher price, while the same models elsewhere are silent: clips are
silent unless the request's options ask for sound.
"""

from __future__ import annotations

from typing import Any

from mediarelay.http.messages import HttpRequest
from mediarelay.providers.api import ProviderCall
from mediarelay.providers.fal.queue import FalJobs, submission
from mediarelay.providers.input_checks import clip, merged, too_long, wrong_length
from mediarelay.vocabulary.kinds import Kind


class FalKling(FalJobs):
    """Clips from a prompt."""

    name = "fal-kling"
    kind = Kind.VIDEO
    output_fields = ("video",)
    formats = ("mp4",)

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the length of clip and prompt, and a first picture."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes video only"
        asked = clip(call)
        if asked.image_url:
            return f"input.image_url: {self.name} films from a prompt only; leave it out"
        return too_long(
            self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters")
        ) or wrong_length(self.name, asked.duration, call)

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
        """By the second; sound has a price of its own."""
        return max(clip(call).duration * call.model.prices.get("per_second", 0.0), call.least_usd)
