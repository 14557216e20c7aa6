"""When a job that finds no key now comes back: to its reservation, when keys return, or never, since it would be late.

A job is told that it would expire only where that is certain: every provider's limits are known, all places before its
deadline are taken, and nothing was paid for yet. Places are given out once, so that what is late now stays late.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final

from mediarelay.job_records.job_spec import spent
from mediarelay.limits.planning import ARRIVAL_SECONDS, LONGEST_DELAY_SECONDS, unreserved
from mediarelay.serving.attempts import kept_attempts, milliseconds
from mediarelay.serving.failover import Deferred, Expired, Reply, Reserve, Reserved, Step

if TYPE_CHECKING:
    from mediarelay.serving.attempts import ClaimedJob
    from mediarelay.serving.failover import Budget, Taken

# A reservation further ahead would have to survive two requeues; a job that gets none asks again in time.
HORIZON_SECONDS: Final = LONGEST_DELAY_SECONDS - 10.0
# SQS delays by whole seconds: a message may come this much after the moment it was to come at. For a place in its last
# second it comes earlier by as much, and waits in the worker.
LATE_SECONDS: Final = 1.0 + ARRIVAL_SECONDS
# So long before the deadline the last call begins.
LAST_SECONDS: Final = 0.1
# One that waits outside the queue comes by before that is empty: after half to nine tenths of its length.
SOONEST_PART: Final = 0.5
LATEST_PART: Final = 0.9
# Without a place before the deadline, and where one may come free, it asks again at least this often.
ASKING_SECONDS: Final = 10.0


# What a record tells of a job that is deferred again and again.
HISTORY_KEPT: Final = 40


def deferral_of(job: ClaimedJob, now: float, until: float) -> Mapping[str, Any]:
    """Return what the record tells of a job that is deferred, as `JobStore.defer` takes it; moments in unix seconds."""
    ours = (milliseconds(job.claimed_at), "claimed", ""), (milliseconds(now), "deferred", str(milliseconds(until)))
    return {
        "until": milliseconds(until),
        "attempts": kept_attempts(job),
        "purchases": spent(job.purchases).purchases,
        "history": (*job.claimed.history, *ours)[-HISTORY_KEPT:],
    }


def deferred(
    waits: Mapping[str, Taken], budget: Budget, until: float, *, now: float, paid: int, rng: Random
) -> Generator[Step, Reply, Deferred | Expired]:
    """Defer the job to its reservation if one can be made, else to when keys return, each job to its own moment.

    Args:
        waits: What was said of each provider whose keys merely cool.
        budget: The job's.
        until: The soonest moment at which any provider may have a key.
        now: The moment.
        paid: How many purchases were made, or may have been.
        rng: Dice.
    """
    if not budget.shared_limits or not waits:
        return Expired(None if paid else until - now) if until >= budget.expires_at else Deferred(until)
    latest, returns_by = budget.expires_at - LAST_SECONDS, budget.expires_at - LATE_SECONDS
    soonest, certain = until, until >= latest
    if now >= returns_by:
        return Expired(until - now if until >= latest and not paid else None)
    for provider in sorted(waits, key=lambda name: waits[name].cooling_until or 0.0):
        if not waits[provider].line:
            continue
        lifetime = budget.expires_at - budget.received_at
        reserved = yield Reserve(provider, min(HORIZON_SECONDS, latest - now), lifetime)
        if not isinstance(reserved, Reserved):
            raise TypeError(f"the flow asked to reserve and was sent {type(reserved).__name__}")
        if reserved.arrive_at is not None:
            return Deferred(min(reserved.arrive_at, returns_by))
        soonest = min(soonest, now if reserved.retry_at is None else reserved.retry_at)
        certain = certain and reserved.certain
    if soonest >= latest and certain:
        return Expired(None if paid else soonest - now)
    if soonest >= latest:
        again = now + rng.uniform(SOONEST_PART, 1.0) * min(ASKING_SECONDS, latest - now)
    elif any(taken.line for taken in waits.values()) and soonest - now <= HORIZON_SECONDS:
        again = now + rng.uniform(SOONEST_PART, LATEST_PART) * max(0.0, soonest - now)
    else:
        again = unreserved(until, now=now, age=now - budget.received_at, rng=rng)
    return Deferred(min(again, budget.expires_at - 1.0))
