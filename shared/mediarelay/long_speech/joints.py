"""Parts side by side without a click: each begins and ends in silence, over so short a time that nobody hears it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

FADE_SECONDS: Final = 0.01
_SAMPLE: Final = "h"  # signed, 16 bits, in the byte order of Lambda's processors


def smoothed(chunks: Iterable[bytes], rate: int, channels: int) -> Iterator[bytes]:
    """Yield the samples of one part with its edges faded; as many as there were, and never more than a few in memory.

    Args:
        chunks: 16-bit samples, those of one moment side by side; each holds whole moments.
        rate: Moments per second.
        channels: Samples per moment.
    """
    moments = max(1, round(rate * FADE_SECONDS))
    edge = moments * channels * 2
    rising, at = [_gain(moment, moments) for moment in range(moments)], 0
    kept = b""
    for chunk in chunks:
        kept += _faded(chunk, rising, at, channels)
        at += len(chunk) // (2 * channels)
        if len(kept) > edge:
            yield kept[:-edge]
            kept = kept[-edge:]
    if kept:
        left = len(kept) // (2 * channels)
        yield _faded(kept, [_gain(left - 1 - moment, moments) for moment in range(left)], 0, channels)


def _gain(moment: int, moments: int) -> float:
    """Returns how loud the moment is behind an edge: a raised cosine, which begins and ends flat."""
    return 0.5 - 0.5 * math.cos(math.pi * min(1.0, (moment + 0.5) / moments))


def _faded(data: bytes, gains: list[float], first: int, channels: int) -> bytes:
    """Returns the samples, of which the first is at moment `first`, each as loud as its gain; 1 behind the last."""
    if first >= len(gains):
        return data
    samples = array(_SAMPLE, data)
    for number in range(min(len(samples), (len(gains) - first) * channels)):
        samples[number] = round(samples[number] * gains[first + number // channels])
    return samples.tobytes()
