"""What a whole fleet shares of one provider: the permit for single calls, and the faults that made it suspect.

Theory of operation
- One small item per provider, read with the health records and changed by compare-and-set. Each method is one change:
  it takes the item as known and gives the one to write, or says why there is nothing to write.
- Each request that it fails is a strike, whichever worker meets it and however often the request comes again. Three
  make the provider suspect for every worker: no two texts that no call survives can. From then on it is called by
  permit, one call at a time; of a suspect one, a fault of a call that was under way already proves nothing new. The
  fourth strike trips it for the fleet, so that an outage costs about three more calls however many workers there are.
- Strikes that are all of one model concern that model alone. One success clears its model.
- Successes of a provider without strikes write nothing.
- Only faults that are news are shared. A provider known to fail now and then would be suspect for all workers all the
  time; such a one is judged by each worker for itself, and by the record for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mediarelay.health.local import (
    STRIKES_KEPT,
    STRIKES_TO_SUSPECT,
    STRIKES_TO_TRIP,
    SUSPECT_SECONDS,
    TRIPPED_SECONDS,
    Mark,
    Suspicion,
    against,
    suspicion_of,
)
from mediarelay.vocabulary.frozen import frozen

# Before the next call by permit. The three strikes that make suspect are the three requests in a row that the record
# asks of a provider that never fails; a fourth call is made only when the record is late or asks for more.
SOON_SECONDS: Final = 0.5
LATE_SECONDS: Final = 2.0
# More in the window of five minutes are no news: such a provider would be in and out of suspicion all the time.
NEWS_FAULTS: Final = 12


@frozen
class HalfOpenPermit:
    """The permit as the fleet shares it. Moments in unix seconds.

    Attributes:
        holder: The job that holds it; empty when none does.
        taken_until: No other job gets the permit before then.
        strikes: Requests that it failed since the last success, as far as they were shared.
        struck_at: When the call of the newest one had ended.
        version: Counts the writes of the item; 0 when there is none.
        marks: What the strikes are; empty in an item of before they were kept.
    """

    holder: str = ""
    taken_until: float = 0.0
    strikes: int = 0
    struck_at: float = 0.0
    version: int = 0
    marks: tuple[Mark, ...] = ()

    def suspicion(self, now: float, model: str | None = None) -> Suspicion:
        """Return how far the fleet suspects the provider, or one model of it."""
        strikes = against(self.marks, model) if self.marks else self.strikes
        return suspicion_of(strikes, self.struck_at, now)

    def is_over(self, now: float) -> bool:
        """Tell whether nothing of it matters any more."""
        return self.taken_until <= now and not self._recent(now)

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
        return replace(self, holder="", taken_until=now, strikes=0, struck_at=0.0, marks=())

    def acquitted(self, now: float, model: str = "", *, started: float) -> HalfOpenPermit | None:
        """Take back the strikes of a model of which a call without a permit that started then has delivered; None when
        there are none. The holder of the permit keeps it.
        """
        if not self._recent(now) or started < self.struck_at:
            return None
        return self._kept([mark for mark in self.marks if mark.model != model])

    def excused(self, cause: str) -> HalfOpenPermit | None:
        """Take back the strike of a request that another provider has failed as well; None when there is none."""
        others = [mark for mark in self.marks if mark.cause != cause]
        return None if len(others) == len(self.marks) else self._kept(others)

    def failed(self, now: float, mark: Mark | None, *, shared: bool, at_least: float = 0.0) -> HalfOpenPermit:
        """Count a request that failed by permit, unless it is no news of the provider (None); for *at_least* so many
        seconds there is no other permit. A suspicion that has begun goes on, shared or not.
        """
        if mark is not None and (shared or self.suspicion(now) is not Suspicion.CLEAR):
            return self._struck(now, mark, max(at_least, SOON_SECONDS))
        return replace(self, holder="", taken_until=now + max(at_least, pause(1)))

    def met(self, now: float, mark: Mark, *, started: float) -> HalfOpenPermit | None:
        """Count a request that failed without a permit, in a call that started then; None when it proves nothing new.

        The holder of the permit keeps it.
        """
        known = self._recent(now) and mark.cause in {each.cause for each in self.marks}
        match self.suspicion(now):
            case Suspicion.TRIPPED:
                return None
            case Suspicion.SUSPECT if started < self.struck_at:
                return None
        if known:
            return None
        after = self._struck(now, mark)
        return replace(after, holder=self.holder, taken_until=self.taken_until) if self.taken_until > now else after

    def next_version(self) -> HalfOpenPermit:
        """Return it as it is in the table once written over this version."""
        return replace(self, version=self.version + 1)

    def _recent(self, now: float) -> bool:
        return self.strikes > 0 and now - self.struck_at < SUSPECT_SECONDS

    def _kept(self, marks: Sequence[Mark]) -> HalfOpenPermit | None:
        """Return it with these strikes alone; None when there are no others."""
        if len(marks) == self.strikes:
            return None
        return replace(self, strikes=len(marks), marks=tuple(marks), struck_at=self.struck_at if marks else 0.0)

    def _struck(self, now: float, mark: Mark, at_least: float = 0.0) -> HalfOpenPermit:
        recent = self._recent(now)
        others = [each for each in self.marks if each.cause != mark.cause] if recent else []
        strikes = len(others) + 1 if self.marks or not recent else self.strikes + 1
        rest = max(at_least, pause(strikes) if strikes >= STRIKES_TO_SUSPECT else 0.0)
        marks = (*others, mark)[-STRIKES_KEPT:]
        return replace(self, holder="", taken_until=now + rest, strikes=strikes, struck_at=now, marks=marks)


def pause(strikes: int) -> float:
    """Return the seconds until the next permit after so many strikes."""
    if strikes >= STRIKES_TO_TRIP:
        return TRIPPED_SECONDS
    return LATE_SECONDS if strikes >= STRIKES_TO_SUSPECT else SOON_SECONDS


def is_news(faults: int) -> bool:
    """Tell whether one more fault of a provider that had so many in the window should be shared."""
    return faults <= NEWS_FAULTS
