"""To wait in the worker or to requeue the message: what either costs, and how a message meets its reservation.

Prices are those of us-east-1 in US dollars, on demand; docs/rate-limits.md has the computation.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from random import Random
from typing import Final

from mediarelay.limits.acquiring import Reservation

# SQS delays by whole seconds, up to this many; a reservation further ahead takes several requeues.
LONGEST_DELAY_SECONDS: Final = 900
# From the end of a delay to the worker: a poll, a batch, an invocation.
ARRIVAL_SECONDS: Final = 0.25
RESERVATION_FIELDS: Final = 6
RESERVATION_LENGTH: Final = 512


@dataclass(frozen=True, slots=True)
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
