"""What an owner may do, and how a queue's price and the quiet lane follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

# What is kept out of a queue, for tenants that have nothing in it.
QUIET_SHARE: Final = 0.1
# A queue is longer than this; of slow keys one call that waits is none yet.
QUEUE_SECONDS: Final = 1.0
QUEUE_PERMITS: Final = 2
# The lane saves up this many permits at most.
LANE_BURST: Final = 3
# Ten threads on a third of a processor reach the vendor at uneven moments, some late by so much; a bucket that was
# drained to its last token would refuse the one that is on time. It takes from the burst only, and not most of that.
MARGIN_SECONDS: Final = 0.2
MARGIN_PART: Final = 0.4


@dataclass(frozen=True, slots=True)
class Limit:
    """What an owner may do.

    Attributes:
        rate: Permits per second; infinity when only concurrency is limited.
        burst: Permits at once after a rest.
        slots: Calls at the same time; None when that is not limited.
    """

    rate: float
    burst: int = 1
    slots: int | None = None

    def __post_init__(self) -> None:
        if not self.rate > 0.0 or self.burst < 1 or (self.slots is not None and self.slots < 1):
            raise ValueError(f"not a limit: {self.rate}/s, burst {self.burst}, {self.slots} slots")

    @property
    def interval(self) -> float:
        """Seconds between permits at an even pace."""
        return 0.0 if math.isinf(self.rate) else 1.0 / self.rate

    @property
    def tolerance(self) -> float:
        """How long before it is due a permit may be used, in seconds."""
        return self._spared(self.burst - 1)

    @property
    def lane_burst(self) -> int:
        """What the quiet lane may save up: it must fit the vendor's bucket beside the call of the queue."""
        return min(LANE_BURST, self.burst - 1)

    @property
    def queue_seconds(self) -> float:
        """Farther ahead than this, the tail is that of a queue."""
        return max(QUEUE_SECONDS, QUEUE_PERMITS * self.interval)

    @property
    def lane_interval(self) -> float:
        """Seconds between the quiet lane's permits."""
        return self.interval / QUIET_SHARE

    @property
    def grace(self) -> float:
        """How late a promised call may come, in seconds, and still find its token in the vendor's bucket."""
        return self._spared(self.burst - 1 - self.lane_burst)

    def _spared(self, permits: int) -> float:
        """Seconds that so many permits take, but for the margin."""
        span = permits * self.interval
        return span - min(MARGIN_SECONDS, MARGIN_PART * span)

    def step(self, *, queueing: bool) -> float:
        """What one permit adds to `tat`: more in a queue, which leaves the lane its share."""
        return self.interval / (1.0 - QUIET_SHARE) if queueing and self.lane_burst else self.interval
