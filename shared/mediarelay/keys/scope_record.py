"""What holds for one scope: the sum of all verdicts about it, and how long the next failure benches it.

A record is a function of the *set* of verdicts joined (the latest clearing, the verdicts newer than it, the latest
word of an operator), so neither their order nor repetition matters. Nothing is written when time passes: expiry is
read from the deadline, never stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from mediarelay.keys.states import TRANSITIONS, KeyEvent, KeyStatus, KeyVerdict, moved
from mediarelay.vocabulary.backoff import Growth, half_jitter


@dataclass(frozen=True)
class ScopeRecord:
    """All that is known of one scope.

    Attributes:
        cleared_at: Verdicts observed before this moment no longer count.
        marks: The vendor's verdicts since then that may still matter.
        operator: The latest word of a person.
    """

    cleared_at: float = -math.inf
    marks: tuple[KeyVerdict, ...] = ()
    operator: KeyVerdict | None = None

    def joined(self, verdict: KeyVerdict) -> ScopeRecord:
        """Return the record with one more verdict; the order and number of times they are joined make no difference."""
        heard = self._heard(verdict) if verdict.by_operator else self
        if verdict.status is KeyStatus.ACTIVE:
            return heard.cleared(verdict.observed_at)
        if verdict.status is KeyStatus.DISABLED:
            return heard
        return replace(heard, marks=_relevant((*heard.marks, verdict), since=heard.cleared_at))

    def cleared(self, at: float) -> ScopeRecord:
        """Return the record without what was observed before `at`; a verdict of the same instant stays."""
        if at <= self.cleared_at:
            return self
        return ScopeRecord(at, _relevant(self.marks, since=at) if self.marks else (), self.operator)

    def _heard(self, verdict: KeyVerdict) -> ScopeRecord:
        if self.operator is not None and self.operator.age_order >= verdict.age_order:
            return self
        return replace(self, operator=verdict)

    @cached_property
    def verdict(self) -> KeyVerdict | None:
        """What holds: the newest verdict, with the latest deadline seen for its status. None when clear."""
        if self.operator is not None and self.operator.status is KeyStatus.DISABLED:
            return replace(self.operator, until=None)
        if not self.marks:
            return None
        newest = max(self.marks, key=lambda mark: mark.age_order)
        deadline = max(mark.deadline for mark in self.marks if mark.status is newest.status)
        return replace(newest, until=None if math.isinf(deadline) else deadline)

    @property
    def ready_at(self) -> float:
        """Unix seconds from which it may be used (a rejected one: tried); infinity when a person is needed."""
        return -math.inf if self.verdict is None else self.verdict.deadline

    def status_at(self, now: float) -> KeyStatus:
        """Return the status, considering deadlines that have passed."""
        if self.verdict is None:
            return KeyStatus.ACTIVE
        status = self.verdict.status
        waited = self.ready_at <= now and (status, KeyEvent.WAITED) in TRANSITIONS
        return moved(status, KeyEvent.WAITED) if waited else status

    def held_at(self, now: float) -> KeyVerdict | None:
        """Return the verdict that keeps it from being active, if there is one."""
        return None if self.status_at(now) is KeyStatus.ACTIVE else self.verdict

    def effect_at(self, now: float) -> tuple[KeyStatus, float, int]:
        """Return what a change must touch to be worth publishing: status, deadline, strikes."""
        return self.status_at(now), self.ready_at, self.verdict.strikes if self.verdict else 0

    def after(self, now: float) -> float:
        """Return the moment for a new verdict: now, but later than all that this worker has seen."""
        seen = [self.cleared_at, *(mark.observed_at for mark in self.marks)]
        seen += [self.operator.observed_at] if self.operator else []
        return max(now, math.nextafter(max(seen), math.inf))


def _relevant(marks: Iterable[KeyVerdict], *, since: float) -> tuple[KeyVerdict, ...]:
    """Drop what is cleared, and what a newer verdict of the same status outlasts: no later clearing can revive it."""
    kept: list[KeyVerdict] = []
    for mark in sorted(marks, key=lambda mark: mark.age_order, reverse=True):
        outlasted = any(mark.status is newer.status and mark.deadline <= newer.deadline for newer in kept)
        if mark.observed_at >= since and not outlasted:
            kept.append(mark)
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class PenaltyRule:
    """How long an event benches.

    Attributes:
        growth: Seconds by consecutive strike, when the vendor names no wait.
        longest_wait: The most we believe of the vendor's own wait, in seconds; None when such a wait means nothing.
        jittered: Whether to spread it, so that workers who guessed together don't return together.
    """

    growth: Growth
    longest_wait: float | None
    jittered: bool = False


# A vendor's "0" or "in 3 ms" is counted from its clock, not ours; returning at once buys another 429.
SHORTEST_WAIT_SECONDS: Final = 0.05

# - Throttled: 5 s is what the field starts with; without a wait header a minute is the window nearly all vendors count
#   by. An hour is the most we believe of a header: beyond, it is a quota or a mistake.
# - Exhausted: a top-up is noticed within the hour at first; an account that stays unpaid is tried four times a day.
# - Rejected: keys come back (a billing pause, a slow roll-out); one trial costs nothing, a pool that only shrinks does.
# - Permission denied: a person grants it, so soon is soon enough.
PENALTY_RULES: Final[Mapping[KeyEvent, PenaltyRule]] = MappingProxyType(
    {
        KeyEvent.THROTTLED: PenaltyRule(Growth(5.0, 60.0), longest_wait=3600.0, jittered=True),
        KeyEvent.QUOTA_EXHAUSTED: PenaltyRule(Growth(3600.0, 21600.0), longest_wait=21600.0),
        KeyEvent.KEY_REJECTED: PenaltyRule(Growth(300.0, 3600.0), longest_wait=None),
        KeyEvent.PERMISSION_DENIED: PenaltyRule(Growth(3600.0, 3600.0), longest_wait=None),
    }
)


def believed(event: KeyEvent, wait_seconds: float | None) -> float | None:
    """Return the vendor's wait within sane bounds, or None when it named none that means anything for this event."""
    longest = PENALTY_RULES[event].longest_wait
    if wait_seconds is None or longest is None:
        return None
    return min(max(wait_seconds, SHORTEST_WAIT_SECONDS), longest)


class KeyFailure(NamedTuple):
    """A failure as it concerns one scope.

    Attributes:
        wait: Seconds that the vendor or an operator named; None for the usual time.
        code: The marker to remember it by.
        brief: Whether the usual time is that of a first strike, however many there were.
    """

    event: KeyEvent
    wait: float | None
    code: str
    brief: bool = False


class Penalty(NamedTuple):
    """The status that a scope gets; `until` in unix seconds, infinity when it needs a person."""

    status: KeyStatus
    until: float = math.inf
    strikes: int = 0


def penalty(record: ScopeRecord, key_failure: KeyFailure, *, now: float, rng: Random) -> Penalty:
    """Decide what a failure does to a scope. A deadline is never shortened.

    A failure while the same penalty still lasts is of a call that was already under way: no new strike.
    """
    status = moved(record.status_at(now), key_failure.event)
    last = record.verdict if record.verdict and record.verdict.status is status else None
    strikes, until = (last.strikes, last.deadline) if last else (0, -math.inf)
    serving = until > now
    if serving and key_failure.wait is None:
        return Penalty(status, until, strikes)
    strikes += not serving
    seconds = (
        key_failure.wait
        if key_failure.wait is not None
        else _grown(key_failure.event, 1 if key_failure.brief else strikes, rng)
    )
    return Penalty(status, max(until, now + seconds), strikes)


def _grown(event: KeyEvent, strikes: int, rng: Random) -> float:
    term = PENALTY_RULES[event]
    whole = term.growth.ceiling(strikes - 1)
    return half_jitter(whole, rng=rng) if term.jittered else whole
