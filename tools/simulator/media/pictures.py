"""Pictures of one colour."""

import io

from PIL import Image

from .colour import Colour

_OPTIONS = {"png": {"compress_level": 1}, "jpeg": {}, "webp": {"lossless": True, "method": 0}}
KINDS = tuple(_OPTIONS)


def picture(kind: str, width: int, height: int, colour: Colour) -> bytes:
    """Return a picture of exactly `width` by `height` pixels."""
    body = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(body, kind, **_OPTIONS[kind])
    return body.getvalue()
