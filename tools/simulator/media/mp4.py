"""Clips of any length: golden files whose pictures are shown for longer, or for less."""

from .colour import PALETTE_SIZE
from .golden import golden

_PICTURES = 25
_MS_PER_TENTH = 100
# Where a box's time stands, counted from the letters of its kind; ISO/IEC 14496-12. All times are in milliseconds.
_WHOLE = {b"mvhd": 20, b"mdhd": 20, b"tkhd": 24}
_EACH = {b"stts": 16}


def mp4(tenths: int, seed: int) -> bytes:
    """Return a playable clip of that many tenths of a second, in the colour of the seed."""
    clip = bytearray(golden(f"clip_{seed % PALETTE_SIZE:02d}.mp4"))
    each = tenths * _MS_PER_TENTH // _PICTURES
    for places, time in ((_WHOLE, each * _PICTURES), (_EACH, each)):
        for kind, offset in places.items():
            at = clip.index(kind) + offset
            clip[at : at + 4] = time.to_bytes(4, "big")
    return bytes(clip)
