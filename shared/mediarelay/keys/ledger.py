"""The keys of one vendor and what is known of each: which may be used when, and what an observation changes.

Not thread-safe; `keys.pool.KeyPool` guards it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import filterfalse
from random import Random
from types import MappingProxyType
from typing import Final

from mediarelay.keys.scope_record import KeyFailure, Penalty, ScopeRecord, believed, penalty
from mediarelay.keys.states import (
    EVENT_OF,
    KeyEvent,
    KeyPoolError,
    KeyStatus,
    KeyVerdict,
    Scope,
)
from mediarelay.vocabulary.outcome import Failure

# A key at its ceiling or on trial is free when a call ends, at no known moment: look again about as often as calls end.
BUSY_SECONDS: Final = 0.25
# A trial whose result is never reported (its worker was frozen) must not keep the key out for ever.
TRIAL_SECONDS: Final = 60.0

# The most that an answer without a marker of the vendor's own can bench, whatever wait it names.
GUESS_SECONDS: Final = 60.0

_CLEAR: Final = ScopeRecord()


@dataclass(frozen=True, slots=True)
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
        fresh = {entry.key_id: entry for entry in entries}
        for entry in fresh.values():
            if entry.vendor != self.vendor:
                raise ValueError(f"a key of {entry.vendor} in the pool of {self.vendor}")
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
