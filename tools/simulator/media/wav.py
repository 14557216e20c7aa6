"""RIFF WAVE around PCM."""

import struct

from . import tone

_PCM = 1
_MONO = 1
_BITS = 16


def wav(ticks: int, rate: int, pitch: int = 0) -> bytes:
    """A playable 16-bit mono WAV of `ticks` times 60 ms."""
    data = tone.pcm(ticks, rate, pitch)
    block = _MONO * _BITS // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, _PCM, _MONO, rate, rate * block, block, _BITS)
    return b"".join(
        (
            b"RIFF",
            struct.pack("<I", 4 + len(form) + 8 + len(data)),
            b"WAVE",
            form,
            b"data",
            struct.pack("<I", len(data)),
            data,
        )
    )
