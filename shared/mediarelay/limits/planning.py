"""How a batch comes by its permits: which owners it asks for how many, and whether it waits for them or requeues.

As few writes as the batch can afford to wait for. To wait in the worker costs its seconds, to requeue a message costs
requests; the message meets its reservation when it comes back. Prices are those of us-east-1 in US dollars, on demand;
docs/rate-limits.md has the computation.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from random import Random
from typing import Final

from mediarelay.limits.fairness import QUEUE_SECONDS, Line, newcomer_share
from mediarelay.limits.gcra import FreeSlots, LimitState
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit

# A permit this near is as good as one that is ready: the call itself takes longer.
AT_ONCE_SECONDS: Final = 0.02
# One owner more costs a write; one less may make a batch wait this much longer, in parts of the wait it has anyway.
SLACK: Final = 0.25
# A batch that can go at once takes from so many owners: one alone would cost less, but the others' buckets stay full.
SPREAD: Final = 2
# Of so many owners that fit, the best is taken.
CHOICES: Final = 5
# A batch takes surplus permits of the newcomer share from at most so many owners.
SURPLUS_OWNERS: Final = 2


@dataclass(frozen=True)
class Owner:
    """One owner of a limit, as a plan sees it.

    Attributes:
        key_ids: Its keys that may be used.
        ready_at: From when the first of them may be used, as far as the pool knows.
        horizon: How far ahead permits can be reserved, in seconds.
    """

    name: str
    key_ids: tuple[str, ...]
    limit: Limit
    state: LimitState
    now: float
    ready_at: float = 0.0
    horizon: float = math.inf

    @cached_property
    def earliest(self) -> float:
        """The moment from which one of its keys may be used."""
        return max(self.now, self.ready_at, min(map(self.state.blocked_until, self.key_ids)))

    @cached_property
    def free_slots(self) -> FreeSlots | None:
        """Numbers of its free slots; None when its concurrency is not limited."""
        return None if self.limit.slots is None else self.state.free_slots(self.limit, self.now)

    def starts(self, count: int, *, not_after: float) -> list[float]:
        """Return when its next permits could be used, up to *not_after*."""
        if self.free_slots is not None:
            count = min(count, len(self.free_slots))
        earliest, latest = self.earliest, min(not_after, self.now + self.horizon)
        starts = self.state.starts(self.limit, count, self.now)
        # The table gives permits in their order, whether or not this worker's keys rest: one that could be used only
        # when its token is gone would be lost.
        if not starts or earliest - starts[0] > max(AT_ONCE_SECONDS, newcomer_share(self.limit).grace):
            return []
        return [max(earliest, start) for start in starts if max(earliest, start) <= latest]

    @property
    def next_start(self) -> float:
        """When its next permit could be used; of full slots, about when one might be free."""
        start = max(self.earliest, *self.state.starts(self.limit, 1, self.now))
        return max(start, self.now + BUSY_SECONDS) if self.free_slots is not None and not self.free_slots else start


# A slot comes free when some call ends, at a moment that cannot be known: look again about as often as calls end.
BUSY_SECONDS: Final = 0.25


@frozen
class Part:
    """So many permits of one owner, the last of which is expected at `last`."""

    owner: Owner
    count: int
    last: float
    line: Line = Line.TAIL


def from_tail(count: int, owners: Sequence[Owner], *, not_after: float, rng: Random) -> list[Part]:
    """Plan the soonest permits, from few owners; fewer than asked for when there are no more before `not_after`."""
    offered = [each.starts(count, not_after=not_after) for each in owners]
    soonest = sorted(chain.from_iterable(offered))[:count]
    if not soonest:
        return []
    now = owners[0].now
    bound = min(not_after, soonest[-1] + AT_ONCE_SECONDS + SLACK * (soonest[-1] - now))
    at_once = soonest[-1] <= now + AT_ONCE_SECONDS
    most = math.ceil(len(soonest) / SPREAD) if at_once and len(owners) >= SPREAD else len(soonest)
    counts = [bisect_right(starts, bound) for starts in offered]
    if sum([min(most, count) for count in counts]) < len(soonest):
        most = len(soonest)
    room = [(min(most, count), *offer) for count, offer in zip(counts, zip(owners, offered, strict=True), strict=True)]
    left, parts = len(soonest), []
    while left:
        count, owner, starts = room.pop(_best(room, left, rng))
        taken = min(left, count)
        parts.append(Part(owner, taken, starts[taken - 1]))
        left -= taken
    return parts


def _best(room: Sequence[tuple[int, Owner, list[float]]], left: int, rng: Random) -> int:
    """Choose among a few owners that have the most permits, up to what is left, the one that has rested longest: a full
    bucket loses what it gains. Only among a few, or workers that saw the same would all choose the same owner.
    """
    most = min(left, max([count for count, _, _ in room]))
    enough = [number for number, (count, _, _) in enumerate(room) if count >= most]
    drawn = rng.sample(enough, min(len(enough), CHOICES))
    return min(drawn, key=lambda number: room[number][1].state.tat)


def from_newcomer_share(count: int, owners: Sequence[Owner], line: Line, *, rng: Random) -> list[Part]:
    """Plan permits of the newcomer share, for tenants with nothing in the queue or, as `SURPLUS`, for any."""
    levels = [(each.state.newcomer_level(each.limit, each.now, line), rng.random(), each) for each in owners]
    parts: list[Part] = []
    for level, _, each in sorted(levels, key=lambda item: item[:2], reverse=True):
        enough = line is Line.SURPLUS and len(parts) == SURPLUS_OWNERS
        usable = each.earliest <= each.now and (each.free_slots is None or len(each.free_slots) > 0)
        if count and level and usable and not enough:
            taken = min(count, level, len(each.free_slots) if each.free_slots else count)
            parts.append(Part(each, taken, each.now, line))
            count -= taken
    return parts


def crowded(owners: Sequence[Owner]) -> bool:
    """Tell whether every owner has a queue."""
    return all(
        each.next_start > each.now + QUEUE_SECONDS or each.state.queueing(each.limit, each.now) for each in owners
    )


# SQS delays by whole seconds, up to this many; a reservation further ahead takes several requeues.
LONGEST_DELAY_SECONDS: Final = 900
# From the end of a delay to the worker: a poll, a batch, an invocation.
ARRIVAL_SECONDS: Final = 0.25
RESERVATION_FIELDS: Final = 6
RESERVATION_LENGTH: Final = 512


@frozen
class Reservation:
    """A reserved permit, as a requeued message carries it.

    Attributes:
        start: The moment it is for, unix seconds of the fleet's clock.
        epoch: The owner's when it was made; the reservation is void once the owner's differs.
        grace: How late it may be used, in seconds.
    """

    provider: str
    owner: str
    key_id: str
    start: float
    epoch: int
    grace: float = 0.0


@frozen
class Prices:
    """What waiting costs.

    Attributes:
        worker_second: A worker of 512 MB on arm64 for a second.
        request: One SQS request; a requeue takes one to send, and a tenth each to receive and to delete.
        write: One write unit; a requeued job is claimed and deferred once more.
        invocation: Shared by a batch of ten.
    """

    worker_second: float = 0.5 * 0.0000133334
    request: float = 0.40e-6
    write: float = 0.625e-6
    invocation: float = 0.20e-6

    @property
    def requeue(self) -> float:
        """The price of requeueing one message."""
        return 1.2 * self.request + 2.0 * self.write + 0.1 * self.invocation


def break_even_seconds(waiting: int, prices: Prices | None = None) -> float:
    """Return the longest wait that is cheaper in the worker, for so many messages that wait together."""
    price = prices or Prices()
    return waiting * price.requeue / price.worker_second


def max_wait_seconds(waiting: int) -> float:
    """Return how long a batch waits in the worker: while that is cheaper, and for permits nearer than any delay.

    A requeued message would come too late for such a reservation, which would then serve no call.
    """
    return max(1.0 + ARRIVAL_SECONDS, break_even_seconds(waiting))


def lead_seconds(grace: float) -> float:
    """Return how long before its reservation a message should arrive: 0 if the grace covers SQS's imprecision."""
    return max(0.0, 1.0 + ARRIVAL_SECONDS - grace)


def delay_seconds(at: float, *, now: float) -> int:
    """Return SQS's delay for a message that should arrive at that moment, or up to a second later."""
    return min(LONGEST_DELAY_SECONDS, max(1, math.ceil(at - now)))


def unreserved(soonest: float, *, now: float, age: float, rng: Random) -> float:
    """Return when a message without a reservation should try again: not before there might be a permit, and less often
    the longer it has waited (`age`, in seconds), each at its own moment.
    """
    return max(soonest, now) + rng.uniform(0.5, 1.0) * min(LONGEST_DELAY_SECONDS / 3.0, max(2.0, age))


def patient(at: float, *, now: float, trips: int) -> float:
    """Return when a message without a reservation should come back after so many trips: each waits longer."""
    return max(at, now + min(LONGEST_DELAY_SECONDS / 3.0, trips))


def written(reservation: Reservation) -> str:
    """Write a reservation as a message attribute."""
    start, grace = round(reservation.start, 6), round(reservation.grace, 3)
    return json.dumps([reservation.provider, reservation.owner, reservation.key_id, start, reservation.epoch, grace])


def read(text: str | None) -> Reservation | None:
    """Read the reservation in a message attribute; None when there is none, or something else."""
    if not text or len(text) > RESERVATION_LENGTH:
        return None
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    if not isinstance(fields, list) or len(fields) != RESERVATION_FIELDS:
        return None
    provider, owner, key_id, start, epoch, grace = fields
    words = all(isinstance(word, str) for word in (provider, owner, key_id))
    numbers = all(isinstance(number, int | float) and math.isfinite(number) for number in (start, epoch, grace))
    return Reservation(provider, owner, key_id, float(start), int(epoch), float(grace)) if words and numbers else None
