"""A rate limit that every worker shares: one number per owner of a limit, the theoretical arrival time (GCRA).

Theory of operation
- An owner is an account at a provider: keys of one account draw on one limit. Its whole state fits one table item.
- `tat` is when the next permit would be due at an even pace. A permit may be used `tolerance` before it is due, which
  is what a burst is. A `tat` beyond that lies in the future: it is the tail of a queue, and a permit taken there is a
  slot, a promise that the call will be served if it is made then. Taking and reserving are therefore one operation.
- A promise holds until `grace` after its moment: the tokens of a late call wait in the vendor's bucket, as long as they
  fit. Later than that, or after the limit was cut (`epoch`), it is void.
- While there is a queue, a tenth of the rate is kept out of it, as a lane for tenants that have nothing in the queue.
  What they leave unused goes to whoever is there, so that nothing is lost. Each owner's lane begins at a phase of its
  own: a fleet whose lanes all filled at once would have none to offer in between, and lose a tenth until they had.
- Concurrency is a set of numbered slots that carry the moment they expire, so that a dead worker's slot returns.

`acquire` is the meaning of an `Acquire`. The table does it in one conditional write; a contract test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Final
from zlib import crc32

from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.vocabulary.limit import Limit

# The whole account, among the names of what is blocked.
WHOLE_ACCOUNT: Final = "*"
# A tenant that queues already leaves the lane's last permit to others.
SURPLUS_LEAVES: Final = 1
TENANT_BUCKETS: Final = 16
# Where an owner's lane begins between empty and its first permit; by name, so that many owners are spread evenly.
LANE_PHASES: Final = 64
# Two readings of one `tat` differ by less.
SAME_SECONDS: Final = 1e-3
# A call whose permit is this near is made whatever is learned meanwhile.
ABOUT_TO_SECONDS: Final = 0.3
_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


def _nothing() -> Mapping[str, float]:
    return _NOTHING


@dataclass(frozen=True, slots=True)
class LimitState:
    """All that the workers share about one owner. Moments are unix seconds of the fleet's clock.

    Attributes:
        tat: Theoretical arrival time of the next permit.
        lane: The same of the newcomer share; None while there is no queue.
        epoch: Changes whenever promises become void.
        used: Permits ever taken.
        blocks: Key id, or WHOLE_ACCOUNT, to the moment it may be used again.
        queued: Tenant bucket to the latest moment it has been promised.
        slots: Number of a slot to the moment its holder loses it.
        pace: The limit as far as it had to be learned.
        throttled_at: When the vendor last refused for the rate.
    """

    tat: float = 0.0
    lane: float | None = None
    epoch: int = 0
    used: int = 0
    blocks: Mapping[str, float] = field(default_factory=_nothing)
    queued: Mapping[str, float] = field(default_factory=_nothing)
    slots: Mapping[str, float] = field(default_factory=_nothing)
    pace: LearnedRate | None = None
    throttled_at: float = 0.0

    def blocked_until(self, key_id: str) -> float:
        """When neither the key nor its account is blocked."""
        return max(self.blocks.get(WHOLE_ACCOUNT, 0.0), self.blocks.get(key_id, 0.0))

    def free_slots(self, limit: Limit, now: float) -> list[str]:
        """Numbers of the slots nobody holds."""
        return [str(each) for each in range(limit.slots or 0) if self.slots.get(str(each), 0.0) <= now]

    def starts(self, limit: Limit, count: int, now: float) -> list[float]:
        """When the next permits in line could be used."""
        due = max(self.tat, now) - limit.tolerance
        starts: list[float] = []
        queueing = False
        for position in range(count):
            queueing = queueing or self.queueing(limit, now, taking=position + 1)
            starts.append(max(now, due + position * (limit.queue_interval if queueing else limit.interval)))
        return starts

    def queueing(self, limit: Limit, now: float, *, taking: int = 0) -> bool:
        """Whether the tail is far enough ahead to open the newcomer share, or to keep it open until nobody queues.

        A lane that closed at the length at which it opens would lose what it saved, over and over. Who makes the queue
        by *taking* so many permits pays its price, or slow keys would be promised far ahead before there is a lane.
        """
        if self.lane is not None and self.tat - limit.tolerance > now:
            return True
        return max(self.tat, now) + taking * limit.interval - limit.tolerance - now > limit.queue_seconds

    def lane_level(self, limit: Limit, now: float, *, leaves: int = 0) -> int:
        """Permits that the newcomer share has now, beyond those left to others."""
        if self.lane is None or not limit.lane_burst or not self.queueing(limit, now):
            return 0
        level = limit.lane_burst - max(0.0, self.lane - now) / limit.lane_interval
        return max(0, math.floor(level + 1e-9) - leaves)


class Line(Enum):
    """Where a permit is taken."""

    TAIL = "tail"
    QUIET = "quiet"
    SURPLUS = "surplus"

    def leaves(self, limit: Limit) -> int:
        """Permits of the lane that must remain; none of a lane that holds no more, or nobody would use it up."""
        return min(SURPLUS_LEAVES, limit.lane_burst - 1) if self is Line.SURPLUS else 0


@dataclass(frozen=True, slots=True)
class Acquire:
    """A wish for permits of one owner.

    Attributes:
        key_id: With which of the owner's keys.
        now: Unix seconds, fleet's clock.
        not_after: Latest moment at which the last of the permits is of use.
        seen: The state as the asker knows it; a wrong guess costs one more write, never a wrong answer.
        line: Tail or newcomer share.
        buckets: The tenants', to be noted when their calls have to queue.
        slots: Numbers of the slots to hold.
        slots_until: When they come back by themselves.
        rebase: A new pace to write down along with it, of the epoch in `seen`.
        queueing: Whether the permits are charged at the queue's price.
        opens: Whether the newcomer share begins with this ask.
        step: What one permit adds to `tat`.
        advance: What all of it adds to `tat`; opening the lane, it pays for what that holds from the beginning.
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
    slots: tuple[str, ...] = ()
    slots_until: float = 0.0
    rebase: LearnedRate | None = None
    queueing: bool = field(init=False, repr=False, compare=False)
    opens: bool = field(init=False, repr=False, compare=False)
    step: float = field(init=False, repr=False, compare=False)
    advance: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limit, seen = self.limit, self.seen
        queueing = seen.queueing(limit, self.now, taking=self.count)
        closed = seen.lane is None or seen.tat - limit.tolerance <= self.now
        opens = closed and queueing and limit.lane_burst > 0
        step = limit.queue_interval if queueing else limit.interval
        derived = {
            "queueing": queueing,
            "opens": opens,
            "step": step,
            "advance": self.count * step + (self.phase * limit.interval if opens else 0.0),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def phase(self) -> float:
        """Which part of a permit the owner's lane holds when it begins."""
        return crc32(self.owner.encode()) % LANE_PHASES / LANE_PHASES

    @property
    def latest_tat(self) -> float:
        """The largest `tat` from which the last permit is still of use; to open the lane, one must know the tail."""
        latest = self.not_after + self.limit.tolerance - (self.count - 1) * self.step
        return min(latest, max(self.seen.tat, self.now) + SAME_SECONDS) if self.opens else latest

    @property
    def latest_lane(self) -> float:
        """The largest `lane` at which it has enough."""
        return self.now + (self.limit.lane_burst - self.count - self.line.leaves(self.limit)) * self.limit.lane_interval

    @property
    def lane_opening(self) -> float:
        """Where the newcomer share begins: at its phase, behind all that was promised at the full rate; and the first
        permit not before that phase is paid for.
        """
        limit, due = self.limit, max(self.seen.tat, self.now) - self.limit.tolerance
        full = max(due, self.now) + (limit.lane_burst - self.phase) * limit.lane_interval
        return max(full, due + self.advance + (limit.lane_burst - 1) * limit.lane_interval)

    def starts(self, tat_before: float) -> tuple[float, ...]:
        """When each permit may be used, given `tat` before the first."""
        due = max(tat_before, self.now) - self.limit.tolerance
        return tuple([max(self.now, due + position * self.step) for position in range(self.count)])


@dataclass(frozen=True, slots=True)
class Granted:
    """The permits are ours. `starts` are the moments from which each may be used; the state is the one after."""

    ask: Acquire
    state: LimitState
    starts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """Nothing was taken; the state tells why, and who may go when."""

    ask: Acquire
    state: LimitState


Answer = Granted | Denied


def acquire(state: LimitState, ask: Acquire) -> Answer:
    """What a store does with an ask: all of it or nothing."""
    held = any(state.slots.get(slot, 0.0) > ask.now for slot in ask.slots)
    stale = ask.rebase is not None and state.epoch != ask.seen.epoch
    if state.blocked_until(ask.key_id) > ask.now or held or stale:
        return Denied(ask, state)
    return _from_tail(state, ask) if ask.line is Line.TAIL else _from_lane(state, ask)


def _from_tail(state: LimitState, ask: Acquire) -> Answer:
    due = max(state.tat, ask.now)
    if due > ask.latest_tat:
        return Denied(ask, state)
    starts = ask.starts(state.tat)
    lane = None
    if ask.queueing:
        kept = None if ask.opens or state.tat < ask.now else state.lane
        lane = ask.lane_opening if kept is None else kept
    tail = due + ask.advance
    queued = {**state.queued, **dict.fromkeys(ask.buckets, tail)} if ask.buckets else state.queued
    return Granted(ask, replace(_noted(state, ask), tat=tail, lane=lane, queued=queued), starts)


def _from_lane(state: LimitState, ask: Acquire) -> Answer:
    if (
        state.lane is None
        or state.lane > ask.latest_lane
        or ask.count > ask.limit.lane_burst - ask.line.leaves(ask.limit)
    ):
        return Denied(ask, state)
    lane = max(state.lane, ask.now) + ask.count * ask.limit.lane_interval
    return Granted(ask, replace(_noted(state, ask), lane=lane), (ask.now,) * ask.count)


def _noted(state: LimitState, ask: Acquire) -> LimitState:
    slots = {**state.slots, **dict.fromkeys(ask.slots, ask.slots_until)} if ask.slots else state.slots
    return replace(state, used=state.used + ask.count, slots=slots, pace=ask.rebase or state.pace)


def tenant_bucket(tenant: str) -> str:
    """One of a few buckets: enough to tell a flood from a trickle, few enough for one small item."""
    return f"{crc32(tenant.encode()) % TENANT_BUCKETS:x}"
