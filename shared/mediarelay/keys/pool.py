"""The key pool of one vendor: hands out keys, counts them, and learns from how each call went.

Which of the usable keys serves next is `RoundRobin`'s choice. Decisions only: time and dice are arguments, keys are
known by their id, and what other workers should learn is returned as verdicts. One lock guards everything and is never
held across anything slow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from random import Random
from threading import Lock
from typing import Final, NamedTuple, Protocol

from mediarelay.keys.ledger import BUSY_SECONDS, KeyEntry, KeyLedger, UnknownKey
from mediarelay.keys.states import KeyPoolError, KeyStatus, KeyVerdict
from mediarelay.limits.local_view import Account
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure

__all__ = ["KeyEntry", "KeyPool", "KeySnapshot", "NotInFlight", "UnknownKey"]


SECONDS_PER_MINUTE: Final = 60.0
# A bucket of one call saves nothing, so that the margin for calls at uneven moments lies between them.
SPACING: Final = 0.02


@frozen
class KeySnapshot:
    """One thing that holds a key back, or, when nothing does, that it is active.

    Attributes:
        provider: Where it is held back; None for the whole vendor.
        until: Unix seconds; of a rejected key, when its next trial is due; None when it needs a person.
        in_flight: Calls of this worker that hold the key, at any provider.
    """

    key_id: str
    account: str
    provider: str | None
    status: KeyStatus
    until: float | None
    strikes: int
    code: str
    in_flight: int


class NotInFlight(KeyPoolError):
    """A key was released more often than it was taken."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"key {key_id} is not in flight")
        self.key_id = key_id


class KeyPool:
    """The keys of one vendor. Thread-safe; moments are unix seconds, `provider` is the name of one of its providers."""

    def __init__(self, vendor: str, entries: Iterable[KeyEntry], *, policy: RotationPolicy, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self._lock = Lock()
        self._in_flight: Counter[str] = Counter()
        self._ledger = KeyLedger(vendor, rng=rng)
        self._siblings: dict[str, list[str]] = {}
        self._limits: dict[str, Limit | None] = {}
        self.replace_entries(entries)

    def replace_entries(self, entries: Iterable[KeyEntry]) -> None:
        """Take over a new set of keys. What is known of those that stay is kept, and so are calls under way."""
        with self._lock:
            self._ledger.replace_entries(entries)
            accounts: dict[str, list[KeyEntry]] = {}
            self._siblings = {}
            for entry in self._ledger.entries.values():
                accounts.setdefault(entry.account, []).append(entry)
                self._siblings.setdefault(entry.account, []).append(entry.key_id)
            self._limits = {account: limit_of(tuple(each)) for account, each in accounts.items()}

    # --- using keys -----------------------------------------------------------------------------------------------

    # The first users named `get_api_key`, `rotate_key` and `mark_key_exhausted`; they keep their names.
    def get_api_key(self, provider: str, *, now: float, avoid: Collection[str] = ()) -> KeyEntry | None:
        """Take a usable key, counted in flight until `release`; None when there is none now (see `available_at`)."""
        with self._lock:
            free = [
                entry
                for entry in self._ledger.entries.values()
                if entry.key_id not in avoid and self._free_at(entry, provider, now) <= now
            ]
            return self._take(free, provider, now) if free else None

    def rotate_key(self, provider: str, *, now: float, away_from: Collection[str]) -> KeyEntry | None:
        """Take the next usable key that is none of those; it is counted like any other."""
        return self.get_api_key(provider, now=now, avoid=away_from)

    def release(self, key_id: str) -> None:
        """Return a key after its call, best after the result was reported. Raises `NotInFlight` for one not taken."""
        with self._lock:
            if not self._in_flight[key_id]:
                raise NotInFlight(key_id)
            self._in_flight[key_id] -= 1
            if not self._in_flight[key_id]:
                del self._in_flight[key_id]
                self._ledger.end_trials(key_id)

    def succeeded(self, key_id: str, provider: str, *, started_at: float, now: float) -> tuple[KeyVerdict, ...]:
        """Note that a call was served: that clears what was observed before it *started*, and nothing newer.

        Only for calls that need quota (a submit, not a poll). A key that was removed meanwhile is ignored.
        Returns what other workers should learn: as a rule nothing.
        """
        with self._lock:
            entry = self._reported(key_id, provider)
            return self._ledger.succeeded(entry, provider, started_at=started_at, now=now) if entry else ()

    def failed(self, key_id: str, provider: str, failure: Failure, *, now: float) -> tuple[KeyVerdict, ...]:
        """Note a failed call. Returns what other workers should learn: nothing unless key or account is at fault.

        A guess benches for seconds only.
        A key that was removed meanwhile is ignored.
        """
        with self._lock:
            entry = self._reported(key_id, provider)
            return self._ledger.failed(entry, provider, failure, now=now) if entry else ()

    def siblings(self, key_ids: Collection[str]) -> frozenset[str]:
        """Return every key of the accounts that own these."""
        with self._lock:
            accounts = {self._ledger.entries[key].account for key in key_ids if key in self._ledger.entries}
            return frozenset(key for account in accounts for key in self._siblings[account])

    def strangers(self, account: str) -> frozenset[str]:
        """Return every key of other accounts than this; none when none of the keys is the account's."""
        with self._lock:
            mine = self._siblings.get(account)
            return frozenset(self._ledger.entries.keys() - set(mine)) if mine else frozenset()

    def available_at(self, provider: str, *, now: float, barred: Collection[str] = ()) -> float | None:
        """Return when the next key not *barred* becomes usable: `now` if one is, None when none will without a person.

        A key that is merely busy has no such moment; it counts as a fraction of a second from now.
        """
        with self._lock:
            entries = [entry for entry in self._ledger.entries.values() if entry.key_id not in barred]
            soonest = min((self._free_at(entry, provider, now) for entry in entries), default=math.inf)
        return None if soonest == math.inf else max(now, soonest)

    def accounts(self, provider: str, *, now: float, ahead: float = 0.0, avoid: Collection[str] = ()) -> list[Account]:
        """Return the owners of the keys that may be used now or later, each key with the moment from which it may.

        Moments are *ahead* of our clock by so many seconds, as the fleet's clock is; of a key that may be used now
        it is -inf, since what is known of that clock may change before the moment is looked at.
        """
        owners: dict[str, list[tuple[str, float]]] = {}
        with self._lock:
            for entry in self._ledger.entries.values():
                free_at = math.inf if entry.key_id in avoid else self._free_at(entry, provider, now)
                if free_at < math.inf:
                    owners.setdefault(entry.account, []).append(
                        (entry.key_id, -math.inf if free_at <= now else free_at + ahead)
                    )
            return [Account(name, tuple(keys), self._limits.get(name)) for name, keys in owners.items()]

    def take_one_of(self, key_ids: Collection[str], provider: str, *, now: float) -> KeyEntry | None:
        """Take one of these keys, counted in flight until `release`; None when none of them can be used now."""
        with self._lock:
            entries = [entry for entry in self._ledger.entries.values() if entry.key_id in key_ids]
            free = [entry for entry in entries if self._free_at(entry, provider, now) <= now]
            return self._take(free, provider, now) if free else None

    def usable(self, provider: str, *, now: float) -> int:
        """Return how many keys are not held back, those at their ceiling included."""
        with self._lock:
            entries = self._ledger.entries.values()
            return sum([self._ledger.ready_at(entry, provider, now) <= now for entry in entries])

    # --- what others say ----------------------------------------------------------------------------------------------

    def ceiling(self, entry: KeyEntry) -> int | None:
        """Return the most calls at once that were declared for the key's account, or None."""
        limit = self._limits.get(entry.account)
        return limit.slots if limit else None

    def rejected(self, key_id: str, *, now: float) -> bool:
        """Tell whether the vendor refuses the key as such."""
        with self._lock:
            return self._ledger.rejected(key_id, now)

    def merge(self, verdicts: Iterable[KeyVerdict], *, now: float) -> tuple[KeyVerdict, ...]:
        """Take in what other workers saw, in any order and any number of times. Returns the verdicts that were news."""
        with self._lock:
            return self._ledger.merge(verdicts, now=now)

    def mark_key_exhausted(
        self, key_id: str, *, now: float, until: float | None = None, code: str = "exhausted", spreads: bool = True
    ) -> tuple[KeyVerdict, ...]:
        """Bench the key's account (or the key alone) until then; without a moment, for the usual, growing time.

        Raises `UnknownKey`.
        """
        with self._lock:
            entry = self._ledger.known(key_id)
            return self._ledger.exhausted(entry, now=now, until=until, code=code, spreads=spreads)

    def snapshot(self, *, now: float) -> tuple[KeySnapshot, ...]:
        """Return all keys, ordered by id: one snapshot for each thing that holds it back, else one that says active."""
        with self._lock:
            entries = sorted(self._ledger.entries.items())
            return tuple(view for _, entry in entries for view in self._views(entry, now))

    # --- within the lock ------------------------------------------------------------------------------------------

    def _reported(self, key_id: str, provider: str) -> KeyEntry | None:
        self._ledger.end_trials(key_id, provider)
        return self._ledger.entries.get(key_id)

    def _take(self, free: Collection[KeyEntry], provider: str, now: float) -> KeyEntry:
        candidates = [Candidate(entry.key_id, entry.weight, self._in_flight[entry.key_id]) for entry in free]
        entry = self._ledger.entries[self._policy.choose(provider, candidates, self._rng).key_id]
        self._in_flight[entry.key_id] += 1
        self._ledger.start_trials(entry, provider, now)
        return entry

    def _free_at(self, entry: KeyEntry, provider: str, now: float) -> float:
        ready, limit = self._ledger.ready_at(entry, provider, now), self._limits[entry.account]
        if limit is None or limit.slots is None:
            return ready
        busy = sum(map(self._in_flight.__getitem__, self._siblings[entry.account]))
        return max(ready, now + BUSY_SECONDS) if busy >= limit.slots else ready

    def _views(self, entry: KeyEntry, now: float) -> list[KeySnapshot]:
        held = sorted(self._ledger.held(entry, now), key=lambda verdict: (-verdict.status.severity, str(verdict.scope)))
        return [self._view(entry, verdict) for verdict in held] or [self._view(entry, None)]

    def _view(self, entry: KeyEntry, verdict: KeyVerdict | None) -> KeySnapshot:
        return KeySnapshot(
            key_id=entry.key_id,
            account=entry.account,
            provider=verdict.provider if verdict else None,
            status=verdict.status if verdict else KeyStatus.ACTIVE,
            until=verdict.until if verdict else None,
            strikes=verdict.strikes if verdict else 0,
            code=verdict.code if verdict else "",
            in_flight=self._in_flight[entry.key_id],
        )


@lru_cache  # the same keys are looked at again at every refresh
def limit_of(entries: tuple[KeyEntry, ...]) -> Limit | None:
    """Return what was declared for the keys of one account; of several declarations the lowest holds."""
    rate, slots, burst = math.inf, math.inf, math.inf
    for entry in entries:
        rate = min(rate, math.inf if entry.rpm is None else entry.rpm / SECONDS_PER_MINUTE)
        slots = min(slots, math.inf if entry.concurrency is None else entry.concurrency)
        burst = min(burst, math.inf if entry.burst is None else entry.burst)
    if math.isinf(rate) and math.isinf(slots):
        return None
    usual = 1 if math.isinf(rate) else max(1, math.floor(rate))
    held = usual if math.isinf(burst) else int(burst)
    if held == 1:
        rate *= 1.0 - SPACING
    return Limit(rate, held, None if math.isinf(slots) else int(slots))


def declared_rates(entries: Iterable[KeyEntry]) -> dict[str, float]:
    """Return the calls a minute that are declared, by account; accounts without a declared rate are left out."""
    accounts: dict[str, list[KeyEntry]] = {}
    for entry in entries:
        accounts.setdefault(entry.account, []).append(entry)
    limits = {account: limit_of(tuple(each)) for account, each in accounts.items()}
    rates = {account: limit.rate for account, limit in limits.items() if limit is not None and limit.interval}
    return {account: round(SECONDS_PER_MINUTE * rate, 3) for account, rate in rates.items()}


class Candidate(NamedTuple):
    """A key that may be used now.

    Attributes:
        weight: Share of the work relative to its siblings; positive.
        in_flight: Calls of this worker that hold it.
    """

    key_id: str
    weight: float
    in_flight: int


class RotationPolicy(Protocol):
    """Picks one candidate. May keep state: the pool calls it under its lock and gives every pool its own."""

    def choose(self, provider: str, candidates: Sequence[Candidate], rng: Random) -> Candidate:
        """Choose the candidate to use; there is at least one. Each `provider` has a rotation of its own."""


class RoundRobin:
    """Smooth weighted round robin: fair, interleaved, and steady while keys come and go.

    Every turn each candidate earns its weight; the richest is chosen and pays what all of them have earned together.
    """

    def __init__(self) -> None:
        # Apart per provider: one rotation shared by two providers that alternate would give each of them one key only.
        self._credits: dict[tuple[str, str], float] = {}

    def choose(self, provider: str, candidates: Sequence[Candidate], rng: Random) -> Candidate:
        """Choose the richest candidate."""
        for candidate in candidates:
            self._earn(provider, candidate, rng)
        chosen = max(candidates, key=lambda each: self._credits[provider, each.key_id])
        self._credits[provider, chosen.key_id] -= sum([each.weight for each in candidates])
        return chosen

    def _earn(self, provider: str, candidate: Candidate, rng: Random) -> None:
        account = (provider, candidate.key_id)
        # A random start below one turn's earnings: workers that start together must not all begin with the first key.
        credit = self._credits.get(account, rng.random() * candidate.weight)
        self._credits[account] = credit + candidate.weight


class PowerOfTwoChoices:
    """The less loaded, for its weight, of two candidates drawn at random: near the best, without a herd."""

    def choose(self, provider: str, candidates: Sequence[Candidate], rng: Random) -> Candidate:  # noqa: ARG002 - stateless
        """Choose the better of two; among equals the one drawn first."""
        drawn = rng.sample(candidates, k=min(2, len(candidates)))
        return min(drawn, key=lambda each: (each.in_flight + 1) / each.weight)
