"""Whether traffic may reach a provider: closed, open, and open to one trial at a time.

Theory of operation
- The circuit lives in the provider's health record; workers read it. Nothing here counts calls: whether a trial
  succeeded is read from the same tallies as everything else, so that a replayed metric changes nothing.
- Open until a moment; from then on one trial at a time is let through, by a permit that the whole fleet shares.
  A fault of a trial opens it again for longer: 30 s, doubling to 300 s. Enough successes close it.
- A provider that fails again soon after it was closed goes on with the ejections it had, so that one that comes and
  goes is tried less and less often.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mediarelay.metrics.tally import Tally
from mediarelay.vocabulary.frozen import frozen

FIRST_EJECTION_SECONDS: Final = 30.0
LONGEST_EJECTION_SECONDS: Final = 300.0
# Closed for this long, it starts from the first ejection again.
FORGIVEN_AFTER_SECONDS: Final = 900.0
# Trials that must succeed, one after the other; calls that came through the floor prove less each.
TRIALS_TO_CLOSE: Final = 2
CALLS_TO_CLOSE: Final = 5


@frozen
class Circuit:
    """Whether traffic may reach a provider. Moments in unix seconds.

    Attributes:
        opened_at: When it was opened; None while closed.
        until: No traffic passes before then; of a closed one: when it was closed.
        ejections: How often in a row it was opened.
    """

    opened_at: float | None = None
    until: float = 0.0
    ejections: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is open or half open."""
        return self.opened_at is not None

    def tries(self, now: float) -> bool:
        """Tell whether one trial may be made."""
        return self.is_open and now >= self.until

    def opened(self, now: float) -> Circuit:
        """Return the circuit after a verdict of down."""
        forgiven = now - self.until > FORGIVEN_AFTER_SECONDS
        return self._ejected(0 if forgiven else self.ejections, now, now)

    def reopened(self, fault_at: float, now: float) -> Circuit:
        """Return the circuit after a trial that failed."""
        return self._ejected(self.ejections, max(fault_at, now), self.opened_at or now)

    def closed(self, now: float) -> Circuit:
        """Return the circuit after trials that succeeded."""
        return Circuit(None, now, self.ejections)

    def proven(self, tallies: Iterable[Tally]) -> bool:
        """Tell whether the successes since it opened, none followed by a fault, are enough to close it."""
        opened, due = round((self.opened_at or 0.0) * 1000), round(self.until * 1000)
        return any(
            tally.successes_since(due) >= TRIALS_TO_CLOSE or tally.successes_since(opened) >= CALLS_TO_CLOSE
            for tally in tallies
        )

    def _ejected(self, before: int, start: float, opened_at: float) -> Circuit:
        return replace(self, opened_at=opened_at, until=start + ejection_seconds(before), ejections=before + 1)


CLOSED: Final = Circuit()


def ejection_seconds(before: int) -> float:
    """Return how long it stays open after so many ejections in a row."""
    return float(min(LONGEST_EJECTION_SECONDS, FIRST_EJECTION_SECONDS * 2.0**before))
