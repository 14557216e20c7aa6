"""Raw samples as files: 16-bit mono PCM, and the RIFF header that makes a WAV of it."""

from __future__ import annotations

import io
import re
import wave
from typing import Final

_RATE: Final = re.compile(r";\s*rate=([0-9]{4,6})\b")
_RAW_TYPES: Final = ("audio/l16", "audio/pcm")
_SAMPLE_BYTES: Final = 2
_LONGEST: Final = 0xFFFF_FFFF - 36  # a RIFF file counts its bytes in 32 bits


def raw_rate(media_type: str, *, otherwise: int) -> int | None:
    """Samples per second of raw PCM such as `audio/L16;codec=pcm;rate=24000`; None for any other type."""
    lowered = media_type.lower()
    if lowered.partition(";")[0].strip() not in _RAW_TYPES:
        return None
    found = _RATE.search(lowered)
    return int(found[1]) if found else otherwise


def is_wav(data: bytes) -> bool:
    """Whether the bytes are a WAV file, whatever they are said to be."""
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def unpacked(data: bytes) -> tuple[bytes, int] | None:
    """The samples of a WAV file and their rate; None when it is no mono file of 16 bits, or none at all."""
    try:
        with wave.open(io.BytesIO(data)) as reader:
            if (reader.getnchannels(), reader.getsampwidth()) != (1, _SAMPLE_BYTES):
                return None
            return reader.readframes(reader.getnframes()), reader.getframerate()
    except (wave.Error, EOFError, ValueError):
        return None


def wav(samples: bytes, rate: int) -> bytes:
    """The samples as a WAV file.

    Raises:
        ValueError: They are not whole 16-bit samples, or more than a file can hold.
    """
    if len(samples) % _SAMPLE_BYTES or len(samples) > _LONGEST:
        raise ValueError(f"{len(samples)} bytes are no 16-bit samples that fit into a WAV file")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, _SAMPLE_BYTES, rate, 0, "NONE", "not compressed"))
        writer.writeframes(samples)
    return file.getvalue()
