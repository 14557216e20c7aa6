"""Lossless WebP of one colour: five one-symbol codes, and then no pixel needs a single bit."""

import struct

from .colour import Colour

_SIGNATURE = b"\x2f"
_SIZE_BITS = 14


def _one_symbol(value: int) -> list[tuple[int, int]]:
    # simple code, one symbol, given in eight bits
    return [(1, 1), (0, 1), (1, 1), (value, 8)]


def _fields(width: int, height: int, colour: Colour) -> list[tuple[int, int]]:
    red, green, blue = colour
    size = [(width - 1, _SIZE_BITS), (height - 1, _SIZE_BITS), (0, 1), (0, 3)]
    no_transform_cache_or_groups = [(0, 1), (0, 1), (0, 1)]
    codes = [field for value in (green, red, blue, 255, 0) for field in _one_symbol(value)]
    return size + no_transform_cache_or_groups + codes


def webp(width: int, height: int, colour: Colour) -> bytes:
    """A picture of exactly `width` by `height` pixels (at most 16384 each)."""
    stream = used = 0
    for value, bits in _fields(width, height, colour):
        stream |= value << used
        used += bits
    data = _SIGNATURE + stream.to_bytes(-(-used // 8), "little")
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
