"""What happens to a submit whose answer was lost or came too late: found again, given up, or stopped at the vendor."""

from __future__ import annotations

import logging

from mediarelay.job_records.contract import Submission
from mediarelay.job_records.job_spec import perhaps_paid
from mediarelay.keys.pinned import pinned_key
from mediarelay.keys.pool import KeyEntry
from mediarelay.keys.pools import KeyPools
from mediarelay.long_jobs.account_slots import LET_GO_FACTOR, AccountSlots
from mediarelay.long_jobs.execution_state import ExecutionState, NextStep, VendorJob
from mediarelay.long_jobs.submit.notes import RecordChanged, SubmitNotes, SubmitRun, bought, vendor_job
from mediarelay.long_jobs.submit.resumption import LOOKUP_PAUSE_SECONDS, LOOKUP_TROUBLE, LOOKUPS
from mediarelay.long_jobs.transitions import ending, expiring, waiting
from mediarelay.long_jobs.vendor_client import VendorJobClient
from mediarelay.providers.api import Absent, Accepted, JobProvider
from mediarelay.results.result_store import ResultStore
from mediarelay.serving.attempts import milliseconds
from mediarelay.serving.failover import PAID_IN_VAIN
from mediarelay.serving.job_errors import failure_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, OnAmbiguous, SpendingState, SubmitState
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome

logger = logging.getLogger(__name__)


class SubmitRecovery:
    """Recovers submits. One per worker."""

    def __init__(
        self,
        notes: SubmitNotes,
        keys: KeyPools,
        slots: AccountSlots,
        vendor_client: VendorJobClient,
        result_store: ResultStore,
        clock: Clock,
    ) -> None:
        self.notes = notes
        self._keys = keys
        self._slots = slots
        self._vendor_client = vendor_client
        self._result_store = result_store
        self._clock = clock

    @staticmethod
    def can_look_up(run: SubmitRun, submit: Submission) -> bool:
        """Tell whether the vendor can tell a submit that arrived from one that did not."""
        route = run.route(submit.provider)
        return isinstance(route.provider, JobProvider) and route.provider.lookup_request(route.call) is not None

    def look_up(self, run: SubmitRun, known: Submission) -> VendorJob | ExecutionState:
        """Ask the vendor whether the submit arrived. Returns the job it has, or the state with what to do instead."""
        job, route = run.job, run.route(known.provider)
        if not isinstance(route.provider, JobProvider):
            raise TypeError(f"{known.provider} has nothing to look up")
        key = pinned_key(self._keys, route.provider.vendor, known.key_id, known.account)
        if key is None:
            return self.ambiguous(run, known)
        answer = self._vendor_client.look_up(route.provider, route.call, key, deadline=run.worker_ends_at)
        logger.info("looked up", extra={"request_id": job.request_id, "answer": type(answer).__name__})
        if isinstance(answer, Accepted):
            return self.accepted(run, known, answer, key.entry)
        if isinstance(answer, Absent):
            # A vendor may show a task late: only when it is absent once more is it sure that nothing was bought.
            absences = known.absences + 1
            state = SpendingState.NOT_CHARGED if absences >= LOOKUPS else SpendingState.UNKNOWN
            known = self.notes.write(run, known.model_copy(update={"absences": absences}), state)
            pause = LOOKUP_PAUSE_SECONDS
        else:
            pause, job = LOOKUP_TROUBLE.ceiling(job.submits), job.model_copy(update={"submits": job.submits + 1})
        left = job.expires_at - self._clock.now()
        if left <= 0:
            return self.let_go(run, expiring(job), known)
        return waiting(job, NextStep.WAIT_TO_SUBMIT, min(pause, left))

    def ambiguous(self, run: SubmitRun, known: Submission) -> ExecutionState:
        """Settle a submit that may have been paid for: adopt what was stored, else do as the publisher wishes."""
        job = run.job
        found = self._result_store.find(run.folder)
        if found is not None:
            run.purchases = run.spent(known, SpendingState.CHARGED, found.cost_usd)
            return bought(job, found)
        run.purchases = run.spent(known, SpendingState.UNKNOWN)
        again = job.request.on_ambiguous is OnAmbiguous.RESUBMIT and perhaps_paid(run.purchases) < PAID_IN_VAIN
        if again and _taken(job):
            left = [name for name in job.providers if name != known.provider]
            again, job = bool(left), job.model_copy(update={"providers": left or job.providers})
        again = again and not all(map(run.too_dear, job.providers))
        if again:
            self.notes.write(run, known.model_copy(update={"state": SubmitState.NOT_SENT}), SpendingState.UNKNOWN)
            logger.warning("submitting again, as the request allows", extra={"request_id": job.request_id})
            return self.let_go(run, waiting(job, NextStep.WAIT_TO_SUBMIT, 1), known)
        failure = Failure(Outcome.TIMEOUT_SENT, _cause(job), "no usable answer came back")
        return self.let_go(run, ending(job, JobStatus.FAILED, failure_error(failure, ambiguous=True)), known)

    def accepted(self, run: SubmitRun, sent: Submission, answer: Accepted, entry: KeyEntry) -> VendorJob:
        """Record that the vendor has the job; if it was settled meanwhile, stop it at the vendor.

        Where the table does not answer, the execution alone knows the vendor's references until it can tell the record.

        Raises:
            RecordChanged: It had been settled.
        """
        facts = {"answered_at": milliseconds(self._clock.now()), "task": dict(answer.task)}
        after = sent.model_copy(update={"state": SubmitState.ACCEPTED, **facts})
        try:
            self.notes.write(run, after, SpendingState.UNKNOWN)
        except RecordChanged:
            self._stop(run, after)
            raise
        except StoreUnavailable as error:
            logger.warning("acceptance not recorded: %s", error, extra={"request_id": run.job.request_id})
            return vendor_job(after).model_copy(update={"unrecorded": sent.sent_at})
        self._slots.keep(entry, run.job)
        return vendor_job(after)

    def let_go(self, run: SubmitRun, job: ExecutionState, known: Submission) -> ExecutionState:
        """Give a submit up. The vendor may still run it, and counts it."""
        route = run.route(known.provider)
        seconds = LET_GO_FACTOR * route.call.model.typical_seconds
        self._slots.leave(route.provider.vendor, known.account, job.request_id, seconds=seconds)
        return job

    def _stop(self, run: SubmitRun, submit: Submission) -> None:
        job, provider, deadline = run.job, run.route(submit.provider).provider, run.worker_ends_at
        key = pinned_key(self._keys, provider.vendor, submit.key_id, submit.account)
        stopped = False
        if key is not None and isinstance(provider, JobProvider):
            stopped = self._vendor_client.cancel(provider, submit.task, key, deadline=deadline)
        logger.warning("accepted for a job already settled", extra={"request_id": job.request_id, "stopped": stopped})
        if stopped:
            self._slots.release(provider.vendor, submit.account, job.request_id)
        else:
            self.let_go(run, job, submit)


def _taken(job: ExecutionState) -> bool:
    """Tell whether the answer that was lost last had begun as a success: that provider is not asked again."""
    last = job.attempts[-1] if job.attempts else None
    return last is not None and Failure(last.outcome, "", status=last.status).taken


def _cause(job: ExecutionState) -> str:
    """Return the code of the lost answer, if this execution saw it lost; a worker that died left none."""
    last = job.attempts[-1] if job.attempts else None
    lost = last is not None and last.outcome.follow is Follow.AMBIGUOUS
    return (last.code if last and lost else None) or "worker_lost"
