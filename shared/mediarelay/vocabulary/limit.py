"""What an owner may do, and how a queue's price and the newcomer share follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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
        interval: Seconds between permits at an even pace.
        tolerance: How long before it is due a permit may be used, in seconds.
        queue_seconds: Farther ahead than this, the tail is that of a queue.
        queue_interval: Seconds between permits in a queue: more, which leaves the lane its share.
        lane_burst: What the newcomer share may save up: it must fit the vendor's bucket beside the call of the queue.
        lane_interval: Seconds between the newcomer share's permits.
        grace: How late a promised call may come, in seconds, and still find its token in the vendor's bucket.
    """

    rate: float
    burst: int = 1
    slots: int | None = None
    interval: float = field(init=False, repr=False, compare=False)
    tolerance: float = field(init=False, repr=False, compare=False)
    queue_seconds: float = field(init=False, repr=False, compare=False)
    queue_interval: float = field(init=False, repr=False, compare=False)
    lane_burst: int = field(init=False, repr=False, compare=False)
    lane_interval: float = field(init=False, repr=False, compare=False)
    grace: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.rate > 0.0 or self.burst < 1 or (self.slots is not None and self.slots < 1):
            raise ValueError(f"not a limit: {self.rate}/s, burst {self.burst}, {self.slots} slots")
        interval = 0.0 if math.isinf(self.rate) else 1.0 / self.rate
        lane_burst = min(LANE_BURST, self.burst - 1)
        saved, beside_lane = (self.burst - 1) * interval, (self.burst - 1 - lane_burst) * interval
        derived = {
            "interval": interval,
            "tolerance": saved - min(MARGIN_SECONDS, MARGIN_PART * saved),
            "queue_seconds": max(QUEUE_SECONDS, QUEUE_PERMITS * interval),
            "queue_interval": interval / (1.0 - QUIET_SHARE) if lane_burst else interval,
            "lane_burst": lane_burst,
            "lane_interval": interval / QUIET_SHARE,
            "grace": beside_lane - min(MARGIN_SECONDS, MARGIN_PART * beside_lane),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
