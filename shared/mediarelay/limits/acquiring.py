"""How the calls of a batch get their permits, as a conversation.

`acquiring` is a generator like `failover`: it yields what to ask of the shared table (`Look`, `Take`) and is sent
what it answered. The same conversation runs under Lambda and, with a thousand workers, in virtual time.

The order in which a call is served:

1. A reservation it brings along, if that still holds: no write at all.
2. A key that nothing is known to limit: no write either.
3. A tenant with nothing in the queue, where all owners have one: the newcomer share, unless it is to be requeued.
4. The soonest permit before `not_after`, taken or, when that is ahead, reserved.

Here too are the values it is driven with: permit requests and permits, the questions to the table and their answers.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from random import Random
from typing import Final, TypeVar

from mediarelay.limits.fairness import Line, lifetime_mark, newcomer_share, reach
from mediarelay.limits.gcra import Acquire, Answer, Granted, LimitState
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.local_view import GROUP, Account, LimitsView
from mediarelay.limits.planning import (
    AT_ONCE_SECONDS,
    Owner,
    Part,
    Reservation,
    crowded,
    from_newcomer_share,
    from_tail,
)
from mediarelay.vocabulary.frozen import frozen


@frozen
class PermitRequest:
    """One call that wants a permit.

    Attributes:
        bucket: The tenant's bucket; None when the publisher named no tenant.
        reservation: The permit that an earlier delivery reserved.
    """

    bucket: str | None = None
    reservation: Reservation | None = None


@frozen
class Permit:
    """The right to make a call from `start` on (fleet's clock).

    Attributes:
        owner: Empty when nothing limits the keys; then any of `key_ids` will do.
        slot: The concurrency slot it holds, with the moment it lapses.
        grace: How late it may be used, in seconds.
        slot_is_all: Whether nothing but the slot limits its calls, so that another call may have it afterwards.
    """

    owner: str
    key_ids: tuple[str, ...]
    start: float
    epoch: int = 0
    slot: tuple[str, float] | None = None
    grace: float = 0.0
    slot_is_all: bool = False


@frozen
class NoPermit:
    """No permit before `not_after`.

    Attributes:
        retry_at: The soonest moment at which there might be one; None when there is no key at all.
        reservable: Whether one could be reserved.
        certain: Whether none will be had before it: every limit is known, and nothing is kept for whoever comes by.
    """

    retry_at: float | None
    reservable: bool = False
    certain: bool = False


PermitOrNot = Permit | NoPermit


@frozen
class Look:
    """Read the states of these owners. Each of the `runs` is of neighbours by name, so that a range covers it."""

    runs: tuple[tuple[str, ...], ...]


@frozen
class Take:
    """Send these requests to the table, all at once."""

    asks: tuple[Acquire, ...]


@frozen
class Seen:
    """Answer to `Look`; no states when the table is unavailable. An owner without an item is left out."""

    now: float
    states: Mapping[str, LimitState] | None


@frozen
class TableAnswers:
    """Answer to `Take`, in order; None where the table is unavailable."""

    now: float
    answers: tuple[Answer | None, ...]


@frozen
class Cut:
    """Write the state of an owner or of the group, on condition that its epoch is still the one before."""

    name: str
    after: LimitState


@frozen
class Note:
    """Count a refusal of an owner's call, and write down its pace and until when it rests, where there is one; all on
    condition that the epoch is still that of the state seen.
    """

    name: str
    seen: LimitState
    at: float
    pace: LearnedRate | None = None
    rests_until: float | None = None


@frozen
class CutMade:
    """Answer to `Cut` and `Note`: the state that stands now; None when the table is unavailable."""

    now: float
    state: LimitState | None


AcquireStep = Look | Take | Cut | Note
AcquireReply = Seen | TableAnswers | CutMade


def reservation_of(permit: Permit, provider: str) -> Reservation:
    """Return the permit as a message carries it."""
    return Reservation(provider, permit.owner, permit.key_ids[0], permit.start, permit.epoch, permit.grace)


# Each denial brings the item along; after this many of them, another worker was quicker every time.
ROUNDS: Final = 4


Acquiring = Generator[AcquireStep, AcquireReply, list[PermitOrNot]]
R = TypeVar("R", Seen, TableAnswers, CutMade)


@frozen
class Purpose:
    """What a batch acquires permits for.

    Attributes:
        not_after: The latest start that is of use; before now means at once.
        hold_seconds: After this long a concurrency slot is free again even if its call has not ended.
        for_requeue: Whether their messages are requeued. The newcomer share's permits are for now: they would lapse
            unused before the messages come back.
        lifetime: Of such a message, the seconds from its publication to its deadline; None when that does not matter.
    """

    provider: str
    not_after: float
    hold_seconds: float = 60.0
    for_requeue: bool = False
    lifetime: float | None = None


def acquiring(
    permit_requests: Sequence[PermitRequest],
    accounts: Sequence[Account],
    view: LimitsView,
    purpose: Purpose,
    *,
    now: float,
    rng: Random,
) -> Acquiring:
    """Acquire permits for the calls of a batch. Returns them in the order of the requests."""
    window = view.window(accounts, now, rng)
    looked = [*window, *_reserved(window, accounts, permit_requests)]
    if view.wants_look(looked, now):
        names = tuple(account.name for account in looked)
        seen = _expect(Seen, (yield look_at(window, names[len(window) :], whole=len(window) == len(accounts))))
        now = seen.now
        if seen.states is None:
            view.failed(accounts, now, rng)
        else:
            view.saw(names, seen.states, now)
            grown = view.grown_group(accounts, now)
            if grown is not None:
                view.replaced(GROUP, _expect(CutMade, (yield Cut(GROUP, grown))).state or grown)
    conversation = _Conversation(permit_requests, looked, len(accounts), view, purpose, now, rng)
    conversation.use_reservations()
    conversation.pass_unlimited()
    for number in range(ROUNDS):
        asks = conversation.asks(last=number == ROUNDS - 1)
        if not asks:
            break
        if view.store_down(conversation.now):
            conversation.settle(tuple(map(view.alone, asks)), conversation.now)
            continue
        taken = _expect(TableAnswers, (yield Take(asks)))
        if None in taken.answers:
            view.failed(accounts, taken.now, rng)
        conversation.settle(taken.answers, taken.now)
    return conversation.verdicts()


def _neighbours(free: Sequence[str], count: int, rng: Random) -> Sequence[str]:
    """Draw free slots side by side: they are in few items, and of two workers that draw at once fewer meet."""
    first = rng.randrange(len(free))
    return [free[(first + number) % len(free)] for number in range(count)]


def look_at(window: Sequence[Account], others: Sequence[str] = (), *, whole: bool) -> Look:
    """Read the owners of a window, the others, and the group, which sorts before all of them."""
    names = [account.name for account in window]
    if whole:
        runs = [(GROUP, *sorted(names))]
    else:
        turn = next((place for place in range(1, len(names)) if names[place] < names[place - 1]), len(names))
        runs = [tuple(names[:turn]), tuple(names[turn:]), (GROUP,)]
    return Look((*filter(None, runs), *zip(others, strict=False)))


def _reserved(
    window: Sequence[Account], accounts: Sequence[Account], permit_requests: Sequence[PermitRequest]
) -> list[Account]:
    """Return the owners outside the window with which a call of the batch has a reservation."""
    owners = {permit_request.reservation.owner for permit_request in permit_requests if permit_request.reservation}
    return [account for account in accounts if account.name in owners and account not in window] if owners else []


def _expect(kind: type[R], reply: AcquireReply) -> R:
    if not isinstance(reply, kind):
        raise TypeError(f"acquiring asked for {kind.__name__} and was sent {type(reply).__name__}")
    return reply


class _Conversation:
    """The state of one conversation: which calls still wait, and from which owners they can have permits."""

    def __init__(
        self,
        permit_requests: Sequence[PermitRequest],
        accounts: Sequence[Account],
        pool: int,
        view: LimitsView,
        purpose: Purpose,
        now: float,
        rng: Random,
    ) -> None:
        """*accounts* are those that were looked at, of a *pool* of so many."""
        self.now = now
        self._requests = permit_requests
        self._pool = pool
        self._accounts = {account.name: account for account in accounts}
        self._view = view
        self._purpose = purpose
        self._rng = rng
        self._given: dict[int, Permit] = {}
        self._waiting = list(range(len(permit_requests)))
        self._owners = view.owners(accounts, now, pool=pool)
        self._may_use_share = not purpose.for_requeue

    # --- without a write ------------------------------------------------------------------------------------------

    def use_reservations(self) -> None:
        """Turn the reservations that still hold into permits."""
        for number, permit_request in enumerate(self._requests):
            reservation = permit_request.reservation
            account = self._accounts.get(reservation.owner) if reservation else None
            if reservation is not None and account is not None and self._holds(reservation, account):
                self._view.reservation_used(account, self._pool, self.now)
                start = max(self.now, reservation.start)
                self._give(number, Permit(reservation.owner, (reservation.key_id,), start, reservation.epoch))
        if self._given:
            self._owners = self._view.owners([*self._accounts.values()], self.now, pool=self._pool)

    def _holds(self, reservation: Reservation, account: Account) -> bool:
        state = self._view.state(account.name)
        limit = self._view.limit(account, self._pool, self.now)
        at = max(self.now, reservation.start)
        usable = any(key == reservation.key_id and ready <= at for key, ready in account.key_ids)
        return (
            reservation.provider == self._purpose.provider
            and limit is not None
            and limit.slots is None
            and usable
            and reservation.epoch == state.epoch
            and state.blocked_until(reservation.key_id) <= at
            and self.now <= reservation.start + max(reservation.grace, AT_ONCE_SECONDS)
        )

    def pass_unlimited(self) -> None:
        """Let all calls pass when there are keys that nothing limits."""
        if len(self._owners) == len(self._accounts):
            return
        keys = tuple([key for account in self._unlimited() for key, at in account.key_ids if at <= self.now])
        for number in [*self._waiting] if keys else ():
            self._give(number, Permit("", keys, self.now))

    # --- with one -------------------------------------------------------------------------------------------------

    def asks(self, *, last: bool) -> tuple[Acquire, ...]:
        """Plan what to ask of the table next: nothing when all calls have permits, or none can have one in time."""
        if not self._waiting or not self._owners:
            return ()
        parts: list[Part] = []
        queueing = self._waiting
        if self._may_use_share and crowded(self._owners):
            self._may_use_share = False
            newcomers = [number for number in self._waiting if self._is_newcomer(number)]
            parts = from_newcomer_share(len(newcomers), self._owners, Line.NEWCOMER, rng=self._rng)
            passing = set(newcomers[: sum(part.count for part in parts)])
            queueing = [number for number in self._waiting if number not in passing]
            parts += from_newcomer_share(
                len(self._waiting) - len(newcomers), self._spare(parts), Line.SURPLUS, rng=self._rng
            )
        left = len(self._waiting) - sum([part.count for part in parts])
        not_after = max(self._purpose.not_after, self.now + AT_ONCE_SECONDS)
        spare = self._spare(parts)
        if left and spare:
            near = not_after if self._purpose.lifetime is None else self._within_reach(not_after, spare)
            parts += from_tail(left, spare, not_after=near, rng=self._rng)
        return tuple([self._ask(part, queueing, not_after, last=last) for part in parts])

    def _within_reach(self, not_after: float, owners: Sequence[Owner]) -> float:
        """Return the latest moment that may be reserved while there are requests that have less time left."""
        left = not_after - self.now
        return self.now + max(AT_ONCE_SECONDS, min(reach(left, each.state.queued, self.now) for each in owners))

    def _spare(self, parts: Sequence[Part]) -> Sequence[Owner]:
        """Return the owners of which nothing is asked yet."""
        used = {part.owner.name for part in parts}
        return [each for each in self._owners if each.name not in used] if used else self._owners

    def _ask(self, part: Part, queueing: Sequence[int], not_after: float, *, last: bool) -> Acquire:
        owner, state = part.owner, part.owner.state
        keys = [key for key in owner.key_ids if state.blocked_until(key) <= owner.earliest] or owner.key_ids
        moments = self._accounts[owner.name].key_ids
        ready = [key for key, at in moments if key in keys and at <= owner.earliest] or keys
        queues = part.line is Line.TAIL and part.last > self.now + AT_ONCE_SECONDS
        mark = None if self._purpose.lifetime is None else lifetime_mark(self._purpose.lifetime)
        buckets = {self._requests[number].bucket for number in queueing} if queues else set()
        slots = _neighbours(owner.free_slots, part.count, self._rng) if owner.free_slots else []
        # If other workers were quicker, another owner may be better than a longer wait here than planned.
        slack = not_after if last else min(not_after, part.last + AT_ONCE_SECONDS + 0.25 * (part.last - self.now))
        return Acquire(
            owner=owner.name,
            key_id=self._rng.choice(ready),
            count=part.count,
            limit=owner.limit,
            now=self.now,
            not_after=slack,
            seen=state,
            line=part.line,
            buckets=tuple(sorted(filter(None, buckets))),
            marks=(mark,) if queues and mark else (),
            slots=tuple(slots),
            slots_until=self.now + self._purpose.hold_seconds if slots else 0.0,
            rebase=self._grown(owner),
        )

    def _grown(self, owner: Owner) -> LearnedRate | None:
        pace, declared = owner.state.pace, self._view.declared(self._accounts[owner.name], self.now)
        if pace is None or (declared is not None and not pace.below(declared.rate)):
            return None
        account, accounts = self._accounts[owner.name], self._accounts.values()
        grown = pace.rebased(self.now, owner.state.used)
        return grown or pace.raised(self.now, owner.state.used, self._view.found_later(account, accounts, self.now))

    def settle(self, answers: Sequence[Answer | None], now: float) -> None:
        """Hand out what was granted, the soonest permits first: to newcomers, then to the others as they came."""
        self.now = now
        permits: list[Permit] = []
        for answer in answers:
            if answer is None:
                continue
            self._view.learned(answer)
            if isinstance(answer, Granted):
                permits += _permits(answer, self._accounts[answer.ask.owner])
        self._owners = self._view.owners([*self._accounts.values()], now, pool=self._pool)
        if len(self._waiting) > 1:
            self._waiting.sort(key=self._is_newcomer, reverse=True)
            permits.sort(key=lambda permit: permit.start)
        for number, permit in zip([*self._waiting], permits, strict=False):
            self._give(number, permit)
        self._waiting.sort()

    def verdicts(self) -> list[PermitOrNot]:
        """Return a permit, or the moment to try again, for every request."""
        if not self._waiting:
            return [self._given[number] for number in range(len(self._requests))]
        soonest = [owner.next_start for owner in self._owners]
        soonest += [at for account in self._unlimited() for _, at in account.key_ids]
        known = [math.isinf(owner.horizon) for owner in self._owners]
        shared = any(owner.state.shares(owner.limit, self.now) for owner in self._owners)
        certain = all(known) and len(known) == len(self._accounts) and not shared
        later = NoPermit(max(self.now, min(soonest)) if soonest else None, any(known), certain)
        return [self._given.get(number, later) for number in range(len(self._requests))]

    def _give(self, number: int, permit: Permit) -> None:
        self._given[number] = permit
        self._waiting.remove(number)

    def _unlimited(self) -> Sequence[Account]:
        limited = {owner.name for owner in self._owners}
        return [account for name, account in self._accounts.items() if name not in limited]

    def _is_newcomer(self, number: int) -> bool:
        bucket = self._requests[number].bucket
        return bucket is not None and any(owner.state.queued.get(bucket, 0.0) <= self.now for owner in self._owners)


def _permits(answer: Granted, account: Account) -> list[Permit]:
    """Return what was granted; none is for a moment at which its key may not be used yet."""
    ask = answer.ask
    ready = dict(account.key_ids)[ask.key_id]
    slots: list[tuple[str, float] | None] = [(slot, ask.slots_until) for slot in ask.slots]
    held, grace, slot_is_all = slots or [None] * ask.count, newcomer_share(ask.limit).grace, not ask.limit.interval
    return [
        Permit(ask.owner, (ask.key_id,), max(start, ready), answer.state.epoch, slot, grace, slot_is_all)
        for start, slot in zip(answer.starts, held, strict=True)
    ]
