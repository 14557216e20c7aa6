"""One time for all workers: the table's own, read from the `Date` of its answers.

Each answer bounds the offset of our clock: the table wrote a whole second while the call was under way. The bounds of
several answers intersect, so that the offset is soon known to about one round trip. A clock that is right, as Lambda's
are, stays inside every bound and is not touched.
"""

from __future__ import annotations

import math

# Two clocks drift apart by less than this; old bounds widen by it.
_DRIFT: float = 50e-6


class FleetClock:
    """Learns the offset to add to the local clock. Not thread-safe; a race costs one observation."""

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf
        self._at = 0.0

    @property
    def offset(self) -> float:
        """Seconds to add to the local clock: nothing while no answer contradicts it, else the middle of what may be."""
        return 0.0 if self._low <= 0.0 <= self._high else (self._low + self._high) / 2.0

    def observe(self, date: float, *, sent: float, received: float) -> None:
        """Note an answer with the header `Date` (unix seconds, whole), sent and received at these local moments."""
        widened = abs(received - self._at) * _DRIFT
        self._at = received
        low, high = date - received, date + 1.0 - sent
        self._low, self._high = max(self._low - widened, low), min(self._high + widened, high)
        if self._low > self._high:  # one of the clocks was set: what was known before is void
            self._low, self._high = low, high
