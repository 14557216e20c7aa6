"""Who is served first while there is a queue: the newcomer share, and how far ahead a request may reserve.

Theory of operation
- Without tenants and without deadlines near each other's, permits are given in the order in which they are asked for.
- While an owner has a queue in which tenants are named, a tenth of its rate is kept out of it, for tenants that have
  nothing in the queue. The queue pays for it: its permits lie farther apart (`queue_interval`).
- The share is a small bucket of its own, kept like the limit itself as a theoretical arrival time (`newcomer_tat`; the
  item's attribute is called `lane`). It opens when the tail is far enough ahead, and closes when the queue is gone.
- What newcomers leave unused goes to any tenant, so that nothing is lost: the surplus.
- Each owner's share begins at a phase of its own. In a fleet whose shares all filled at the same moment there would be
  nothing to give out in between, and a tenth of the rate would be lost until then.
- A request reserves at the tail, and what has its place keeps it. So that those with time do not take the places of
  those without, the queue knows the shortest lifetime among its requests (a mark beside the tenants' buckets), and who
  has longer to live reserves only while the tail is near: the less time is left, the farther (`reach`). The length at
  which the tail then settles lets in those with the least time left, as many as there are places.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Final
from zlib import crc32

from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import MARGIN_PART, MARGIN_SECONDS, Limit

# The part of a queue's rate that is kept for newcomers.
NEWCOMER_PART: Final = 0.1
# A queue is longer than this; with slow keys, a single call that waits does not make one.
QUEUE_SECONDS: Final = 1.0
QUEUE_PERMITS: Final = 2
# The share saves up this many permits at most.
SHARE_BURST: Final = 3
# A tenant that queues already leaves the share's last permit to others.
SURPLUS_LEAVES: Final = 1
# Where an owner's share begins between empty and its first permit; by name, so that many owners are spread evenly.
PHASES: Final = 64
TENANT_BUCKETS: Final = 16
# Lifetimes that a queue marks, in seconds, each for those above the one before; longer ones give way to all of them.
LIFETIMES: Final = (16, 32, 64, 128, 256, 512)
# However much time a request has, it reserves while the tail is nearer than this part of the shortest lifetime: those
# that wait outside must come by before the queue is empty.
NEAR_PART: Final = 1 / 3


class Line(Enum):
    """Where a permit is taken: at the tail of the queue, or from the newcomer share, as a newcomer or as surplus."""

    TAIL = "tail"
    NEWCOMER = "newcomer"
    SURPLUS = "surplus"


@frozen
class NewcomerShare:
    """The numbers that follow from a limit.

    Attributes:
        burst: Permits that the share may save up: they must fit the vendor's bucket beside the call of the queue.
        interval: Seconds between the share's permits.
        queue_interval: Seconds between permits in a queue: more than outside one, which pays for the share.
        queue_seconds: A tail farther ahead than this is that of a queue.
        grace: How late a reservation may be used, in seconds, and still find its token in the vendor's bucket.
    """

    burst: int
    interval: float
    queue_interval: float
    queue_seconds: float
    grace: float

    def leaves(self, line: Line) -> int:
        """Return how many permits must remain: none in a share that holds no more, or it would never be used up."""
        return min(SURPLUS_LEAVES, self.burst - 1) if line is Line.SURPLUS else 0

    def latest_tat(self, count: int, line: Line, now: float) -> float:
        """Return the largest `newcomer_tat` at which the share holds so many permits."""
        return now + (self.burst - count - self.leaves(line)) * self.interval


@lru_cache(maxsize=1024)
def newcomer_share(limit: Limit) -> NewcomerShare:
    """Return what a limit keeps for newcomers."""
    burst = min(SHARE_BURST, limit.burst - 1)
    beside = (limit.burst - 1 - burst) * limit.interval
    return NewcomerShare(
        burst=burst,
        interval=limit.interval / NEWCOMER_PART,
        queue_interval=limit.interval / (1.0 - NEWCOMER_PART) if burst else limit.interval,
        queue_seconds=max(QUEUE_SECONDS, QUEUE_PERMITS * limit.interval),
        grace=beside - min(MARGIN_SECONDS, MARGIN_PART * beside),
    )


def newcomer_phase(owner: str) -> float:
    """Return the part of a permit that the owner's share holds when it begins."""
    return crc32(owner.encode()) % PHASES / PHASES


def newcomer_opening(owner: str, limit: Limit, *, due: float, paid: float, now: float) -> float:
    """Return where the newcomer share begins: at its phase, behind everything reserved at the full rate, and with the
    first permit not before that phase is *paid* for.
    """
    share = newcomer_share(limit)
    full = max(due, now) + (share.burst - newcomer_phase(owner)) * share.interval
    return max(full, due + paid + (share.burst - 1) * share.interval)


def tenant_bucket(tenant: str) -> str:
    """Return one of a few buckets: enough to tell a flood from a trickle, few enough for one small item."""
    return f"{crc32(tenant.encode()) % TENANT_BUCKETS:x}"


def lifetime_mark(seconds: float) -> str | None:
    """Return the mark that a request of so many seconds, from its publication to its deadline, leaves in the queue."""
    return next((f"within{most}" for most in LIFETIMES if seconds <= most), None)


LIFETIME_MARKS: Final = tuple(f"within{most}" for most in LIFETIMES)


def reach(left: float, queued: Mapping[str, float], now: float) -> float:
    """Return how far ahead, in seconds, a request with so much time *left* may reserve in a queue with these marks."""
    shortest = math.inf
    for most, mark in zip(LIFETIMES, LIFETIME_MARKS, strict=True):
        if queued.get(mark, 0.0) > now:
            shortest = float(most)
            break
    return left if left <= shortest else min(left, max(NEAR_PART * shortest, shortest * shortest / left))
