"""Baseline JPEG of one colour: after the first block, every block says "no change" in a few bits."""

import struct

from .colour import Colour, to_ycbcr

_BLOCK = 8
_MEAN_STEP = bytes([8]) * 64  # a quantiser of 8 makes the stored DC value the block's mean minus 128
# Code lengths of one Huffman table for all components: sizes 0 to 8 of a DC difference, and the AC "end of block".
_DC_COUNTS = (0, 1, 5, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_DC_CODES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110")
_DC_SYMBOLS = bytes(range(9))
_END_OF_BLOCK = "0"
_AC_COUNTS = (1, *(0,) * 15)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _difference(value: int) -> str:
    size = abs(value).bit_length()
    if not size:
        return _DC_CODES[0]
    return _DC_CODES[size] + format(value if value > 0 else value + (1 << size) - 1, f"0{size}b")


def _scan(blocks: int, colour: Colour) -> bytes:
    first = "".join(_difference(part - 128) + _END_OF_BLOCK for part in to_ycbcr(colour))
    bits = first + (_DC_CODES[0] + _END_OF_BLOCK) * 3 * (blocks - 1)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def jpeg(width: int, height: int, colour: Colour) -> bytes:
    """A JFIF picture of exactly `width` by `height` pixels."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"".join(bytes((part, 0x11, 0)) for part in (1, 2, 3))
    scan = bytes((3, 1, 0, 2, 0, 3, 0, 0, 63, 0))
    blocks = -(-width // _BLOCK) * -(-height // _BLOCK)
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"),
            _segment(0xDB, b"\x00" + _MEAN_STEP),
            _segment(0xC0, frame),
            _segment(0xC4, b"\x00" + bytes(_DC_COUNTS) + _DC_SYMBOLS),
            _segment(0xC4, b"\x10" + bytes(_AC_COUNTS) + b"\x00"),
            _segment(0xDA, scan),
            _scan(blocks, colour),
            b"\xff\xd9",
        )
    )
