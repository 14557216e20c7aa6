"""What a whole fleet shares of one provider: the permit for single calls, and the faults that made it suspect.

Theory of operation
- One small item per provider, read with the health records and changed by compare-and-set. Each method is one change:
  it takes the item as known and gives the one to write, or says why there is nothing to write.
- The first fault that a worker meets makes the provider suspect for every worker. From then on it is called by permit,
  one call at a time. Each fault of a call that began after the one before had come back is one more strike; those that
  were under way already prove nothing new. Four strikes trip it for the fleet, so that an outage costs about three
  more calls however many workers there are. One success clears it.
- Successes of a provider that is not suspect write nothing.
- Only faults that are news are shared. A provider known to fail now and then would be suspect for all workers all the
  time; such a one is judged by each worker for itself, and by the record for all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediarelay.health.local import STRIKES_TO_TRIP, TRIPPED_SECONDS, Suspicion, suspicion_of
from mediarelay.vocabulary.frozen import frozen

# Between two calls of a suspect provider. Two soon ones give the record the three faults in a row that it asks of a
# provider that never fails; the third is made only when the record is late.
SOON_SECONDS: Final = 0.5
LATE_SECONDS: Final = 2.0
SOON_CALLS: Final = 2
# A suspicion costs a provider about 2.5 s of its calls. So many faults in the window of five minutes cost it a tenth.
NEWS_FAULTS: Final = 12


@frozen
class HalfOpenPermit:
    """The permit as the fleet shares it. Moments in unix seconds.

    Attributes:
        holder: The job that holds it; empty when none does.
        taken_until: No other job gets the permit before then.
        strikes: Faults since the last success, as far as they were shared.
        struck_at: When the call of the newest one had ended.
        version: Counts the writes of the item; 0 when there is none.
    """

    holder: str = ""
    taken_until: float = 0.0
    strikes: int = 0
    struck_at: float = 0.0
    version: int = 0

    def suspicion(self, now: float) -> Suspicion:
        """Return how far the fleet suspects the provider."""
        return suspicion_of(self.strikes, self.struck_at, now)

    def is_over(self, now: float) -> bool:
        """Tell whether nothing of it matters any more."""
        return self.taken_until <= now and self.suspicion(now) is Suspicion.CLEAR

    @property
    def trips_until(self) -> float:
        """When a tripped one may be tried again."""
        return self.struck_at + TRIPPED_SECONDS

    def refuses(self, now: float) -> float | None:
        """Return None when the permit is free, otherwise when to ask again."""
        return self.taken_until if self.taken_until > now else None

    def taken(self, holder: str, *, until: float) -> HalfOpenPermit:
        """Give the permit to *holder*, until then at the latest."""
        return replace(self, holder=holder, taken_until=until)

    def returned(self, now: float) -> HalfOpenPermit:
        """Return the permit unused."""
        return replace(self, holder="", taken_until=now)

    def cleared(self, now: float) -> HalfOpenPermit:
        """Clear the suspicion: a call that began after the newest strike delivered."""
        return replace(self, holder="", taken_until=now, strikes=0, struck_at=0.0)

    def acquitted(self, now: float, *, started: float) -> HalfOpenPermit | None:
        """Clear the suspicion by a call without a permit that started then; None when it clears nothing.

        The holder of the permit keeps it.
        """
        if self.suspicion(now) is Suspicion.CLEAR or started < self.struck_at:
            return None
        return replace(self, strikes=0, struck_at=0.0)

    def failed(self, now: float, *, shared: bool, at_least: float = 0.0) -> HalfOpenPermit:
        """Count the fault of a call by permit; for *at_least* so many seconds there is no other permit.

        A suspicion that has begun goes on, shared or not.
        """
        if shared or self.suspicion(now) is not Suspicion.CLEAR:
            return self._struck(now, at_least)
        return replace(self, holder="", taken_until=now + max(at_least, pause(1)))

    def met(self, now: float, *, started: float) -> HalfOpenPermit | None:
        """Count the fault of a call without a permit that started then; None when it proves nothing new.

        The holder of the permit keeps it.
        """
        match self.suspicion(now):
            case Suspicion.TRIPPED:
                return None
            case Suspicion.SUSPECT if started < self.struck_at:
                return None
        after = self._struck(now)
        return replace(after, holder=self.holder, taken_until=self.taken_until) if self.taken_until > now else after

    def next_version(self) -> HalfOpenPermit:
        """Return it as it is in the table once written over this version."""
        return replace(self, version=self.version + 1)

    def _struck(self, now: float, at_least: float = 0.0) -> HalfOpenPermit:
        strikes = 1 if self.suspicion(now) is Suspicion.CLEAR else self.strikes + 1
        rest = max(at_least, pause(strikes))
        return replace(self, holder="", taken_until=now + rest, strikes=strikes, struck_at=now)


def pause(strikes: int) -> float:
    """Return the seconds until the next permit after so many strikes."""
    if strikes >= STRIKES_TO_TRIP:
        return TRIPPED_SECONDS
    return SOON_SECONDS if strikes <= SOON_CALLS else LATE_SECONDS


def is_news(faults: int) -> bool:
    """Tell whether one more fault of a provider that had so many in the window should be shared."""
    return faults <= NEWS_FAULTS
