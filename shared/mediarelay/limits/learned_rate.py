"""The rate of a limit that was not declared: found, held, tested now and then, and cut when the vendor refuses.

Theory of operation
- A learned rate is a function of time since it was last written, so that it grows without a write.
- A refusal means that the vendor's bucket is empty. Between two refusals it was empty twice, so what was served
  in between, over the time, *is* the limit. That beats guessing: no sawtooth, only a short test above the limit.
- Refused again before that can be measured, the limit has fallen: the rate is cut until the refusals end.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from mediarelay.vocabulary.frozen import frozen

# A rate that is only a guess is kept for this long, which shows whether it is too high, and then doubles as fast.
GUESS_SECONDS: Final = 1.5
DOUBLING_SECONDS: Final = 2.0
# No vendor's limit is lower than one call in ten seconds.
SLOWEST: Final = 0.1
# After a refusal: a little below the limit while the bucket recovers, at it for a while, then up, to twice it by about
# HOLD + TEST seconds. Shorter finds a risen limit sooner and wastes more calls on one that stayed.
BACK_OFF: Final = 0.94
# Calls that were refused are in the count, so that what was measured is a little too much.
SERVED: Final = 0.97
RECOVERY_SECONDS: Final = 3.0
HOLD_SECONDS: Final = 11.0
TEST_SECONDS: Final = 6.5
# Measured over less than this, or from fewer calls, a rate is noise.
MEASURED_SECONDS: Final = 1.5
MEASURED_CALLS: Final = 5
CUT: Final = 0.7
# A measurement taken while there was little to do must not stop the fleet.
FLOOR: Final = 0.4
# If less than this part of a rate is used, the absence of refusals proves nothing.
IN_USE: Final = 0.5


@frozen
class LearnedRate:
    """A learned rate.

    Attributes:
        base: Calls per second at `since`.
        since: When it was written, unix seconds.
        ceiling: The limit as measured; None while it is still sought.
        mark: The owner's count of permits at the last refusal.
        marked_at: When that was.
    """

    base: float
    since: float
    ceiling: float | None
    mark: int
    marked_at: float

    def rate(self, now: float) -> float:
        """Return the calls per second now. It at most doubles until a worker that uses it writes it (`rebased`)."""
        age = max(0.0, now - self.since)
        if self.ceiling is None:
            return self.base * math.pow(2.0, min(1.0, max(0.0, age - GUESS_SECONDS) / DOUBLING_SECONDS))
        if age <= HOLD_SECONDS:
            return self.base + (self.ceiling - self.base) * min(1.0, age / RECOVERY_SECONDS)
        return self.ceiling * (1.0 + min(1.0, (age - HOLD_SECONDS) / TEST_SECONDS) ** 2)

    def within(self, limit: float) -> LearnedRate:
        """Return the rate once the vendor has said what the limit is: no need to measure."""
        return replace(self, base=min(self.base, limit), ceiling=limit)

    def rebased(self, now: float, used: int) -> LearnedRate | None:
        """Return the rate to write once it has doubled; None before that, and while it is not used."""
        age = now - self.since
        full = GUESS_SECONDS + DOUBLING_SECONDS if self.ceiling is None else HOLD_SECONDS + TEST_SECONDS
        if age < full or used - self.mark < IN_USE * self.rate(now) * (now - self.marked_at):
            return None
        return replace(self, base=self.rate(now), since=now, ceiling=None)

    def refused(self, now: float, used: int) -> LearnedRate:
        """Return the rate after a refusal of a call made at this one."""
        age, calls, rate = now - self.marked_at, used - self.mark, self.rate(now)
        if age >= MEASURED_SECONDS and calls >= MEASURED_CALLS:
            limit = max(SLOWEST, min(rate, max(FLOOR * rate, SERVED * calls / age)))
            return LearnedRate(BACK_OFF * limit, now, limit, used, now)
        ceiling = None if self.ceiling is None else min(self.ceiling, rate)
        return LearnedRate(max(SLOWEST, CUT * rate), now, ceiling, used, now)


def first_learned_rate(recent_rate: float, now: float, used: int) -> LearnedRate:
    """Return the rate after the first refusal; `recent_rate` is what was being served, as far as the worker knows."""
    return LearnedRate(max(SLOWEST, recent_rate), now, None, used, now)
