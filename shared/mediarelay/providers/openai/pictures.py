"""OpenAI's pictures: base64 inside JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import media_in
from mediarelay.providers.api import Delivery, ProviderCall
from mediarelay.providers.credentials import bearer_key
from mediarelay.providers.input_checks import merged, not_offered, picture, too_long, too_many
from mediarelay.providers.json_reading import items, json_object, mapping
from mediarelay.providers.openai.errors import openai_failure
from mediarelay.providers.openai.prices import picture_usd, used_usd
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

FIXED_SIZES: Final = ("auto", "1024x1024", "1536x1024", "1024x1536")


class OpenAiImage:
    """POST /images/generations, for GPT image models."""

    name: Final = "openai-image"
    vendor: Final = "openai"
    host: Final = "openai"
    kind: Final = Kind.IMAGE
    sign = staticmethod(bearer_key)

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the prompt's length, and the number and size of pictures."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes pictures only"
        asked = picture(call)
        limits = call.model.limits
        return (
            too_long(self.name, "input.prompt", asked.prompt, limits.get("prompt_characters"))
            or too_many(self.name, "input.n", asked.n, limits.get("n"))
            or self._size_refusal(asked.size, limits)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Everything that decides the price is sent, defaults included. The time allowed is that of high quality."""
        asked = picture(call)
        derived = {
            "model": call.model.id,
            "prompt": asked.prompt,
            "n": asked.n,
            "size": asked.size,
            "quality": asked.quality,
            "output_format": asked.format,
        }
        body = merged(derived, call.options)
        return HttpRequest("POST", "/images/generations", body, read_timeout_seconds=180.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Never: the pictures are inside JSON."""
        del status, headers
        return False

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The pictures that can be read, priced by the answer's own usage."""
        body = json_object(reply.body) if reply.status == 200 else {}  # noqa: PLR2004 - OK
        media = tuple(found for entry in items(body.get("data")) if (found := media_in(mapping(entry), reply)))
        if not media:
            return openai_failure(reply)
        used = used_usd(mapping(body.get("usage")), call.model)
        cost = self.estimate_usd(call) if used is None else max(used, call.least_usd)
        return Delivery(media, picture(call).format, cost, reply.headers.get("x-request-id"))

    def estimate_usd(self, call: ProviderCall) -> float:
        """From the size and quality that would be sent."""
        return max(picture_usd(picture(call), self.build_request(call).json, call.model), call.least_usd)

    def _size_refusal(self, size: str, limits: Mapping[str, int]) -> str | None:
        multiple = limits.get("size_multiple")
        if size in FIXED_SIZES:
            return None
        if multiple is None:
            return not_offered(self.name, "input.size", size, FIXED_SIZES)
        short, long = sorted(int(edge) for edge in size.split("x"))
        fits = long <= limits["long_edge_pixels"] and limits["least_pixels"] <= long * short <= limits["most_pixels"]
        if fits and not short % multiple and not long % multiple and long <= short * limits["aspect_ratio"]:
            return None
        return (
            f"input.size: {size}; {self.name} takes auto, or edges that are multiples of {multiple}, at most "
            f"{limits['long_edge_pixels']} and no longer than {limits['aspect_ratio']}:1, of {limits['least_pixels']} "
            f"to {limits['most_pixels']} pixels"
        )
