"""RIFF WAVE around PCM."""

import io
import wave

from . import tone

_BYTES = 2


def wav(ticks: int, rate: int, pitch: int = 0) -> bytes:
    """Return a playable 16-bit mono WAV of `ticks` times 60 ms."""
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_BYTES)
        file.setframerate(rate)
        file.writeframes(tone.pcm(ticks, rate, pitch))
    return body.getvalue()
