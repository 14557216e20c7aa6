"""How long to wait before trying again: exponential growth as a frozen value, jitter from dice that are passed in."""

from __future__ import annotations

from random import Random
from typing import Final

from mediarelay.vocabulary.frozen import frozen

# 2**62 seconds exceeds any cap; without a limit a forgotten counter overflows the float instead of reaching the cap.
_MAX_DOUBLINGS: Final = 62


@frozen
class Growth:
    """A wait that doubles up to a cap.

    Attributes:
        base: Seconds at attempt 0.
        cap: Seconds it never exceeds.
    """

    base: float
    cap: float

    def ceiling(self, attempt: int) -> float:
        """Return the seconds at this attempt, before jitter; the first is attempt 0."""
        return min(self.cap, self.base * 2.0 ** min(attempt, _MAX_DOUBLINGS))


# Until a store of ours is back, in an execution: fewer than eight hundred steps a week, of ten events each, where its
# history holds 25,000 (Step Functions developer guide, "Quotas related to state machine executions").
OUTAGE: Final = Growth(base=5.0, cap=900.0)
# What is past its deadline waits no longer than this at a time, or than its share of how late it is already.
LATE_SECONDS: Final = 60.0
LATE_SHARE: Final = 1 / 30
# After an error of ours that a state machine caught: so often its execution goes on.
RESCUES: Final = 2
RESCUE: Final = Growth(base=10.0, cap=600.0)


def outage_wait(steps: int, *, now: float, deadline: float) -> float:
    """Return how long to wait for a store of ours after so many such waits, in seconds.

    It ends at the deadline at the latest. After that it is short beside what the outage cost anyway: what only waits
    for its end to be written must not be told minutes after the store is back.
    """
    late = now - deadline
    return min(OUTAGE.ceiling(steps), -late if late < 0 else max(LATE_SECONDS, LATE_SHARE * late))


def full_jitter(attempt: int, *, base: float, cap: float, rng: Random) -> float:
    """Draw seconds between zero and `min(cap, base * 2**attempt)`; spreads a herd best. The first wait is attempt 0."""
    return rng.uniform(0.0, Growth(base, cap).ceiling(attempt))


def half_jitter(whole: float, *, rng: Random) -> float:
    """Draw between half of `whole` and all of it, for waits that must not collapse to nothing."""
    return whole * rng.uniform(0.5, 1.0)
