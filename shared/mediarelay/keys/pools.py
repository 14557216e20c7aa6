"""Every vendor's key pool, its secrets, and what the other workers know of its keys.

The pools are the pure `keys.pool`; this adds the three things that touch the world: secrets come from a source and
may rotate, verdicts are shared through the Telemetry table, and a fleet-wide permit may be needed for a call.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pool import KeyEntry, KeyPool, RotationPolicy
from mediarelay.keys.ports import KeySource, KeyStates, VerdictWriter
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.limits.acquiring import NoPermit, Permit, PermitOrNot, PermitRequest, reservation_of
from mediarelay.limits.fairness import tenant_bucket
from mediarelay.limits.gcra import SAME_SECONDS, WHOLE_ACCOUNT
from mediarelay.limits.learning import Refusal
from mediarelay.limits.local_view import Account
from mediarelay.limits.planning import Reservation, lead_seconds
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome

# Only for annotations: a worker without shared limits has none.
if TYPE_CHECKING:
    from mediarelay.limits.limiter import RateLimiter

logger = logging.getLogger(__name__)

# Verdicts must reach every worker within five seconds: two for this, the rest for the write and the read.
STATES_MAX_AGE_SECONDS: Final = 2.0
# A worker that has just started knows nothing, so its first look is worth a short wait; never more than that.
FIRST_LOOK_SECONDS: Final = 0.25


class SlotInUse:
    """The place that a call has at the vendor, where those are limited. It is given back once."""

    def __init__(self, give_back: Callable[..., None]) -> None:
        self._give_back: Callable[..., None] | None = give_back

    def end(self, *, to_next: bool = True) -> None:
        """Give it back, *to_next* of this worker's calls where one waits; nothing if that was done."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back(to_next=to_next)


@frozen
class TakenKey:
    """A key in use: return it with `delivered` or `failed`.

    Attributes:
        permit: The fleet-wide permit, if one was needed.
        slot: To be ended when the vendor's answer is there, before it is stored; returning the key ends it as well.
    """

    entry: KeyEntry
    secret: SecretStr
    taken_at: float
    permit: Permit | None = None
    slot: SlotInUse | None = None


@dataclass(slots=True)
class _Vendor:
    pool: KeyPool
    looked_at: float | None = None
    look: Future[None] | None = None


class KeyPools:
    """Hands out keys. Thread-safe."""

    def __init__(
        self,
        source: KeySource,
        states: KeyStates,
        limiter: RateLimiter | None,
        telemetry: VerdictWriter,
        *,
        clock: Clock,
        rng: Random,
        policy: Callable[[], RotationPolicy],
    ) -> None:
        """Without *limiter*, every worker goes by its own pool."""
        self._source = source
        self._states = states
        self._limiter = limiter
        self._telemetry = telemetry
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._vendors: dict[str, _Vendor] = {}
        self._secrets: dict[str, SecretStr] = {}
        self._known: Mapping[str, tuple[ApiKey, ...]] | None = None
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="key-states")

    def refresh(self, vendors: Iterable[str] | None = None) -> None:
        """Read the keys (cached by the source), and, if ours is old, what other workers saw of these vendors' keys.

        Args:
            vendors: Those that are about to be asked for keys; all of them by default.

        Raises:
            StoreUnavailable: The keys have never been read and cannot be read now.
        """
        self._refresh_keys()
        known = self._known or {}
        looks = [self._look(name, self._vendor(name)) for name in known if vendors is None or name in vendors]
        wait(list(filter(None, looks)), timeout=FIRST_LOOK_SECONDS)

    def has_keys(self, vendor: str) -> bool:
        """Tell whether the vendor has any key at all."""
        return bool(self._known and self._known.get(vendor))

    def beside(self, name: str) -> object:
        """Return what an operator wrote beside the keys under this name; None when nothing."""
        return self._source.beside(name)

    def usable(self, vendor: str, provider: str) -> int:
        """Return how many keys could be used now."""
        return self._vendor(vendor).pool.usable(provider, now=self._clock.now()) if self.has_keys(vendor) else 0

    def begin_batch(self, messages: int) -> None:
        """Expect requests for keys by so many messages."""
        if self._limiter is not None:
            self._limiter.begin_batch(messages)

    @property
    def max_wait(self) -> float | None:
        """Seconds for which it is worth waiting here for a key; None when that was not computed."""
        return self._limiter.max_wait if self._limiter else None

    # --- a key for a call -----------------------------------------------------------------------------------------

    def take(
        self,
        vendor: str,
        provider: str,
        avoid: frozenset[str],
        *,
        foreign: frozenset[str] = frozenset(),
        account: str | None = None,
        tenant: str | None = None,
        reservation: Reservation | None = None,
        max_wait: float = 0.0,
    ) -> TakenKey | NoPermit:
        """Take a key and wait for its moment.

        Args:
            vendor: Whose key.
            provider: Which of the vendor's providers is to be called.
            avoid: Keys that will not do now.
            foreign: Keys whose accounts will not do at all.
            account: Whose keys are asked first: others' only when waiting for this account's would not help.
            tenant: Whose call it is; None when the publisher did not say.
            reservation: A permit that an earlier delivery reserved.
            max_wait: Seconds for which to wait.

        Returns:
            The key; or when the first might return, which is None when waiting does not help.
        """
        known = self._vendor(vendor)
        self._look(vendor, known)
        if account is not None and (others := known.pool.strangers(account)):
            own = self.take(
                vendor,
                provider,
                avoid,
                foreign=foreign | others,
                tenant=tenant,
                reservation=reservation,
                max_wait=max_wait,
            )
            if isinstance(own, TakenKey) or own.retry_at is not None:
                return own
        barred = known.pool.siblings(foreign) if foreign else foreign
        avoid |= barred
        if self._limiter is None:
            now = self._clock.now()
            entry = known.pool.get_api_key(provider, now=now, avoid=avoid)
            if entry is None:
                return NoPermit(_back_at(known, provider, now, barred))
            return TakenKey(entry, self._secrets[entry.key_id], now)
        permit_request = PermitRequest(tenant_bucket(tenant) if tenant else None, reservation)
        verdict = self._ask(self._limiter, known.pool, provider, permit_request, max_wait, avoid)
        now = self._clock.now()
        if isinstance(verdict, NoPermit):
            at = verdict.retry_at and self._limiter.to_local(verdict.retry_at)
            return self._later(known, provider, at, barred, reservable=verdict.reservable)
        start = self._limiter.to_local(verdict.start)
        entry = known.pool.take_one_of(verdict.key_ids, provider, now=max(now, start + SAME_SECONDS))
        if entry is None:
            self._limiter.release(provider, verdict)
            return self._later(known, provider, known.pool.available_at(provider, now=now, barred=barred), barred)
        if not verdict.owner:
            self._limiter.called(provider, entry.account)
        if start > now:
            self._clock.sleep(start - now)
        slot = SlotInUse(partial(self._end, entry, provider, verdict)) if verdict.slot else None
        return TakenKey(entry, self._secrets[entry.key_id], max(now, start), verdict, slot)

    def reserve(
        self, vendor: str, provider: str, *, tenant: str | None, within: float, lifetime: float | None = None
    ) -> tuple[Reservation, float] | NoPermit:
        """Reserve a permit for another delivery.

        Args:
            vendor: Whose key.
            provider: Which of the vendor's providers is to be called.
            tenant: Whose call it is; None when the publisher did not say.
            within: How far ahead it is of use, in seconds.
            lifetime: Seconds from the request's publication to its deadline.

        Returns:
            The reservation and when that delivery should arrive (unix seconds); or when there might be a permit, where
            none is to be had within so many seconds.
        """
        if self._limiter is None:
            return NoPermit(None)
        permit_request = PermitRequest(tenant_bucket(tenant) if tenant else None)
        permit = self._ask(
            self._limiter,
            self._vendor(vendor).pool,
            provider,
            permit_request,
            within,
            for_requeue=True,
            lifetime=lifetime,
        )
        if isinstance(permit, NoPermit):
            return replace(permit, retry_at=permit.retry_at and self._limiter.to_local(permit.retry_at))
        self._limiter.release(provider, permit)  # a permit of the rate can be reserved, one of the concurrency cannot
        arrive_at = self._limiter.to_local(permit.start) - lead_seconds(permit.grace)
        return (reservation_of(permit, provider), arrive_at) if permit.owner else NoPermit(self._clock.now())

    def _ask(
        self,
        limiter: RateLimiter,
        pool: KeyPool,
        provider: str,
        permit_request: PermitRequest,
        max_wait: float,
        avoid: frozenset[str] = frozenset(),
        *,
        for_requeue: bool = False,
        lifetime: float | None = None,
    ) -> PermitOrNot:
        accounts = partial(self._accounts, limiter, pool, provider, avoid)
        return limiter.ask(
            provider,
            permit_request,
            accounts,
            max_wait=max_wait,
            avoid=avoid,
            for_requeue=for_requeue,
            lifetime=lifetime,
        )

    def _accounts(
        self, limiter: RateLimiter, pool: KeyPool, provider: str, avoid: frozenset[str] = frozenset()
    ) -> list[Account]:
        return pool.accounts(provider, now=self._clock.now(), ahead=limiter.to_fleet(0.0), avoid=avoid)

    def _later(
        self, known: _Vendor, provider: str, at: float | None, barred: frozenset[str], *, reservable: bool = False
    ) -> NoPermit:
        back_at = _back_at(known, provider, self._clock.now(), barred)
        return NoPermit(None) if back_at is None else NoPermit(at or back_at, reservable)

    def delivered(self, key: TakenKey, provider: str, *, limit: Limit | None = None) -> None:
        """Return a key after a successful call, whose answer may have stated a limit."""
        if self._limiter is not None and limit is not None:
            self._limiter.hint(provider, key.entry.account, limit)
        pool = self._vendor(key.entry.vendor).pool
        verdicts = pool.succeeded(key.entry.key_id, provider, started_at=key.taken_at, now=self._clock.now())
        self._given_back(key, provider, verdicts)

    def failed(self, key: TakenKey, provider: str, failure: Failure) -> None:
        """Return a key after a failed call: the pool judges the key, and the limiter learns from a 429."""
        entry, permit, pool = key.entry, key.permit, self._vendor(key.entry.vendor).pool
        of_slots = entry.rpm is None and entry.concurrency is not None and failure.limit is None
        if self._limiter is not None and permit is not None and failure.outcome is Outcome.THROTTLED and not of_slots:
            started, epoch = self._limiter.to_fleet(key.taken_at), permit.epoch if permit.owner else None
            refusal = Refusal(entry.account, started, epoch, failure.wait_seconds, failure.limit)
            wait = self._limiter.refused(provider, refusal, self._accounts(self._limiter, pool, provider))
            failure = replace(failure, wait_seconds=wait)
        verdicts = pool.failed(entry.key_id, provider, failure, now=self._clock.now())
        self._given_back(key, provider, verdicts)

    def abandoned(self, key: TakenKey, provider: str) -> None:
        """Return a key after a call that says nothing about it."""
        self._given_back(key, provider, ())

    def _given_back(self, key: TakenKey, provider: str, verdicts: Sequence[KeyVerdict]) -> None:
        if key.slot is not None:
            key.slot.end(to_next=not verdicts)
        else:
            self._vendor(key.entry.vendor).pool.release(key.entry.key_id)
        if verdicts:
            self._tell(verdicts, provider)
        if self._limiter is not None and key.permit is not None:
            for verdict in verdicts:
                _block(self._limiter, provider, verdict)

    def _end(self, entry: KeyEntry, provider: str, permit: Permit, *, to_next: bool) -> None:
        self._vendor(entry.vendor).pool.release(entry.key_id)
        if self._limiter is not None:
            self._limiter.release(provider, permit, to_next=to_next)

    # --- for jobs that outlive the call ---------------------------------------------------------------------------

    def keys_of(self, vendor: str) -> tuple[ApiKey, ...]:
        """Return every key of the vendor; disabled and exhausted ones still serve the jobs they submitted."""
        return (self._known or {}).get(vendor, ())

    def ceiling(self, entry: KeyEntry) -> int | None:
        """Return the most calls or jobs at once that the key's account may have; None when nothing was declared."""
        return self._vendor(entry.vendor).pool.ceiling(entry)

    def rejected(self, key: ApiKey) -> bool:
        """Tell whether the vendor refuses the key as such."""
        return self._vendor(key.entry.vendor).pool.rejected(key.entry.key_id, now=self._clock.now())

    def noticed(self, key: ApiKey, provider: str, failure: Failure) -> None:
        """Note the failure of a call that was made without taking the key, such as a poll."""
        pool = self._vendor(key.entry.vendor).pool
        self._tell(pool.failed(key.entry.key_id, provider, failure, now=self._clock.now()), provider)

    def secrets(self) -> list[str]:
        """Return every secret in use, for redaction only."""
        return [secret.get_secret_value() for secret in self._secrets.values()]

    def _tell(self, verdicts: Sequence[KeyVerdict], provider: str) -> None:
        for verdict in verdicts:
            logger.warning(
                "key %s", verdict.status, extra={"key_id": verdict.key_id, "provider": provider, "code": verdict.code}
            )
        self._telemetry.verdicts(verdicts)

    def _refresh_keys(self) -> None:
        try:
            loaded = self._source.load()
        except StoreUnavailable as error:
            if self._known is None:
                raise
            logger.warning("keys not refreshed", extra={"store": error.store, "reason": error.reason})
            return
        with self._lock:
            if loaded is not self._known and loaded != self._known:
                self._adopt(loaded)
            self._known = loaded

    def _adopt(self, loaded: Mapping[str, tuple[ApiKey, ...]]) -> None:
        # Secrets come before the keys they belong to, since another thread may take a key at once; those of removed
        # keys stay until the worker ends, since a call under way may still need one.
        secrets = {}
        for keys in loaded.values():
            for key in keys:
                secrets[key.entry.key_id] = key.secret
        self._secrets |= secrets
        for name, vendor in self._vendors.items():
            vendor.pool.replace_entries([key.entry for key in loaded.get(name, ())])

    def _vendor(self, name: str) -> _Vendor:
        """Return the vendor's pool, made at its first use: most workers need few of them."""
        with self._lock:
            if name not in self._vendors:
                entries = [key.entry for key in (self._known or {}).get(name, ())]
                self._vendors[name] = _Vendor(KeyPool(name, entries, policy=self._policy(), rng=self._rng))
            return self._vendors[name]

    def _look(self, name: str, vendor: _Vendor) -> Future[None] | None:
        """Start reading other workers' verdicts when ours are old. Returns the read under way if it is the first."""
        now = self._clock.now()
        with self._lock:
            first = vendor.looked_at is None
            if first or now - (vendor.looked_at or 0.0) >= STATES_MAX_AGE_SECONDS:
                vendor.looked_at = now
                vendor.look = self._threads.submit(self._merge, name, vendor)
            return vendor.look if first else None

    def _merge(self, name: str, vendor: _Vendor) -> None:
        try:
            verdicts = self._states.load(name)
            if verdicts:
                vendor.pool.merge(verdicts, now=self._clock.now())
        except StoreUnavailable as error:
            logger.warning(
                "key states unknown, going on with local knowledge",
                extra={"vendor": name, "store": error.store, "reason": error.reason},
            )


def _back_at(known: _Vendor, provider: str, now: float, barred: frozenset[str]) -> float | None:
    """Return when a cooling or busy key is usable again; None when the vendor has benched all that are not barred."""
    views = known.pool.snapshot(now=now)
    benched = {
        view.key_id
        for view in views
        if view.provider in (None, provider) and view.status.severity > KeyStatus.COOLING.severity
    }
    hopeful = any(view.key_id not in benched | barred for view in views)
    return known.pool.available_at(provider, now=now, barred=barred) if hopeful else None


def _block(limiter: RateLimiter, provider: str, verdict: KeyVerdict) -> None:
    """Block for the fleet what a verdict benches for longer than a rate limit, and unblock what it clears."""
    name = WHOLE_ACCOUNT if verdict.spreads else verdict.key_id
    if verdict.status is KeyStatus.ACTIVE:
        limiter.block(provider, verdict.account, name, None)
    elif verdict.status.severity > KeyStatus.COOLING.severity and verdict.until is not None:
        limiter.block(provider, verdict.account, name, verdict.until)
