"""What an owner of a limit may do."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Final

from mediarelay.vocabulary.frozen import frozen

# Ten threads on a third of a processor reach the vendor at uneven moments, some late by this much; a bucket that was
# drained to its last token would refuse the call that is on time. The margin is taken from the burst, and never most
# of it.
MARGIN_SECONDS: Final = 0.2
MARGIN_PART: Final = 0.4


@frozen
class Limit:
    """What an owner may do.

    Attributes:
        rate: Permits per second; infinity when only concurrency is limited.
        burst: Permits at once after a rest.
        slots: Calls at the same time; None when that is not limited.
        interval: Seconds between permits at an even pace.
        tolerance: How long before it is due a permit may be used, in seconds.
    """

    rate: float
    burst: int = 1
    slots: int | None = None
    interval: float = field(init=False, repr=False, compare=False)
    tolerance: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.rate > 0.0 or self.burst < 1 or (self.slots is not None and self.slots < 1):
            raise ValueError(f"not a limit: {self.rate}/s, burst {self.burst}, {self.slots} slots")
        interval = 0.0 if math.isinf(self.rate) else 1.0 / self.rate
        saved = (self.burst - 1) * interval
        object.__setattr__(self, "interval", interval)
        object.__setattr__(self, "tolerance", saved - min(MARGIN_SECONDS, MARGIN_PART * saved))
