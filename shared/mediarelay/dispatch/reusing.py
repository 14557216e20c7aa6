"""A job that may be answered with the result of an identical one: found, joined while it is bought, or bought once.

What is shared lies in one entry of the table (`reuse/`). A job takes it before it is claimed, so that it is claimed for
a purchase only where it is to make one; a job that waits for another's has neither claim nor reservation nor execution.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mediarelay.job_records.claims import AlreadySettled, Cancelled, Claimed, Conflict, Held
from mediarelay.job_records.job_spec import JobSpec, reuse_key_of
from mediarelay.job_records.ports import JobStore
from mediarelay.long_jobs.start import JobStarter
from mediarelay.reuse.contract import Reusable
from mediarelay.reuse.ports import ReuseStore
from mediarelay.reuse.results import SharedResult
from mediarelay.reuse.rules import GRACE_SECONDS, Need, UnderWay, delivered
from mediarelay.serving.attempts import LEASE_GRACE_SECONDS, claim_of, milliseconds
from mediarelay.serving.job_errors import cancelled_error, used_before
from mediarelay.serving.serve import Done, Requeue, ServeEnd
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import LONG_KINDS

logger = logging.getLogger(__name__)

# A message that was put off may come so much later than it was to.
LATE_SECONDS: Final = 420


class ReusingServer:
    """Serves jobs whose requests have `cache_seconds`. Thread-safe."""

    def __init__(self, entries: ReuseStore, jobs: JobStore, starter: JobStarter, kept: int, clock: Clock) -> None:
        """`kept` is how many seconds the bucket keeps a file."""
        self._entries = entries
        self._jobs = jobs
        self._starter = starter
        self._kept = kept
        self._clock = clock

    def serve(self, spec: JobSpec, serve: Callable[[JobSpec], ServeEnd], *, worker_ends_at: float) -> ServeEnd:
        """Answer the job with a result that is there, or put it off while one is bought; else have it served.

        Raises:
            RequestRejected: The id belongs to a job with another content.
            StoreUnavailable: What is shared, or the job, could not be read or written; the message comes again.
        """
        max_age = spec.request.cache_seconds
        if max_age is None or self._clock.now() >= spec.expires_at:
            return serve(spec)  # nothing is bought for what is too late
        key = reuse_key_of(spec)
        need = Need(spec.job_id, spec.request.kind, max_age, self._kept)
        shared = SharedResult(self._entries, self._jobs, key, need, self._clock)
        takes_minutes = spec.in_parts or spec.request.kind in LONG_KINDS
        until = spec.expires_at + GRACE_SECONDS if takes_minutes else worker_ends_at + LEASE_GRACE_SECONDS
        match shared.find(until=milliseconds(until)):
            case UnderWay(at=at):
                return Requeue(at)
            case Reusable() as result:
                return self._answered(spec, result, serve, worker_ends_at, takes_minutes=takes_minutes)
            case None:
                return self._bought(replace(spec, reuse_key=key), shared, serve)

    @staticmethod
    def _bought(spec: JobSpec, shared: SharedResult, serve: Callable[[JobSpec], ServeEnd]) -> ServeEnd:
        """Have it served, and let the others know what has come of it."""
        try:
            end = serve(spec)
        except StoreUnavailable:
            raise  # something may have been bought: the others wait until this job comes again, or is late
        except Exception:
            _attempt(shared.give_up, spec)
            raise
        match end:
            case Requeue(at=at):
                _attempt(lambda: shared.keep(milliseconds(at + LATE_SECONDS)), spec)
            case Done(settlement=settlement) if settlement is not None:
                shared.share(settlement)
            case Done(before=True):
                _attempt(shared.lapse, spec)
        return end

    def _answered(
        self,
        spec: JobSpec,
        result: Reusable,
        serve: Callable[[JobSpec], ServeEnd],
        worker_ends_at: float,
        *,
        takes_minutes: bool,
    ) -> ServeEnd:
        """Settle the job with the result. One that is under way already is left to itself."""
        now = self._clock.now()
        # Nothing is going to be bought: the claim says so.
        claim = replace(claim_of(spec, now, worker_ends_at), purchase=None)
        facts = {"request_id": spec.job_id, "bought_by": result.job_id}
        if takes_minutes:
            end = delivered(result, spec.job_id, "", received_at=spec.received_at, now=now)
            if not self._starter.settled_at_once(spec, end, claim):
                return serve(spec)
            logger.info("answered with an earlier result", extra=facts)
            return Done(before=True)
        match self._jobs.claim(claim):
            case AlreadySettled():
                return Done(before=True)
            case Held(lease_until=until):
                return Requeue(until / 1000)
            case Conflict():
                raise used_before(spec.job_id)
            case Cancelled(purchases=purchases):
                self._jobs.end_unserved(claim, cancelled_error(), purchases)
            case Claimed() as claimed:
                end = delivered(result, spec.job_id, claim.claim_id, received_at=claimed.received_at, now=now)
                # What an earlier delivery may have bought in vain counts all the same.
                earlier = replace(
                    end,
                    purchases=claimed.purchases,
                    attempts=claimed.attempts,
                    interruptions=claimed.interruptions,
                    earmark=claimed.earmark,
                )
                self._jobs.settle(earlier)
                logger.info("answered with an earlier result", extra=facts)
        return Done(before=True)


def _attempt(note: Callable[[], None], spec: JobSpec) -> None:
    """Note it, if the table takes it: the others find out by the record, later."""
    try:
        note()
    except StoreUnavailable as error:
        logger.warning("buyer's end not noted: %s", error, extra={"request_id": spec.job_id})
