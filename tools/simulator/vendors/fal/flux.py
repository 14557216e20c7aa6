"""The Flux models on fal: input checks, output, price."""

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

from tools.simulator.media import catalogue
from tools.simulator.media.colour import PALETTE_SIZE
from tools.simulator.wire import Call, Purchase

from .errors import refusal
from .queue import Prepared

# Model id to US dollars per megapixel.
PRICES = {"fal-ai/flux/schnell": 0.003, "fal-ai/flux/dev": 0.025, "fal-ai/flux-pro/v1.1": 0.04, "fal-ai/flux-2": 0.012}
_SIZES = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
_MAX_EDGE = 4096
_MAX_IMAGES = 4


@dataclass(frozen=True)
class _Picture:
    """A checked request for images. Seed `BLACK_SEED` is what the safety filter leaves."""

    prompt: str
    width: int
    height: int
    count: int
    seed: int
    kind: str
    as_data_uri: bool

    @property
    def megapixels(self) -> float:
        return self.width * self.height * self.count / 1e6


def _integer(body: dict[str, Any], name: str, low: int, high: int, default: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusal(name, "int_type", "Input should be a valid integer")
    if not low <= value <= high:
        raise refusal(
            name, "greater_than" if value < low else "less_than_equal", f"Input should be from {low} to {high}"
        )
    return value


def _size(body: dict[str, Any]) -> tuple[int, int]:
    size = body.get("image_size", "landscape_4_3")
    if isinstance(size, str) and size in _SIZES:
        return _SIZES[size]
    width, height = (size.get("width"), size.get("height")) if isinstance(size, dict) else (None, None)
    if isinstance(width, int) and isinstance(height, int) and 0 < width <= _MAX_EDGE and 0 < height <= _MAX_EDGE:
        return width, height
    raise refusal("image_size", "enum", f"Input should be one of {', '.join(_SIZES)}, or a width and height")


def prepare(call: Call) -> Prepared:
    """Check the input of the model in the path. Raises Refused, or BadBody."""
    model, body = call.path["model"], call.json
    prompt, kind = body.get("prompt"), body.get("output_format", "jpeg")
    if not isinstance(prompt, str):
        raise refusal("prompt", "missing", "Field required")
    kinds = ("jpeg", "png", "webp") if model == "fal-ai/flux-2" else ("jpeg", "png")
    if kind not in kinds:
        raise refusal("output_format", "literal_error", f"Input should be one of {', '.join(kinds)}")
    size = _size(body)
    count = _integer(body, "num_images", 1, _MAX_IMAGES, 1)
    _integer(body, "num_inference_steps", 1, 12 if model.endswith("schnell") else 50, 4)
    seed = _integer(body, "seed", 0, 2**64 - 1, catalogue.seed_of(prompt))
    picture = _Picture(prompt, *size, count, seed, kind, bool(body.get("sync_mode")))
    purchase = Purchase(prompt, picture.megapixels, picture.megapixels * PRICES[model])
    return Prepared(purchase, partial(_output, picture, call.origin))


def _image(picture: _Picture, origin: str, index: int) -> dict[str, Any]:
    black = picture.seed == catalogue.BLACK_SEED
    seed = picture.seed if black else (picture.seed + index) % PALETTE_SIZE
    width, height, kind = picture.width, picture.height, picture.kind
    suffix = "jpg" if kind == "jpeg" else kind
    url = f"{origin}/falmedia/files/{secrets.token_hex(8)}_{width}x{height}_{seed}.{suffix}"
    if picture.as_data_uri:
        url = f"data:image/{kind};base64,{catalogue.image_base64(kind, width, height, seed)}"
    return {"url": url, "width": width, "height": height, "content_type": f"image/{kind}"}


def _output(picture: _Picture, origin: str) -> dict[str, Any]:
    return {
        "images": [_image(picture, origin, index) for index in range(picture.count)],
        "timings": {"inference": 0.05},
        "seed": picture.seed,
        "has_nsfw_concepts": [picture.seed == catalogue.BLACK_SEED] * picture.count,
        "prompt": picture.prompt,
    }


def filtered(origin: str) -> dict[str, Any]:
    """What the safety filter leaves of a request: a black picture, and no error."""
    return _output(_Picture("(filtered)", 512, 512, 1, catalogue.BLACK_SEED, "jpeg", as_data_uri=False), origin)
