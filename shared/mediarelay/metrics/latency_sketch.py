"""A mergeable sketch of latencies: quantiles within one per cent, from counts that add up in any order.

Theory of operation
- A value falls into the bin numbered ceil(log(value) / log(GAMMA)); all values of one bin differ by at most a factor of
  GAMMA, and the bin's midpoint is within ACCURACY of each of them. This is the mapping of DDSketch (Masson, Rim and
  Lee, 2019), without its collapsing: milliseconds up to the ceiling below need fewer than a thousand bins.
- Merging adds the counts, so it neither loses accuracy nor depends on the order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

ACCURACY: Final = 0.01
GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA: Final = math.log(GAMMA)
# Four hours: longer than any job may run. A longer time counts as this.
CEILING_MS: Final = 4 * 3600 * 1000
_SEVEN_BITS: Final = 0x7F
_MORE: Final = 0x80


@dataclass(slots=True)
class LatencySketch:
    """How many values fell into each bin. Values are milliseconds; less than one counts as one."""

    bins: dict[int, int] = field(default_factory=dict)

    def add(self, milliseconds: float) -> None:
        """Count one value."""
        key = bin_of(milliseconds)
        self.bins[key] = self.bins.get(key, 0) + 1

    def merge(self, other: LatencySketch) -> None:
        """Count all of another's values too."""
        for key, count in other.bins.items():
            self.bins[key] = self.bins.get(key, 0) + count

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self.bins.values())

    def quantile(self, q: float) -> float | None:
        """Return the value at rank floor(q · (count - 1)) of the sorted ones, within ACCURACY; None without values."""
        total = self.count
        if not total:
            return None
        rank, seen = math.floor(q * (total - 1)), 0
        for key in sorted(self.bins):
            seen += self.bins[key]
            if seen > rank:
                return _midpoint(key)
        raise AssertionError("unreachable: the counts add up to the total")

    def to_bytes(self) -> bytes:
        """Write, for each bin, ascending, its distance from the one before and its count, as varints."""
        out = bytearray()
        previous = 0
        for key in sorted(self.bins):
            _put_varint(out, key - previous)
            _put_varint(out, self.bins[key])
            previous = key
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> LatencySketch:
        """Read what `to_bytes` wrote."""
        bins: dict[int, int] = {}
        key = 0
        numbers = _varints(data)
        for distance in numbers:
            key += distance
            bins[key] = next(numbers)
        return cls(bins)

    @classmethod
    def of(cls, values: Iterable[float]) -> LatencySketch:
        """Return a sketch of these values."""
        sketch = cls()
        for value in values:
            sketch.add(value)
        return sketch


def bin_of(milliseconds: float) -> int:
    """Return the number of the value's bin: 0 for a millisecond or less."""
    return math.ceil(math.log(min(max(milliseconds, 1.0), CEILING_MS)) / _LOG_GAMMA)


def _midpoint(key: int) -> float:
    return 2 * GAMMA**key / (GAMMA + 1)


def _put_varint(out: bytearray, number: int) -> None:
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | _MORE)
        number >>= 7
    out.append(number)


def _varints(data: bytes) -> Iterator[int]:
    number, shift = 0, 0
    for byte in data:
        number |= (byte & _SEVEN_BITS) << shift
        shift += 7
        if not byte & _MORE:
            yield number
            number, shift = 0, 0
