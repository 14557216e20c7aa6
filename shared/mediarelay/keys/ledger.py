"""The keys of one vendor and what is known of each: which may be used when, and what an observation changes.

What holds for a scope (a key, its account, one provider of it) is the sum of all verdicts about it. A record is a
function of the *set* of verdicts joined (the latest clearing, the verdicts newer than it, the latest word of an
operator), so neither their order nor repetition matters.

Not thread-safe; `keys.pool.KeyPool` guards it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import filterfalse
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from mediarelay.keys.states import (
    EVENT_OF,
    TRANSITIONS,
    KeyEvent,
    KeyPoolError,
    KeyStatus,
    KeyVerdict,
    Scope,
    moved,
)
from mediarelay.vocabulary.backoff import Growth, half_jitter
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import Failure


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


@frozen
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


# A key at its ceiling or on trial is free when a call ends, at no known moment: look again about as often as calls end.
BUSY_SECONDS: Final = 0.25
# A trial whose result is never reported (its worker was frozen) must not keep the key out for ever.
TRIAL_SECONDS: Final = 60.0

# The most that an answer without a marker of the vendor's own can bench, whatever wait it names.
GUESS_SECONDS: Final = 60.0

_CLEAR: Final = ScopeRecord()


@frozen
class KeyEntry:
    """One key, without its secret.

    Attributes:
        account: Who owns the quota; left empty, the key's own id, so that undeclared keys never affect each other.
        weight: Share of the work relative to its siblings; positive.
        rpm: Requests per minute its account is allowed, when declared.
        concurrency: Most calls at once for its account, when declared; of several declarations the lowest holds.
        burst: Requests at once after a rest, when declared; otherwise those of one second.
    """

    key_id: str
    vendor: str
    account: str = ""
    weight: float = 1.0
    rpm: float | None = None
    concurrency: int | None = None
    burst: int | None = None

    def __post_init__(self) -> None:
        if not self.account:
            object.__setattr__(self, "account", self.key_id)
        if not 0.0 < self.weight < math.inf:
            raise ValueError(f"weight must be positive and finite, not {self.weight}")

    @lru_cache(maxsize=4096)  # noqa: B019 # a worker has few keys, and asks for the same scopes at every call
    def scopes(self, provider: str) -> tuple[Scope, ...]:
        """Return the scopes that can keep this key from serving the provider."""
        of_account, own = (True, self.account), (False, self.key_id)
        return Scope(*of_account, None), Scope(*of_account, provider), Scope(*own, None), Scope(*own, provider)

    def owns(self, scope: Scope) -> bool:
        """Tell whether the scope concerns this key, at any provider."""
        return scope.owner == (self.account if scope.spreads else self.key_id)

    def verdict(self, scope: Scope, found: Penalty, *, observed_at: float, code: str = "") -> KeyVerdict:
        """Return a verdict on a scope of this key, observed with this key."""
        return KeyVerdict(
            vendor=self.vendor,
            key_id=self.key_id,
            account=self.account,
            provider=scope.provider,
            status=found.status,
            until=None if math.isinf(found.until) else found.until,
            strikes=found.strikes,
            code=code,
            observed_at=observed_at,
            spreads=scope.spreads,
        )


class UnknownKey(KeyPoolError):
    """An operator named a key that this pool does not have."""

    def __init__(self, vendor: str, key_id: str) -> None:
        super().__init__(f"{vendor} has no key {key_id}")
        self.vendor = vendor
        self.key_id = key_id


class KeyLedger:
    """Entries and the records of their scopes. Every change returns the verdicts that other workers should learn."""

    def __init__(self, vendor: str, *, rng: Random) -> None:
        self.vendor = vendor
        self.entries: Mapping[str, KeyEntry] = MappingProxyType({})
        self._rng = rng
        self._records: dict[Scope, ScopeRecord] = {}
        self._held_until: dict[Scope, float] = {}  # only of scopes that are held back
        self._trials: dict[Scope, float] = {}

    def replace_entries(self, entries: Iterable[KeyEntry]) -> None:
        """Take over a new set of keys; what is known of those that stay, and of their accounts, is kept."""
        fresh: dict[str, KeyEntry] = {}
        for entry in entries:
            if entry.vendor != self.vendor:
                raise ValueError(f"a key of {entry.vendor} in the pool of {self.vendor}")
            fresh[entry.key_id] = entry
        self.entries = MappingProxyType(fresh)
        for scope in filterfalse(self._concerns, (*self._records, *self._trials)):
            self._records.pop(scope, None)
            self._held_until.pop(scope, None)
            self._trials.pop(scope, None)

    # --- may it serve? --------------------------------------------------------------------------------------------

    def ready_at(self, entry: KeyEntry, provider: str, now: float) -> float:
        """Return the moment (unix seconds) from which the key may be used; infinity when it needs a person."""
        ready = -math.inf
        for scope in entry.scopes(provider):
            ready = max(ready, self._held_until.get(scope, -math.inf))
            if now < self._trials.get(scope, -math.inf) + TRIAL_SECONDS:
                ready = max(ready, now + BUSY_SECONDS)
        return ready

    def start_trials(self, entry: KeyEntry, provider: str, now: float) -> None:
        """Note that the key is about to be used: if it was rejected, this is its one trial, closed to other calls."""
        for scope in entry.scopes(provider):
            if scope in self._held_until and self._record(scope).status_at(now) is KeyStatus.REJECTED:
                self._trials[scope] = now

    def end_trials(self, key_id: str, provider: str | None = None) -> None:
        """End the key's trials, at one provider or at all, whatever their results."""
        for scope in list(self._trials):
            if scope.owner == key_id and (provider is None or scope.provider in (None, provider)):
                del self._trials[scope]

    def rejected(self, key_id: str, now: float) -> bool:
        """Tell whether the vendor refuses the key as such."""
        scope = Scope(spreads=False, owner=key_id, provider=None)
        return scope in self._held_until and self._record(scope).status_at(now) is KeyStatus.REJECTED

    def held(self, entry: KeyEntry, now: float) -> Iterator[KeyVerdict]:
        """Yield the verdicts that keep the key from being active, at any provider."""
        for scope, known in self._records.items():
            if entry.owns(scope) and (verdict := known.held_at(now)):
                yield verdict

    # --- what happened --------------------------------------------------------------------------------------------

    def succeeded(self, entry: KeyEntry, provider: str, *, started_at: float, now: float) -> tuple[KeyVerdict, ...]:
        """Clear what was observed before a successful call started."""
        cleared: list[KeyVerdict] = []
        for scope in entry.scopes(provider):
            after = self._record(scope).cleared(started_at)
            if scope not in self._held_until:
                self._records[scope] = after
            elif self._update(scope, after, now):
                cleared.append(entry.verdict(scope, Penalty(KeyStatus.ACTIVE), observed_at=started_at))
        return tuple(cleared)

    def failed(self, entry: KeyEntry, provider: str, failure: Failure, *, now: float) -> tuple[KeyVerdict, ...]:
        """Bench what the failure concerns; on a mere guess, for seconds: the request or our address may be at fault."""
        event = EVENT_OF.get(failure.outcome)
        if event is None:
            return ()
        scope = _concerned(event, entry, provider, spreads=failure.spreads)
        wait = believed(event, failure.wait_seconds)
        guessed = not failure.certain and event is not KeyEvent.THROTTLED
        if not failure.certain:
            event, scope = KeyEvent.THROTTLED, scope._replace(provider=provider)
            wait = None if wait is None else min(wait, GUESS_SECONDS)
        key_failure = KeyFailure(event, wait, failure.code, brief=guessed)
        return self._bench(entry, scope, key_failure, now)

    def exhausted(
        self, entry: KeyEntry, *, now: float, until: float | None, code: str, spreads: bool
    ) -> tuple[KeyVerdict, ...]:
        """Park the account, or the key alone, until a moment or for the usual time."""
        scope = Scope(spreads, entry.account if spreads else entry.key_id, None)
        wait = None if until is None else max(0.0, until - now)
        return self._bench(entry, scope, KeyFailure(KeyEvent.QUOTA_EXHAUSTED, wait, code), now)

    def merge(self, verdicts: Iterable[KeyVerdict], *, now: float) -> tuple[KeyVerdict, ...]:
        """Join what other workers saw. Returns the verdicts that changed anything."""
        news = [
            verdict
            for verdict in verdicts
            if verdict.vendor == self.vendor and self._concerns(verdict.scope) and self._join(verdict, now)
        ]
        return tuple(news)

    def known(self, key_id: str) -> KeyEntry:
        """Return the entry. Raises `UnknownKey`."""
        try:
            return self.entries[key_id]
        except KeyError:
            raise UnknownKey(self.vendor, key_id) from None

    # --- within ---------------------------------------------------------------------------------------------------

    def _concerns(self, scope: Scope) -> bool:
        """Tell whether the scope is of a key or an account that the vendor has."""
        return any(entry.owns(scope) for entry in self.entries.values())

    def _record(self, scope: Scope) -> ScopeRecord:
        return self._records.get(scope, _CLEAR)

    def _bench(self, entry: KeyEntry, scope: Scope, key_failure: KeyFailure, now: float) -> tuple[KeyVerdict, ...]:
        record = self._record(scope)
        found = penalty(record, key_failure, now=now, rng=self._rng)
        if found.status is KeyStatus.DISABLED:
            return ()
        verdict = entry.verdict(scope, found, observed_at=record.after(now), code=key_failure.code)
        return (verdict,) if self._join(verdict, now) else ()

    def _join(self, verdict: KeyVerdict, now: float) -> bool:
        return self._update(verdict.scope, self._record(verdict.scope).joined(verdict), now)

    def _update(self, scope: Scope, after: ScopeRecord, now: float) -> bool:
        """Keep what is known now. Returns whether it differs from before in anything that matters."""
        before, self._records[scope] = self._record(scope), after
        self._held_until.pop(scope, None)
        if after.verdict is not None:
            self._held_until[scope] = after.ready_at
        return before.effect_at(now) != after.effect_at(now)


def _concerned(event: KeyEvent, entry: KeyEntry, provider: str, *, spreads: bool) -> Scope:
    """Return the scope that a failure concerns."""
    of_account = event in (KeyEvent.THROTTLED, KeyEvent.QUOTA_EXHAUSTED) and spreads
    anywhere = event in (KeyEvent.QUOTA_EXHAUSTED, KeyEvent.KEY_REJECTED)
    return Scope(of_account, entry.account if of_account else entry.key_id, None if anywhere else provider)
