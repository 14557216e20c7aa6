"""Between a vendor's pool, which knows its keys, and the lease desk, which knows the fleet's limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mediarelay.keys.ledger import KeyEntry
from mediarelay.keys.pool import KeyPool
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.limits.acquiring import Later, Permit, Promise, Verdict, Wish, promised
from mediarelay.limits.gcra import WHOLE_ACCOUNT, tenant_bucket
from mediarelay.limits.learning import Refusal
from mediarelay.limits.limiter import LeaseDesk
from mediarelay.limits.local_view import Account
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome

# After this a concurrency slot returns though its call has not ended. A call that takes longer costs a 429 at worst;
# a dead worker's slot that took longer would cost its capacity.
HOLD_SECONDS: Final = 45.0
SECONDS_PER_MINUTE: Final = 60.0
PROMISE_FIELDS: Final = 6
PROMISE_LENGTH: Final = 512


@dataclass(frozen=True, slots=True)
class Errand:
    """What a job brings to the desk.

    Attributes:
        tenant: Whose it is; None when the publisher did not say.
        promise: A slot that an earlier delivery reserved.
    """

    tenant: str | None = None
    promise: Promise | None = None


@dataclass(frozen=True, slots=True)
class LeasedKey:
    """A key of the pool, counted in flight, and when it may be used (our clock)."""

    entry: KeyEntry
    permit: Permit
    start: float


class KeyLeases:
    """Takes keys of a pool with the fleet's permission. Thread-safe."""

    def __init__(self, desk: LeaseDesk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    def begin_batch(self, messages: int) -> None:
        """See `LeaseDesk.begin_batch`."""
        self._desk.begin_batch(messages)

    @property
    def patience(self) -> float:
        """See `LeaseDesk.patience`."""
        return self._desk.patience

    def take(
        self, pool: KeyPool, provider: str, avoid: frozenset[str], errand: Errand, *, may_wait: bool
    ) -> LeasedKey | Later:
        """A key and its moment; or when there might be one (our clock)."""
        patience = self._desk.patience if may_wait else 0.0
        verdict = self._ask(pool, provider, avoid, _wish(provider, errand), patience)
        if isinstance(verdict, Later):
            return verdict if verdict.at is None else replace(verdict, at=self._desk.to_local(verdict.at))
        now = self._clock.now()
        entry = pool.take_one_of(verdict.key_ids, provider, now=now)
        if entry is None:
            self._desk.release(provider, verdict)
            return Later(pool.available_at(provider, now=now))
        if not verdict.owner:
            self._desk.called(provider, entry.account)
        return LeasedKey(entry, verdict, self._desk.to_local(verdict.start))

    def reserve(self, pool: KeyPool, provider: str, errand: Errand, *, within: float) -> tuple[Promise, float] | None:
        """A slot in the next so many seconds, with its moment by our clock; None when none can be promised."""
        wish = _wish(provider, replace(errand, promise=None))
        verdict = self._ask(pool, provider, frozenset(), wish, within, travels=True)
        if not isinstance(verdict, Permit):
            return None
        self._desk.release(provider, verdict)  # a slot of the rate can be promised, one of the concurrency cannot
        return (promised(verdict, provider), self._desk.to_local(verdict.start)) if verdict.owner else None

    def ended(self, provider: str, permit: Permit) -> None:
        """The call is over."""
        self._desk.release(provider, permit)

    def refused(
        self, pool: KeyPool, provider: str, entry: KeyEntry, permit: Permit, failure: Failure, *, started: float
    ) -> Failure:
        """Learn from a refusal; the failure with the wait that is to be observed."""
        limit = limit_of([entry])
        of_slots = limit is not None and math.isinf(limit.rate) and failure.limit is None
        if failure.outcome is not Outcome.THROTTLED or of_slots:
            return failure
        epoch = permit.epoch if permit.owner else None
        refusal = Refusal(entry.account, self._desk.to_fleet(started), epoch, failure.wait_seconds, failure.limit)
        wait = self._desk.refused(provider, refusal, self._accounts(pool, provider, frozenset()))
        return replace(failure, wait_seconds=wait)

    def told_limit(self, provider: str, entry: KeyEntry, limit: Limit) -> None:
        """The vendor said in an answer what the account may do."""
        self._desk.hint(provider, entry.account, limit)

    def told(self, provider: str, verdicts: Iterable[KeyVerdict]) -> None:
        """Block what a verdict benches for longer than a rate limit, and let go what it clears."""
        for verdict in verdicts:
            name = WHOLE_ACCOUNT if verdict.spreads else verdict.key_id
            if verdict.status is KeyStatus.ACTIVE:
                self._desk.block(provider, verdict.account, name, None)
            elif verdict.status.severity > KeyStatus.COOLING.severity and verdict.until is not None:
                self._desk.block(provider, verdict.account, name, verdict.until)

    def _ask(
        self,
        pool: KeyPool,
        provider: str,
        avoid: frozenset[str],
        wish: Wish,
        patience: float,
        *,
        travels: bool = False,
    ) -> Verdict:
        return self._desk.ask(
            provider,
            wish,
            lambda: self._accounts(pool, provider, avoid),
            patience=patience,
            hold_seconds=HOLD_SECONDS,
            avoid=avoid,
            travels=travels,
        )

    def _accounts(self, pool: KeyPool, provider: str, avoid: frozenset[str]) -> list[Account]:
        owners: dict[str, list[tuple[KeyEntry, float]]] = {}
        for entry, at in pool.ready(provider, now=self._clock.now(), avoid=avoid):
            owners.setdefault(entry.account, []).append((entry, self._desk.to_fleet(at)))
        return [
            Account(name, tuple((entry.key_id, at) for entry, at in keys), limit_of([entry for entry, _ in keys]))
            for name, keys in owners.items()
        ]


def limit_of(entries: Sequence[KeyEntry]) -> Limit | None:
    """What was declared for the keys of one account; of several declarations the lowest holds."""
    rate = min((entry.rpm / SECONDS_PER_MINUTE for entry in entries if entry.rpm is not None), default=math.inf)
    slots = min((entry.concurrency for entry in entries if entry.concurrency is not None), default=None)
    burst = min((entry.burst for entry in entries if entry.burst is not None), default=None)
    if math.isinf(rate) and slots is None:
        return None
    return Limit(rate, burst or (1 if math.isinf(rate) else max(1, math.floor(rate))), slots)


def _wish(provider: str, errand: Errand) -> Wish:
    mine = errand.promise if errand.promise and errand.promise.provider == provider else None
    return Wish(tenant_bucket(errand.tenant) if errand.tenant else None, mine)


def written(promise: Promise) -> str:
    """A promise as a message attribute."""
    start, grace = round(promise.start, 6), round(promise.grace, 3)
    return json.dumps([promise.provider, promise.owner, promise.key_id, start, promise.epoch, grace])


def read(text: str | None) -> Promise | None:
    """The promise in a message attribute; None when there is none, or something else."""
    if not text or len(text) > PROMISE_LENGTH:
        return None
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    if not isinstance(fields, list) or len(fields) != PROMISE_FIELDS:
        return None
    provider, owner, key_id, start, epoch, grace = fields
    words = all(isinstance(word, str) for word in (provider, owner, key_id))
    numbers = all(isinstance(number, int | float) and math.isfinite(number) for number in (start, epoch, grace))
    return Promise(provider, owner, key_id, float(start), int(epoch), float(grace)) if words and numbers else None
