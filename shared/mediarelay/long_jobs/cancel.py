"""Cancel a job for its publisher: stop its execution, stop it at the vendor where that is possible, settle it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from mediarelay.job_records.contract import JobRecord, job_key
from mediarelay.keys.pools import KeyPools
from mediarelay.long_jobs.assembly import LongJobFunctions
from mediarelay.long_jobs.execution_state import ExecutionState, NextStep
from mediarelay.long_jobs.ports import Executions, MediaJobStore
from mediarelay.long_jobs.start import LONG_KINDS, names
from mediarelay.long_jobs.submit.notes import vendor_job
from mediarelay.long_jobs.transitions import ending
from mediarelay.providers.listing import ListedProvider
from mediarelay.serving.attempts import milliseconds
from mediarelay.serving.job_errors import cancelled_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, Kind, SubmitState

logger = logging.getLogger(__name__)


class JobCanceller:
    """Cancels jobs. A job that is settled, or never was, is left alone."""

    def __init__(
        self,
        jobs: MediaJobStore,
        executions: Executions,
        keys: KeyPools,
        long_jobs: LongJobFunctions,
        *,
        providers: Mapping[str, ListedProvider],
        clock: Clock,
    ) -> None:
        """`providers` are all that the deployment knows."""
        self._jobs = jobs
        self._executions = executions
        self._keys = keys
        self._long_jobs = long_jobs
        self._providers = providers
        self._clock = clock

    def cancel(self, request_id: str, *, tenant: str | None = None, worker_ends_at: float) -> None:
        """Cancel one job of that tenant, or all jobs of a request with strategy `all`.

        Raises:
            RequestRejected: There is no such job, or it is not of a kind that can be cancelled.
            StoreUnavailable: Not done; the message comes again.
        """
        records = [self._jobs.get(job_id) for job_id in self._job_ids(request_id, tenant)]
        mine = [record for record in records if record is not None and record.tenant == tenant]
        if not mine:
            raise RequestRejected("unknown_job", f"cancel: there is no job {request_id} of this tenant")
        for record in mine:
            if not record.branches:  # its jobs are among the others
                self._cancel(record, worker_ends_at)

    def _job_ids(self, request_id: str, tenant: str | None) -> Iterator[str]:
        """Yield the job's own id, and those of the jobs that strategy `all` would have made of it.

        And as a version that knew no tenants would have named them.
        """
        kinds = {*LONG_KINDS, Kind.TTS}
        for key in dict.fromkeys((job_key(request_id, tenant), request_id)):
            yield key
            yield from (f"{key}#{name}" for name, each in self._providers.items() if each.kind in kinds)

    def _cancel(self, record: JobRecord, worker_ends_at: float) -> None:
        request_id = record.request_id
        if record.status.settled:
            logger.info("nothing to cancel", extra={"request_id": request_id, "status": record.status})
            return
        if record.claim_id is not None or record.kind not in {*LONG_KINDS, Kind.TTS}:
            raise RequestRejected("not_cancellable", f"cancel: {request_id} is not of those that take minutes")
        # Noted first: a worker that sees the stopped execution before the job is settled must know why it stopped.
        if not self._jobs.note_cancel(request_id, milliseconds(self._clock.now())):
            return
        if record.kind is Kind.TTS:
            return  # its parts stop by that, and its execution counts and settles what was bought
        job = self._stopped(record)
        # A submit may have been accepted since the record was read: what it says now is stopped, and counted.
        record = self._jobs.get(request_id) or record
        self._keys.refresh()
        job = _as_recorded(job, record)
        try:
            job = self._long_jobs.poller.cancel(job, deadline=worker_ends_at)
        except StoreUnavailable:
            raise
        except Exception:
            # A fault of ours: the execution is stopped, so that nobody else would ever settle the job.
            self._settle(job, worker_ends_at)
            raise
        self._settle(job, worker_ends_at)

    def _settle(self, job: ExecutionState, worker_ends_at: float) -> None:
        end = ending(job, JobStatus.FAILED, cancelled_error())
        end = end.model_copy(update={"next": NextStep.SETTLE})
        self._long_jobs.settler.settle(end, worker_ends_at=worker_ends_at, resumes=False)

    def _stopped(self, record: JobRecord) -> ExecutionState:
        """Stop the job's execution. Returns the job as it was started."""
        opened_at = record.claimed_at or 0
        for name in names(record.request_id, opened_at):
            found = self._executions.find(name)
            if found is not None and (job := ExecutionState.from_state(dict(found.state))).opened_at == opened_at:
                self._executions.stop(name, error="cancelled", cause="cancelled by its publisher")
                return job
        raise StoreUnavailable("state machine", "find the job's execution", "it has not been started yet")


def _as_recorded(job: ExecutionState, record: JobRecord) -> ExecutionState:
    """Return the job with the vendor that has accepted it and the purchases, of which its cancelling ends the last."""
    submit = record.submit
    accepted = submit is not None and submit.state is SubmitState.ACCEPTED
    vendor = vendor_job(submit) if submit and accepted else None
    return job.model_copy(update={"vendor": vendor, "purchases": record.purchases})
