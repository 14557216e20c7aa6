"""What becomes of a submit whose answer was lost or came too late: found again, given up, or stopped at the vendor."""

from __future__ import annotations

import logging
from typing import Final

from mediarelay.job_records.contract import Submission
from mediarelay.keys.pinned import pinned_key
from mediarelay.keys.pools import KeyRing
from mediarelay.long_jobs.account_slots import AccountSlots
from mediarelay.long_jobs.execution_state import MediaJob, NextStep, VendorJob
from mediarelay.long_jobs.submit.notes import Overtaken, SubmitNotes, Visit, bought, vendor_job
from mediarelay.long_jobs.submit.resumption import LOOKUP_PAUSE_SECONDS
from mediarelay.long_jobs.transitions import ending, expiring, waiting
from mediarelay.long_jobs.vendor_client import JobWire
from mediarelay.providers.api import Absent, Accepted, JobProvider
from mediarelay.results.result_store import ResultShelf, prefix_of
from mediarelay.serving.claimed_job import milliseconds
from mediarelay.serving.job_errors import failure_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.kinds import JobStatus, OnAmbiguous, SubmitState
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome

logger = logging.getLogger(__name__)

# A job that we let go may run on at the vendor's for about this many times its usual length.
LET_GO_FACTOR: Final = 2.0


class SubmitRecovery:
    """One per worker."""

    def __init__(
        self,
        notes: SubmitNotes,
        keys: KeyRing,
        slots: AccountSlots,
        wire: JobWire,
        shelf: ResultShelf,
        clock: Clock,
    ) -> None:
        self.notes = notes
        self._keys = keys
        self._slots = slots
        self._wire = wire
        self._shelf = shelf
        self._clock = clock

    @staticmethod
    def can_look_up(visit: Visit, submit: Submission) -> bool:
        """Whether the vendor can tell a submit that arrived from one that did not."""
        route = visit.route(submit.provider)
        return isinstance(route.provider, JobProvider) and route.provider.lookup_request(route.call) is not None

    def look_up(self, visit: Visit, known: Submission) -> VendorJob | MediaJob:
        """Ask the vendor: the job it has, or what to do instead."""
        job, route = visit.job, visit.route(known.provider)
        if not isinstance(route.provider, JobProvider):
            raise TypeError(f"{known.provider} has nothing to look up")
        if self._clock.now() >= job.expires_at:
            return self.let_go(visit, expiring(job, cost_usd=route.offer.cost_usd), known)
        key = pinned_key(self._keys, route.provider.vendor, known.key_id, known.account)
        if key is None:
            return self.ambiguous(visit, known)
        answer = self._wire.look_up(route.provider, route.call, key, deadline=visit.worker_ends_at)
        logger.info("looked up", extra={"request_id": job.request_id, "answer": type(answer).__name__})
        if isinstance(answer, Accepted):
            return self.accepted(visit, known, answer)
        if isinstance(answer, Absent):
            self.notes.write(visit, known.model_copy(update={"absences": known.absences + 1}))
        return waiting(job, NextStep.WAIT_TO_SUBMIT, LOOKUP_PAUSE_SECONDS)

    def ambiguous(self, visit: Visit, known: Submission) -> MediaJob:
        """Perhaps paid, and nobody can tell: adopt what was stored, else do as the publisher wishes."""
        job = visit.job
        found = self._shelf.find(prefix_of(job.request.kind, job.received_at, job.request_id))
        if found is not None:
            return bought(job, found)
        if job.request.on_ambiguous is OnAmbiguous.RESUBMIT:
            self.notes.write(visit, known.model_copy(update={"state": SubmitState.NOT_SENT}))
            logger.warning("submitting again, as the request allows", extra={"request_id": job.request_id})
            return waiting(job, NextStep.WAIT_TO_SUBMIT, 1)
        failure = Failure(Outcome.TIMEOUT_SENT, _cause(job), "no usable answer came back")
        return self.let_go(visit, ending(job, JobStatus.FAILED, failure_error(failure, ambiguous=True)), known)

    def accepted(self, visit: Visit, sent: Submission, answer: Accepted) -> VendorJob:
        """Record that the vendor has it; should the job have been settled meanwhile, stop it at the vendor's again.

        Raises:
            Overtaken: It had been settled.
        """
        facts = {"answered_at": milliseconds(self._clock.now()), "task": dict(answer.task)}
        after = sent.model_copy(update={"state": SubmitState.ACCEPTED, **facts})
        try:
            self.notes.write(visit, after)
        except Overtaken:
            self._stop(visit, after)
            raise
        return vendor_job(after)

    def let_go(self, visit: Visit, job: MediaJob, known: Submission) -> MediaJob:
        """The vendor may be at work on it all the same, and counts it."""
        route = visit.route(known.provider)
        seconds = LET_GO_FACTOR * route.call.model.typical_seconds
        self._slots.leave(route.provider.vendor, known.account, job.request_id, seconds=seconds)
        return job

    def _stop(self, visit: Visit, submit: Submission) -> None:
        job, provider, deadline = visit.job, visit.route(submit.provider).provider, visit.worker_ends_at
        key = pinned_key(self._keys, provider.vendor, submit.key_id, submit.account)
        can = key is not None and isinstance(provider, JobProvider)
        stopped = can and self._wire.cancel(provider, submit.task, key, deadline=deadline)  # type: ignore[arg-type]
        logger.warning("accepted for a job already settled", extra={"request_id": job.request_id, "stopped": stopped})
        if stopped:
            self._slots.release(provider.vendor, submit.account, job.request_id)
        else:
            self.let_go(visit, job, submit)


def _cause(job: MediaJob) -> str:
    """The code of the lost answer, where this execution saw it lost; a worker that died left none."""
    last = job.attempts[-1] if job.attempts else None
    lost = last is not None and last.outcome.follow is Follow.AMBIGUOUS
    return (last.code if last and lost else None) or "worker_lost"
