"""The one door to generated media: formats by name, bodies kept."""

import base64
import zlib
from collections.abc import Callable
from functools import lru_cache

from . import compressed, pictures, tone, wav
from .colour import BLACK, Colour, colour_of

BLACK_SEED = -1

_AUDIO: dict[str, Callable[[int, int, int, int], bytes]] = {
    "mp3": lambda ticks, rate, kbps, _pitch: compressed.mp3(ticks, rate, kbps),
    "aac": lambda ticks, rate, _kbps, _pitch: compressed.aac(ticks, rate),
    "opus": lambda ticks, _rate, _kbps, _pitch: compressed.opus(ticks),
    "flac": lambda ticks, rate, _kbps, pitch: compressed.flac(ticks, rate, pitch),
    "wav": lambda ticks, rate, _kbps, pitch: wav.wav(ticks, rate, pitch),
    "pcm": lambda ticks, rate, _kbps, pitch: tone.pcm(ticks, rate, pitch),
    "ulaw": lambda ticks, rate, _kbps, pitch: tone.ulaw(ticks, rate, pitch),
    "alaw": lambda ticks, rate, _kbps, pitch: tone.alaw(ticks, rate, pitch),
}
_AS_LONG_AS_THEIR_GOLDEN_BYTES = frozenset({"opus", "flac"})

AUDIO_TYPES = {codec: f"audio/{codec}" for codec in _AUDIO} | {
    "mp3": "audio/mpeg",
    "ulaw": "audio/basic",
    "alaw": "audio/x-alaw-basic",
}
IMAGE_TYPES = {name: f"image/{name}" for name in pictures.KINDS}


def seed_of(text: str) -> int:
    """A stable number for a text, which picks the pitch or the colour."""
    return zlib.crc32(text.encode())


@lru_cache(maxsize=96)
def _audio(codec: str, ticks: int, rate: int, kbps: int, pitch: int) -> bytes:
    return _AUDIO[codec](ticks, rate, kbps, pitch)


def speech(text: str, codec: str, rate: int, kbps: int = 128) -> bytes:
    """Audio of about 60 ms per character, less for long texts. `rate` in Hz; `kbps` matters to MP3 alone."""
    ticks = tone.ticks_for(text)
    ticks = min(ticks, tone.FULL_TICKS) if codec in _AS_LONG_AS_THEIR_GOLDEN_BYTES else ticks
    return _audio(codec, ticks, rate, kbps, seed_of(text) % tone.PITCHES)


def seconds_of(text: str) -> float:
    """How long that speech is."""
    return tone.ticks_for(text) * tone.TICK_MS / 1000


def sound(seconds: float, codec: str, rate: int, kbps: int = 128, *, seed: int = 0) -> bytes:
    """Audio of a given length, to the next 60 ms."""
    ticks = max(tone.MIN_TICKS, round(seconds * 1000 / tone.TICK_MS))
    return _audio(codec, ticks, rate, kbps, seed % tone.PITCHES)


@lru_cache(maxsize=256)
def _image(kind: str, width: int, height: int, colour: Colour) -> bytes:
    return pictures.picture(kind, width, height, colour)


def image(kind: str, width: int, height: int, seed: int) -> bytes:
    """A picture of the asked size in pixels; `BLACK_SEED` gives the black one of a safety filter."""
    return _image(kind, width, height, BLACK if seed == BLACK_SEED else colour_of(seed))


@lru_cache(maxsize=256)
def image_base64(kind: str, width: int, height: int, palette_seed: int) -> str:
    """The same picture as base64 text. Pass a seed already reduced to the palette, or nothing is ever found again."""
    return base64.b64encode(image(kind, width, height, palette_seed)).decode()
