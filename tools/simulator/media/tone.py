"""A sine tone as PCM, built from ticks so that any length costs one multiplication."""

import math
from array import array
from functools import lru_cache

TICK_MS = 60
FULL_TICKS = 166
CHARACTERS_PER_LATER_TICK = 8  # fast, but still speech: a part of a long text would be a hundred megabytes otherwise
MIN_TICKS = 3
PITCHES = 8

_AMPLITUDE = 8000
_LOWEST_CYCLES = 18
_MULAW_BIAS = 132


def ticks_for(text: str) -> int:
    """Length of the speech for a text, in ticks of 60 ms: one per character, beyond 10 s one for each eight."""
    beyond = max(0, len(text) - FULL_TICKS) // CHARACTERS_PER_LATER_TICK
    return max(MIN_TICKS, min(FULL_TICKS, len(text)) + beyond)


def samples_per_tick(rate: int) -> int:
    return rate * TICK_MS // 1000


@lru_cache(maxsize=256)
def tick_samples(rate: int, pitch: int) -> tuple[int, ...]:
    """One tick of 16-bit samples that ends where it began, so ticks join without a click."""
    count = samples_per_tick(rate)
    step = 2 * math.pi * (_LOWEST_CYCLES + 3 * (pitch % PITCHES)) / count
    return tuple(round(_AMPLITUDE * math.sin(step * index)) for index in range(count))


@lru_cache(maxsize=256)
def tick_pcm(rate: int, pitch: int) -> bytes:
    samples = array("h", tick_samples(rate, pitch))
    if array("H", [1]).tobytes() != b"\x01\x00":
        samples.byteswap()
    return samples.tobytes()


def pcm(ticks: int, rate: int, pitch: int = 0) -> bytes:
    """Signed 16-bit little-endian mono samples."""
    return tick_pcm(rate, pitch) * ticks


def ulaw(ticks: int, rate: int, pitch: int = 0) -> bytes:
    """G.711 mu-law, one byte per sample."""
    return bytes(_mulaw(sample) for sample in tick_samples(rate, pitch)) * ticks


def alaw(ticks: int, rate: int, pitch: int = 0) -> bytes:
    """G.711 A-law, one byte per sample."""
    return bytes(_alaw(sample) for sample in tick_samples(rate, pitch)) * ticks


def _mulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + _MULAW_BIAS
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 0x0F) & 0xFF


def _alaw(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    magnitude = (sample if sample >= 0 else -sample - 1) >> 3
    segment = max(0, magnitude.bit_length() - 5)
    return (sign | segment << 4 | magnitude >> max(1, segment) & 0x0F) ^ 0x55
