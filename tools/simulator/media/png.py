"""PNG: a horizontal gradient whose rows repeat, so the filter turns all but one into zeros."""

import struct
import zlib

from .colour import Colour

_RGB = 2
_FILTER_NONE, _FILTER_UP = b"\x00", b"\x02"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, colour: Colour) -> bytes:
    """An 8-bit RGB picture of exactly `width` by `height` pixels."""
    last = max(1, width - 1)
    row = b"".join(bytes(part * (2 * last - x) // (2 * last) for part in colour) for x in range(width))
    raw = _FILTER_NONE + row + (_FILTER_UP + bytes(3 * width)) * (height - 1)
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw, 1)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
