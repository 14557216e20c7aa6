"""Permits for a worker's calls: one conversation with the shared table for all that ask at the same time.

The messages of a batch are served by ten threads. The first to ask waits a few milliseconds for the others, then
acquires permits for all of them. While the table is unavailable, the worker goes on with its share of each limit, and
says so in a metric.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

from mediarelay.limits.acquiring import (
    Cut,
    CutMade,
    Look,
    NoPermit,
    Note,
    Permit,
    PermitOrNot,
    PermitRequest,
    Purpose,
    Seen,
    TableAnswers,
    Take,
    acquiring,
)
from mediarelay.limits.gcra import Acquire, Answer
from mediarelay.limits.learning import Refusal, learning
from mediarelay.limits.local_view import Account, FleetClock, LimitsView
from mediarelay.limits.planning import max_wait_seconds
from mediarelay.limits.ports import LimitStore
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.limit import Limit

logger = logging.getLogger(__name__)
T = TypeVar("T")

# Longer than the moments lie apart at which the threads of a batch have claimed their jobs, and little beside a call.
LINGER_SECONDS: Final = 0.02
BATCH: Final = 10
# After this a concurrency slot is free again even if its call has not ended. A longer call costs a 429 at worst;
# a dead worker's slot that took longer would cost its capacity.
HOLD_SECONDS: Final = 45.0
# The next call of the same worker has a slot after one that has ended while it is held for so long yet.
HANDED_SECONDS: Final = 30.0
# How long calls with a slot last is known from about so many of them.
LASTED_CALLS: Final = 10
AWAY_METRIC: Final = "LeasesUnavailable"


@dataclass(slots=True)
class _Group:
    """Requests that are served together."""

    verdicts: Future[list[PermitOrNot]]
    permit_requests: list[PermitRequest] = field(default_factory=list)


@dataclass(slots=True)
class _LockedView:
    """What is known of one provider's limits, with the lock that lets one conversation in at a time."""

    view: LimitsView
    lock: threading.RLock


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that waits for a slot of one of this worker's calls."""

    avoid: frozenset[str]
    permit: Permit | None = None


@dataclass(slots=True)
class _Slots:
    """This worker's calls of one provider that hold a slot which the next may have, and who waits for one.

    Attributes:
        held: How many there are.
        seconds: For how long such a call lasts, about; 0 before the first has ended.
        waiters: In turn.
    """

    held: int = 0
    seconds: float = 0.0
    waiters: deque[_Waiter] = field(default_factory=deque)

    def room(self, max_wait: float) -> int:
        """Return how many can hope to have a slot within so many seconds."""
        return self.held * max(1, int(max_wait / self.seconds) if self.seconds else 1)

    def ended(self, seconds: float) -> None:
        """Note that a call has ended, after so many seconds."""
        self.held -= 1
        self.seconds += (seconds - self.seconds) / LASTED_CALLS if self.seconds else seconds


class RateLimiter:
    """Takes, learns and returns permits. Thread-safe. Callers give and get moments of their own clock."""

    def __init__(
        self,
        store: LimitStore,
        fleet: FleetClock,
        counters: Counters,
        *,
        workers: int,
        clock: Clock,
        rng: Random,
        linger: float = LINGER_SECONDS,
    ) -> None:
        """`workers` is how many may share the limits, for as long as nothing better is known."""
        self._linger = linger
        self._store = store
        self._fleet = fleet
        self._counters = counters
        self._clock = clock
        self._rng = rng
        self._views: defaultdict[str, _LockedView] = defaultdict(
            lambda: _LockedView(LimitsView(workers=workers), threading.RLock())
        )
        self._groups: dict[tuple[object, ...], _Group] = {}
        self._joined = threading.Condition()
        self._slots: defaultdict[str, _Slots] = defaultdict(_Slots)
        self._slot_free = threading.Condition()
        self.begin_batch(1)
        self._threads = ThreadPoolExecutor(max_workers=BATCH, thread_name_prefix="limits")

    def begin_batch(self, messages: int) -> None:
        """Expect requests of so many messages; `max_wait` is the seconds for which they wait here for a permit."""
        self._batch = messages
        self.max_wait = max_wait_seconds(messages)

    def to_fleet(self, moment: float) -> float:
        """Convert a moment of our clock to the fleet's."""
        return moment + self._fleet.offset

    def to_local(self, moment: float) -> float:
        """Convert a moment of the fleet's clock to ours."""
        return moment - self._fleet.offset

    # --- permits --------------------------------------------------------------------------------------------------

    def ask(
        self,
        provider: str,
        permit_request: PermitRequest,
        accounts: Callable[[], Sequence[Account]],
        *,
        max_wait: float,
        avoid: frozenset[str] = frozenset(),
        for_requeue: bool = False,
        lifetime: float | None = None,
    ) -> PermitOrNot:
        """Acquire a permit. Equal requests that are made at the same time are served together.

        Args:
            provider: Whose limits they are.
            permit_request: What the call brings along.
            accounts: The keys' owners, in the fleet's time; called once for the group.
            max_wait: Seconds the caller would wait.
            avoid: Keys that *accounts* leaves out; part of what makes two requests equal.
            for_requeue: Whether the permit is for a requeued message.
            lifetime: That message's, in seconds.

        Returns:
            The permit, or when there might be one.
        """
        name = (provider, max_wait, avoid, for_requeue, lifetime)
        with self._joined:
            group = self._groups.setdefault(name, _Group(Future()))
            group.permit_requests.append(permit_request)
            number = len(group.permit_requests) - 1
            self._joined.notify_all()
            if number == 0:
                self._joined.wait_for(lambda: len(group.permit_requests) >= self._batch, timeout=self._linger)
                del self._groups[name]
        if number == 0:
            self._lead(group, provider, accounts, max_wait, for_requeue=for_requeue, lifetime=lifetime)
        verdict = group.verdicts.result()[number]
        if isinstance(verdict, NoPermit):
            waits = verdict.retry_at is not None and provider in self._slots and not for_requeue
            return (self._next_slot(provider, avoid, max_wait) if waits else None) or verdict
        if verdict.slot is not None and verdict.slot_is_all:
            with self._slot_free:
                self._slots[provider].held += 1
        return verdict

    def _next_slot(self, provider: str, avoid: frozenset[str], max_wait: float) -> Permit | None:
        """Wait for the slot of a call of this worker: it is paid for until that ends. None when none came in time."""
        slots, waiter = self._slots[provider], _Waiter(avoid)
        with self._slot_free:
            if max_wait <= 0.0 or len(slots.waiters) >= slots.room(max_wait):
                return None
            slots.waiters.append(waiter)
            self._slot_free.wait_for(lambda: waiter.permit is not None, timeout=max_wait)
            if waiter.permit is None:
                slots.waiters.remove(waiter)
        return waiter.permit

    def _lead(
        self,
        group: _Group,
        provider: str,
        accounts: Callable[[], Sequence[Account]],
        max_wait: float,
        *,
        for_requeue: bool,
        lifetime: float | None,
    ) -> None:
        try:
            locked = self._views[provider]
            with locked.lock:
                found = accounts()
                now = self._now()  # not before: a key that is ready at this moment must not seem ready a moment later
                purpose = Purpose(provider, now + max_wait, HOLD_SECONDS, for_requeue, lifetime)
                talk = acquiring(group.permit_requests, found, locked.view, purpose, now=now, rng=self._rng)
                group.verdicts.set_result(self._drive(talk, provider))
        except BaseException as error:
            group.verdicts.set_exception(error)
            raise

    # --- what calls came to ---------------------------------------------------------------------------------------

    def called(self, provider: str, owner: str) -> None:
        """Note a call that needed no permit."""
        locked = self._views[provider]
        with locked.lock:
            locked.view.called(owner, self._now())

    def refused(self, provider: str, refusal: Refusal, accounts: Sequence[Account]) -> float:
        """Learn from a refusal for the rate. Returns the seconds for which the key should rest."""
        locked = self._views[provider]
        with locked.lock:
            wait: float = self._drive(learning(refusal, accounts, locked.view, now=self._now()), provider)
            return wait

    def hint(self, provider: str, owner: str, limit: Limit) -> None:
        """Note the limit that the vendor stated in an answer."""
        locked = self._views[provider]
        with locked.lock:
            locked.view.hint(owner, limit, self._now())

    def block(self, provider: str, owner: str, key_id: str, until: float | None) -> None:
        """Block the key for all workers until then (our clock); None lifts the block."""
        moment = None if until is None else self.to_fleet(until)
        self._later(provider, partial(self._store.block, provider, owner, key_id, moment))

    def release(self, provider: str, permit: Permit, *, to_next: bool = True) -> None:
        """Return the concurrency slot of a call that is over, *to_next* of this worker's calls where one waits."""
        if permit.slot is None:
            return
        if not permit.slot_is_all or not self._handed(provider, permit, to_next=to_next):
            self._later(provider, partial(self._store.release, provider, permit.owner, [permit.slot]))

    def _handed(self, provider: str, permit: Permit, *, to_next: bool) -> bool:
        """Tell whether another call has the slot now: one that waits, and not after what was learned meanwhile."""
        now, slots, state = self._now(), self._slots[provider], self._views[provider].view.state(permit.owner)
        key, until = permit.key_ids[0], permit.slot[1] if permit.slot else now
        good = until - now >= HANDED_SECONDS and state.epoch == permit.epoch and state.blocked_until(key) <= now
        with self._slot_free:
            slots.ended(max(0.0, now - permit.start))
            heirs = [waiter for waiter in slots.waiters if key not in waiter.avoid] if good and to_next else []
            if not heirs:
                return False
            slots.held += 1
            slots.waiters.remove(heirs[0])
            heirs[0].permit = replace(permit, start=now)
            self._slot_free.notify_all()
        return True

    # --- the table ------------------------------------------------------------------------------------------------

    def _drive(self, talk: Generator[Any, Any, T], provider: str) -> T:
        try:
            step = next(talk)
            while True:
                step = talk.send(self._perform(step, provider))
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _perform(self, step: Look | Take | Cut | Note, provider: str) -> Seen | TableAnswers | CutMade:
        match step:
            case Look(runs=runs):
                states = self._tried(provider, lambda: self._store.look(provider, runs))
                return Seen(self._now(), states)
            case Take(asks=asks):
                return TableAnswers(self._now(), self._take_all(provider, asks))
            case Cut(name=name, after=after):
                state = self._tried(provider, lambda: self._store.cut(provider, name, after))
                return CutMade(self._now(), state)
            case Note():
                state = self._tried(provider, lambda: self._store.note(provider, step))
                return CutMade(self._now(), state)

    def _take_all(self, provider: str, asks: Sequence[Acquire]) -> tuple[Answer | None, ...]:
        def take(ask: Acquire) -> Answer | None:
            return self._tried(provider, lambda: self._store.take(provider, ask))

        *others, last = asks
        running = [self._threads.submit(take, ask) for ask in others]
        answer = take(last)
        return (*(future.result() for future in running), answer)

    def _tried(self, provider: str, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except StoreUnavailable as error:
            facts = {"provider": provider, "store": error.store, "reason": error.reason}
            logger.warning("leases unavailable, going on with this worker's share", extra=facts)
            self._counters.count(AWAY_METRIC, {"provider": provider})
            return None

    def _later(self, provider: str, action: Callable[[], None]) -> None:
        self._threads.submit(self._tried, provider, action)

    def _now(self) -> float:
        return self.to_fleet(self._clock.now())
