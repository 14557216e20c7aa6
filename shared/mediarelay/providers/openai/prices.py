"""What OpenAI charges for pictures, in USD: by tokens estimated, or by tokens reported."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mediarelay.providers.catalogue import Model
from mediarelay.providers.json_reading import count, mapping, text

if TYPE_CHECKING:
    from mediarelay.request.model import ImageInput

_MILLION: Final = 1_000_000
_CHARACTERS_PER_TOKEN: Final = 4  # the usual rule of thumb for English

# What a picture costs beside a square of 1024 at the same quality, which doesn't go by the area. Published for
# gpt-image-2 at `high`, and taken to hold for its siblings: LiteLLM 1.110.2's price map, 2026-11.
_BESIDE_SQUARE: Final[Mapping[tuple[int, int], float]] = {
    (768, 1024): 0.145 / 0.211,
    (1024, 1024): 1.0,
    (1024, 1536): 0.165 / 0.211,
    (1080, 1920): 0.158 / 0.211,
    (1440, 2560): 0.222 / 0.211,
    (2160, 3840): 0.401 / 0.211,
}
_AUTO_IS: Final = "medium"  # the answer says what was made; until then, not too little
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


def picture_usd(asked: ImageInput, body: Mapping[str, Any], model: Model) -> float:
    """The price of pictures before they are drawn, from the model's tokens for the quality and size in the body."""
    quality = text(body.get("quality")) or asked.quality
    known = model.tokens
    tokens = known.get(_AUTO_IS if quality == "auto" else quality, max(known.values(), default=0))
    return tokens * _beside_square(body.get("size")) * asked.n * _rate(model, "per_million_image_tokens") + (
        len(asked.prompt) / _CHARACTERS_PER_TOKEN * _rate(model, "per_million_text_tokens")
    )


def used_usd(usage: Mapping[str, Any], model: Model) -> float | None:
    """The price from the answer's own `usage`; None when that is missing or makes no sense."""
    spent_in, spent_out = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    if spent_in is None or spent_out is None:
        return None
    of_pictures = count(mapping(usage.get("input_tokens_details")).get("image_tokens")) or 0.0
    return (
        max(spent_in - of_pictures, 0.0) * _rate(model, "per_million_text_tokens")
        + of_pictures * _rate(model, "per_million_image_input_tokens")
        + spent_out * _rate(model, "per_million_image_tokens")
    )


def _rate(model: Model, unit: str) -> float:
    return model.prices.get(unit, 0.0) / _MILLION


def _beside_square(size: object) -> float:
    """What the size costs beside a square: as the published size with the nearest number of pixels; 1 for `auto`."""
    found = _SIZE.fullmatch(text(size))
    if found is None:
        return 1.0
    asked = int(found[1]) * int(found[2])
    nearest = min(_BESIDE_SQUARE, key=lambda edges: abs(math.log(edges[0] * edges[1] / max(asked, 1))))
    return _BESIDE_SQUARE[nearest]
