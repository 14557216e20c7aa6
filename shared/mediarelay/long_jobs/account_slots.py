"""Concurrency slots: a vendor counts a job from its submit to its end, over all workers, so we do the same."""

from __future__ import annotations

import logging
import math
from functools import partial
from random import Random
from typing import Final

from mediarelay.keys.pool import KeyEntry
from mediarelay.keys.pools import KeyPools
from mediarelay.long_jobs.execution_state import ExecutionState, HeldSlot
from mediarelay.long_jobs.ports import SlotStore
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.retrying import retry_until

logger = logging.getLogger(__name__)

# A slot that is never returned lapses this long after its job's deadline.
GRACE_SECONDS = 600
RELEASE_MAX_WAIT_SECONDS = 5.0
# A job that was given up may run on at the vendor for about this many times its usual length.
LET_GO_FACTOR: Final = 2.0
# A slot comes free when some job ends: look again soon, then ever more rarely, each job at a moment of its own.
WAIT_SECONDS: Final = 2.0
WAIT_LONGEST_SECONDS: Final = 60.0
WAIT_GROWTH: Final = 1.5


class AccountSlots:
    """Takes and returns slots. An account whose keys declare no `concurrency` has no slots to count."""

    def __init__(self, store: SlotStore, keys: KeyPools, clock: Clock, rng: Random) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._rng = rng

    def take(self, entry: KeyEntry, job_id: str, *, until: float) -> bool:
        """Hold a slot of the key's account for the job, until then at the latest. Returns False when all are held.

        Without the table the vendor's own refusal is the limit: a job that could run must not wait for our bookkeeping.
        """
        limit = self._keys.ceiling(entry)
        if limit is None:
            return True
        now = round(self._clock.now())
        try:
            return self._store.take(entry.vendor, entry.account, job_id, limit=limit, until=math.ceil(until), now=now)
        except StoreUnavailable as error:
            logger.warning("slot not counted", extra={"account": entry.account, "reason": error.reason})
            return True

    def keep(self, entry: KeyEntry, job: ExecutionState) -> None:
        """Hold the slot as long as the job may take, now that the vendor has it."""
        self.take(entry, job.request_id, until=job.expires_at + GRACE_SECONDS)

    def free_at(self, job: ExecutionState) -> float:
        """Return when to look again for a slot, in unix seconds, where all are held."""
        longest = min(WAIT_LONGEST_SECONDS, WAIT_SECONDS * WAIT_GROWTH ** min(job.submits, 16))
        return self._clock.now() + WAIT_SECONDS + self._rng.uniform(0.0, longest)

    def release(self, vendor: str, account: str, job_id: str) -> bool:
        """Return the job's slot; nothing happens when it holds none.

        Returns False when the table did not answer: it is to be returned at the job's end, else it lapses.
        """
        until = self._clock.now() + RELEASE_MAX_WAIT_SECONDS
        try:
            retry_until(partial(self._store.release, vendor, account, job_id), clock=self._clock, until=until)
        except StoreUnavailable as error:
            logger.warning("slot not released", extra={"request_id": job_id, "reason": error.reason})
            return False
        return True

    def returned(self, job: ExecutionState, vendor: str, account: str) -> ExecutionState:
        """Return the job's slot. Returns the job, which remembers a slot that is still to be returned."""
        if self.release(vendor, account, job.request_id):
            return job
        return job.model_copy(update={"held": [*(job.held or ()), HeldSlot(vendor=vendor, account=account)]})

    def leave(self, vendor: str, account: str, job_id: str, *, seconds: float) -> bool:
        """Let the slot lapse when the job has probably ended: it goes on at the vendor without us.

        Returns False when the table did not answer.
        """
        until = round(self._clock.now() + seconds)
        try:
            self._store.shorten(vendor, account, job_id, until=until)
        except StoreUnavailable as error:
            logger.warning("slot not shortened", extra={"request_id": job_id, "reason": error.reason})
            return False
        return True
