"""fal.ai's synchronous host: Flux pictures, answered with URLs of fal's media host."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import media_in
from mediarelay.providers.api import Delivery, ProviderCall
from mediarelay.providers.credentials import header_key
from mediarelay.providers.error_table import classify
from mediarelay.providers.fal.errors import FAL_ERRORS, fal_signals
from mediarelay.providers.input_checks import merged, not_offered, picture, too_long, too_many
from mediarelay.providers.json_reading import count, items, json_object, mapping, text
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome

# Width and height of the vendor's names for sizes, to price a request that uses one.
PRESETS: Final[Mapping[str, tuple[int, int]]] = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
DEFAULT_PRESET: Final = "landscape_4_3"

# A square of 1024 is sold as one megapixel; counted in decimal it would round up to two.
_MEGAPIXEL: Final = 1024 * 1024
_LONGEST_EDGE: Final = 65_535  # of a JPEG; a longer one in an answer is nonsense, and must not become a price


class FalFlux:
    """POST /{model}. There is no field for `input.quality`: the choice of the model is the quality."""

    name: str = "fal-flux"
    file_formats: tuple[str, ...] = ("jpeg", "png")
    vendor: Final = "fal"
    kind: Final = Kind.IMAGE
    host: Final = "fal"
    sign = staticmethod(header_key("authorization", "Key"))

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the format, and the number of pictures."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes pictures only"
        asked = picture(call)
        limits = call.model.limits
        return (
            not_offered(self.name, "input.format", asked.format, self.file_formats)
            or too_many(self.name, "input.n", asked.n, limits.get("n"))
            or too_long(self.name, "input.prompt", asked.prompt, limits.get("prompt_characters"))
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """`auto` leaves the size to the vendor."""
        asked = picture(call)
        body: dict[str, Any] = {"prompt": asked.prompt, "num_images": asked.n, "output_format": asked.format}
        if asked.size != "auto":
            width, height = asked.size.split("x")
            body["image_size"] = {"width": int(width), "height": int(height)}
        return HttpRequest("POST", f"/{call.model.id}", merged(body, call.options), read_timeout_seconds=90.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Never: the answer is JSON with URLs."""
        del status, headers
        return False

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The pictures the safety filter let through, or the failure.

        A filtered picture arrives as a black one inside a success. It is never delivered: with some filtered, the rest
        is delivered, fewer than asked for; with all filtered, the content counts as rejected. What was drawn is paid
        for either way, so the price counts the filtered ones too.
        """
        body = json_object(reply.body) if reply.status == 200 else {}  # noqa: PLR2004 - OK
        pictures = [entry for entry in map(mapping, items(body.get("images"))) if media_in(entry, reply)]
        if not pictures:
            return classify(FAL_ERRORS, fal_signals(reply), reply)
        clean = tuple(found for entry in _clean(body) if (found := media_in(entry, reply)))
        if not clean:
            return Failure(Outcome.CONTENT_REJECTED, "nsfw_content", "every picture was filtered", reply.status)
        cost = sum(_usd(_pixels(entry) or self._asked_pixels(call), call) for entry in pictures)
        cost = max(cost, call.least_usd)
        return Delivery(clean, picture(call).format, cost, reply.headers.get("x-fal-request-id"))

    def estimate_usd(self, call: ProviderCall) -> float:
        """Megapixels of each picture, rounded up."""
        return max(picture(call).n * _usd(self._asked_pixels(call), call), call.least_usd)

    def _asked_pixels(self, call: ProviderCall) -> float:
        """Pixels of the size that would be sent: an object, a preset's name, or none."""
        size = self.build_request(call).json.get("image_size")
        width, height = PRESETS.get(text(size), PRESETS[DEFAULT_PRESET])
        return _pixels(mapping(size)) or width * height


class FalFlux2(FalFlux):
    """The second generation, which makes WebP as well."""

    name = "fal-flux-2"
    file_formats = ("jpeg", "png", "webp")


def _usd(pixels: float, call: ProviderCall) -> float:
    return max(math.ceil(pixels / _MEGAPIXEL), 1) * call.model.prices.get("per_megapixel", 0.0)


def _clean(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries that are not flagged; flags go by position, and a missing one is no flag."""
    entries = [mapping(entry) for entry in items(body.get("images"))]
    flags = items(body.get("has_nsfw_concepts"))
    flags = [*flags, *[False] * len(entries)]
    return [entry for entry, flag in zip(entries, flags, strict=False) if flag is not True]


def _pixels(size: Mapping[str, Any]) -> float | None:
    """Pixels of an object with width and height; None when it has none, or none that a picture can have."""
    width, height = count(size.get("width")), count(size.get("height"))
    return width * height if width and height and max(width, height) <= _LONGEST_EDGE else None
