"""A rate limit that every worker shares: one number per owner of a limit, the theoretical arrival time (GCRA).

Theory of operation
- An owner is an account at a provider: keys of one account draw on one limit. Its whole state fits one table item.
- `tat` is when the next permit would be due at an even pace. A permit may be used `tolerance` before it is due, which
  is what a burst is. A `tat` beyond that lies in the future: it is the tail of a queue, and a permit taken there is a
  reservation: the call will be served if it is made then. Taking and reserving are therefore one operation.
- A reservation holds until `grace` after its moment: the token of a late call waits in the vendor's bucket, as long as
  it fits. Later than that, or after the limit was cut (`epoch`), the reservation is void.
- While there is a queue, a tenth of the rate is kept out of it for newcomers: see `fairness`.
- Concurrency is a set of numbered slots that carry the moment they expire, so that a dead worker's slot returns.

`acquire` is the meaning of an `Acquire`. The table does it in one conditional write; a contract test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Final, overload

from mediarelay.limits.fairness import Line, newcomer_opening, newcomer_phase, newcomer_share
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit

# The whole account, among the names of what is blocked.
WHOLE_ACCOUNT: Final = "*"
# And its rest after refusals, apart from what benches it for longer.
REST: Final = "~"
# Two readings of one `tat` differ by less.
SAME_SECONDS: Final = 1e-3
# A call whose permit is this near is made whatever is learned meanwhile.
ABOUT_TO_SECONDS: Final = 0.3
_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


def _nothing() -> Mapping[str, float]:
    return _NOTHING


class FreeSlots(Sequence[str]):
    """Numbers below a limit that no call holds, in order. What it takes grows with those that are held, not with the
    limit.
    """

    def __init__(self, limit: int, held: Iterable[int]) -> None:
        """*held* may have numbers beyond the limit, of when it was higher."""
        self._held = sorted(number for number in held if number < limit)
        self._count = limit - len(self._held)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        number = index
        for held in self._held:
            if held > number:
                break
            number += 1
        return str(number)


@frozen
class LimitState:
    """All that the workers share about one owner. Moments are unix seconds of the fleet's clock.

    Attributes:
        tat: Theoretical arrival time of the next permit.
        newcomer_tat: The same of the newcomer share; None while there is no queue.
        epoch: Changes whenever reservations become void.
        used: Permits ever taken.
        refused: Calls that the vendor ever refused for the rate.
        blocks: Key id, WHOLE_ACCOUNT or REST, to the moment it may be used again.
        queued: Tenant bucket, or mark of a lifetime, to the moment of its latest reservation.
        slots: Number of a slot to the moment its holder loses it.
        pace: The limit as far as it had to be learned.
        throttled_at: When the vendor last refused for the rate.
    """

    tat: float = 0.0
    newcomer_tat: float | None = None
    epoch: int = 0
    used: int = 0
    refused: int = 0
    blocks: Mapping[str, float] = field(default_factory=_nothing)
    queued: Mapping[str, float] = field(default_factory=_nothing)
    slots: Mapping[str, float] = field(default_factory=_nothing)
    pace: LearnedRate | None = None
    throttled_at: float = 0.0

    def blocked_until(self, key_id: str) -> float:
        """Return the moment from which neither the key nor its account is blocked."""
        blocks = self.blocks
        return max(blocks.get(WHOLE_ACCOUNT, 0.0), blocks.get(REST, 0.0), blocks.get(key_id, 0.0)) if blocks else 0.0

    def free_slots(self, limit: Limit, now: float) -> FreeSlots:
        """Return the numbers of the slots that are free."""
        return FreeSlots(limit.slots or 0, [int(slot) for slot, until in self.slots.items() if until > now])

    def queueing(self, limit: Limit, now: float, *, taking: int = 0) -> bool:
        """Tell whether the tail is far enough ahead to open the newcomer share, or the share is open.

        A caller that creates the queue by *taking* so many permits pays the queue's price; otherwise slow keys would be
        reserved far ahead before there is a share.
        """
        if self.newcomer_tat is not None and self.shares(limit, now):
            return True
        ahead = max(self.tat, now) + taking * limit.interval - limit.tolerance - now
        return ahead > newcomer_share(limit).queue_seconds

    def newcomer_level(self, limit: Limit, now: float, line: Line = Line.NEWCOMER) -> int:
        """Return how many permits the newcomer share has now for a line."""
        share = newcomer_share(limit)
        if self.newcomer_tat is None or not share.burst or not self.queueing(limit, now):
            return 0
        level = share.burst - max(0.0, self.newcomer_tat - now) / share.interval
        return max(0, math.floor(level + 1e-9) - share.leaves(line))

    def starts(self, limit: Limit, count: int, now: float) -> list[float]:
        """Return when the next permits in line could be used."""
        due = max(self.tat, now) - limit.tolerance
        shared = self.newcomer_tat is not None and self.shares(limit, now)
        interval = newcomer_share(limit).queue_interval if shared else limit.interval
        return [max(now, due + position * interval) for position in range(count)]

    def shares(self, limit: Limit, now: float) -> bool:
        """Tell whether the newcomer share is open: it is until no call waits.

        A share that closed at the length at which it opens would lose what it saved, over and over.
        """
        return self.newcomer_tat is not None and self.tat - limit.tolerance > now


@frozen
class Acquire:
    """A request for permits of one owner.

    Attributes:
        key_id: The key of the owner with which the calls are made.
        now: Unix seconds, fleet's clock.
        not_after: Latest moment at which the last of the permits is of use.
        seen: The state as the asker knows it; a wrong guess costs one more write, never a wrong answer.
        line: Tail or newcomer share.
        buckets: Those of the tenants, noted when their calls have to queue: the newcomer share is for others than them.
        marks: What else is noted then: the lifetime of the request.
        slots: Numbers of the slots to hold.
        slots_until: When they lapse by themselves.
        rebase: A new pace to write down along with it, of the epoch in `seen`.
        queueing: Whether the permits are charged at the price of a queue with a newcomer share.
        alone: Whether they queue where no share is known to be open: where there is one, the price is another.
        opens: Whether the newcomer share begins with this request.
        step: What one permit adds to `tat`.
        advance: What all of them add to `tat`; if they open the newcomer share, they pay for what it holds at first.
    """

    owner: str
    key_id: str
    count: int
    limit: Limit
    now: float
    not_after: float
    seen: LimitState = field(default_factory=LimitState)
    line: Line = Line.TAIL
    buckets: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    slots_until: float = 0.0
    rebase: LearnedRate | None = None
    queueing: bool = field(init=False, repr=False, compare=False)
    alone: bool = field(init=False, repr=False, compare=False)
    opens: bool = field(init=False, repr=False, compare=False)
    step: float = field(init=False, repr=False, compare=False)
    advance: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limit, seen = self.limit, self.seen
        queues, share = seen.queueing(limit, self.now, taking=self.count), newcomer_share(limit)
        shared = seen.newcomer_tat is not None and seen.shares(limit, self.now)
        # Nothing is kept for newcomers where nobody is known from another.
        opens = not shared and queues and share.burst > 0 and bool(self.buckets)
        step = share.queue_interval if shared or opens else limit.interval
        derived = {
            "queueing": shared or opens,
            "alone": queues and not opens and seen.newcomer_tat is None,
            "opens": opens,
            "step": step,
            "advance": self.count * step + (newcomer_phase(self.owner) * limit.interval if opens else 0.0),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def latest_tat(self) -> float:
        """The largest `tat` from which the last permit is still of use; only who knows the tail may open the share."""
        latest = self.not_after + self.limit.tolerance - (self.count - 1) * self.step
        return min(latest, max(self.seen.tat, self.now) + SAME_SECONDS) if self.opens else latest

    @property
    def latest_newcomer_tat(self) -> float:
        """The largest `newcomer_tat` at which the share has enough."""
        return newcomer_share(self.limit).latest_tat(self.count, self.line, self.now)

    @property
    def newcomer_opening(self) -> float:
        """Where the newcomer share begins when these permits open it."""
        due = max(self.seen.tat, self.now) - self.limit.tolerance
        return newcomer_opening(self.owner, self.limit, due=due, paid=self.advance, now=self.now)

    def starts(self, tat_before: float) -> tuple[float, ...]:
        """Return when each permit may be used, given `tat` before the first."""
        due = max(tat_before, self.now) - self.limit.tolerance
        return tuple([max(self.now, due + position * self.step) for position in range(self.count)])


@frozen
class Granted:
    """The permits are taken. `starts` are the moments from which each may be used; `state` is the one after."""

    ask: Acquire
    state: LimitState
    starts: tuple[float, ...]


@frozen
class Denied:
    """Nothing was taken; `state` tells why, and when there might be permits."""

    ask: Acquire
    state: LimitState


Answer = Granted | Denied


def acquire(state: LimitState, ask: Acquire) -> Answer:
    """Do what a store does with a request for permits: grant all of it, or nothing."""
    held = any(state.slots.get(slot, 0.0) > ask.now for slot in ask.slots)
    stale = ask.rebase is not None and state.epoch != ask.seen.epoch
    if state.blocked_until(ask.key_id) > ask.now or held or stale:
        return Denied(ask, state)
    return _from_tail(state, ask) if ask.line is Line.TAIL else _from_newcomer_share(state, ask)


def _from_tail(state: LimitState, ask: Acquire) -> Answer:
    due = max(state.tat, ask.now)
    if due > ask.latest_tat or (ask.alone and state.newcomer_tat is not None and state.tat >= ask.now):
        return Denied(ask, state)
    starts = ask.starts(state.tat)
    newcomer_tat = None
    if ask.queueing:
        kept = None if ask.opens or state.tat < ask.now else state.newcomer_tat
        newcomer_tat = ask.newcomer_opening if kept is None else kept
    tail = due + ask.advance
    names = (*ask.buckets, *ask.marks)
    queued = {**state.queued, **dict.fromkeys(names, tail)} if names else state.queued
    return Granted(ask, replace(_noted(state, ask), tat=tail, newcomer_tat=newcomer_tat, queued=queued), starts)


def _from_newcomer_share(state: LimitState, ask: Acquire) -> Answer:
    share = newcomer_share(ask.limit)
    if (
        state.newcomer_tat is None
        or state.newcomer_tat > ask.latest_newcomer_tat
        or ask.count > share.burst - share.leaves(ask.line)
    ):
        return Denied(ask, state)
    newcomer_tat = max(state.newcomer_tat, ask.now) + ask.count * share.interval
    return Granted(ask, replace(_noted(state, ask), newcomer_tat=newcomer_tat), (ask.now,) * ask.count)


def _noted(state: LimitState, ask: Acquire) -> LimitState:
    slots = {**state.slots, **dict.fromkeys(ask.slots, ask.slots_until)} if ask.slots else state.slots
    return replace(state, used=state.used + ask.count, slots=slots, pace=ask.rebase or state.pace)
