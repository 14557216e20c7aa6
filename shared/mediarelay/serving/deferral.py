"""When a job that found no key comes back: at a slot reserved for it, or else by its own patience."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from mediarelay.keys.pools import KeyRing
from mediarelay.limits.acquiring import Promise
from mediarelay.limits.requeue import LONGEST_DELAY_SECONDS, lead_seconds, unpromised
from mediarelay.serving.claimed_job import Job
from mediarelay.vocabulary.clock import Clock

# A slot further ahead than one trip would have to survive two; whoever gets none of these asks again in time.
HORIZON_SECONDS: Final = LONGEST_DELAY_SECONDS - 10.0


@dataclass(frozen=True, slots=True)
class Appointment:
    """When to come back (unix seconds, the target of the trip), and the slot that waits there."""

    at: float
    promise: Promise | None = None


def appointment(job: Job, until: float, keys: KeyRing, *, clock: Clock, rng: Random) -> Appointment:
    """Reserve a slot with the provider that is free soonest; `until` is when keys return without one."""
    now = clock.now()
    waits = {name: wait for name, wait in job.waits.items() if wait.at is not None}
    if keys.patience is None or not waits:
        return Appointment(until)
    soonest = min(waits, key=lambda name: waits[name].at or 0.0)
    if waits[soonest].promises:
        vendor = job.routes[soonest].provider.vendor
        within = min(HORIZON_SECONDS, job.branch.expires_at - now)
        reserved = keys.reserve(vendor, soonest, job.errand, within=within)
        if reserved is not None:
            promise, start = reserved
            return Appointment(start - lead_seconds(promise.grace), promise)
    age = now - job.claimed.received_at / 1000
    return Appointment(min(unpromised(until, now=now, age=age, rng=rng), job.branch.expires_at - 1.0), None)
