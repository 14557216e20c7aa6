"""Raw samples as files: 16-bit mono PCM, and the RIFF header that makes a WAV of it."""

from __future__ import annotations

import io
import re
import struct
import wave
from typing import Final

from mediarelay.http.messages import Stretch

_RATE: Final = re.compile(r";\s*rate=([0-9]{4,6})\b")
_RAW_TYPES: Final = ("audio/l16", "audio/pcm")
_SAMPLE_BYTES: Final = 2
_HEADER_BYTES: Final = 64 * 1024
_LONGEST: Final = 0xFFFF_FFFF - 36  # a RIFF file counts its bytes in 32 bits


def raw_rate(media_type: str, *, otherwise: int) -> int | None:
    """Samples per second of raw PCM such as `audio/L16;codec=pcm;rate=24000`; None for any other type."""
    lowered = media_type.lower()
    if lowered.partition(";")[0].strip() not in _RAW_TYPES:
        return None
    found = _RATE.search(lowered)
    return int(found[1]) if found else otherwise


def is_wav(data: bytes | Stretch) -> bool:
    """Whether the bytes are a WAV file, whatever they are said to be."""
    head = _opening(data)
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def unpacked(data: bytes | Stretch) -> tuple[bytes | Stretch, int] | None:
    """The samples of a WAV file and their rate; None when it is no mono file of 16 bits, or none at all."""
    head = io.BytesIO(_opening(data))
    try:
        with wave.open(head) as reader:
            if (reader.getnchannels(), reader.getsampwidth()) != (1, _SAMPLE_BYTES):
                return None
            # The reader stands where the samples begin. They end with the file, whatever their own chunk says.
            first, ends = head.tell(), 8 + int.from_bytes(head.getvalue()[4:8], "little")
            last = max(first, min(first + reader.getnframes() * _SAMPLE_BYTES, ends))
            samples = data[first:last] if isinstance(data, bytes) else data.part(first, last)
            return samples, reader.getframerate()
    except (wave.Error, EOFError, ValueError):
        return None


def wav_header(size: int, rate: int) -> bytes:
    """What stands before so many bytes of samples in a WAV file.

    Raises:
        ValueError: They are not whole 16-bit samples, or more than a file can hold.
    """
    if size % _SAMPLE_BYTES or size > _LONGEST:
        raise ValueError(f"{size} bytes are no 16-bit samples that fit into a WAV file")
    sound = (1, 1, rate, rate * _SAMPLE_BYTES, _SAMPLE_BYTES, 8 * _SAMPLE_BYTES)
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, *sound, b"data", size)


def _opening(data: bytes | Stretch) -> bytes:
    """A header and more: chunks before the samples are short."""
    return data.opening(_HEADER_BYTES) if isinstance(data, Stretch) else data
