"""Cancel a job for its publisher: stop its execution, stop it at the vendor where that is possible, settle it.

A job that waits for its next delivery is settled at once. What has not come yet is awaited with a note under its key.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Final

from mediarelay.job_records.claims import CANCELLED, Settlement
from mediarelay.job_records.contract import JobRecord, Submission
from mediarelay.job_records.job_spec import job_key, lost
from mediarelay.keys.pools import KeyPools
from mediarelay.long_jobs.assembly import LongJobFunctions
from mediarelay.long_jobs.execution_state import ExecutionState, NextStep
from mediarelay.long_jobs.ports import Executions, MediaJobStore
from mediarelay.long_jobs.start import names
from mediarelay.long_jobs.submit.notes import vendor_job
from mediarelay.long_jobs.transitions import ending
from mediarelay.providers.listing import ListedProvider
from mediarelay.request.bounds import plain_key
from mediarelay.serving.attempts import milliseconds
from mediarelay.serving.job_errors import cancelled_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.kinds import LONG_KINDS, JobStatus, Kind, SubmitState
from mediarelay.vocabulary.retrying import retry_until

logger = logging.getLogger(__name__)

# So long a request that was cancelled before it came may still come; longer than one that is received again and again.
AWAITED_SECONDS: Final = 3600


class JobCanceller:
    """Cancels jobs. A job that is settled is left alone."""

    def __init__(
        self,
        jobs: MediaJobStore,
        executions: Executions,
        speeches: Executions,
        keys: KeyPools,
        long_jobs: LongJobFunctions,
        *,
        providers: Mapping[str, ListedProvider],
        clock: Clock,
    ) -> None:
        """`speeches` are the executions of long texts, `providers` all that the deployment knows."""
        self._jobs = jobs
        self._executions = executions
        self._speeches = speeches
        self._keys = keys
        self._long_jobs = long_jobs
        self._providers = providers
        self._clock = clock

    def cancel(self, request_id: str, *, tenant: str | None = None, worker_ends_at: float) -> None:
        """Cancel one job of that tenant, or all jobs of a request with strategy `all`.

        Raises:
            RequestRejected: The job is another tenant's, or a worker serves it at this moment.
            StoreUnavailable: Not done; the message comes again.
        """
        records = [self._jobs.get(job_id) for job_id in self._job_ids(request_id, tenant)]
        mine = [record for record in records if record is not None and record.tenant == tenant]
        if not mine:
            self._await_request(job_key(request_id, tenant), tenant)
        for record in mine:
            if record.branches:  # its jobs are among the others, or will be
                begun = {each.request_id for each in mine}
                branches = {f"{record.request_id}#{name}" for name in record.branches}
                for job_id in sorted(branches - begun):
                    self._await_request(job_id, tenant)
            elif not record.awaits_request:
                self._cancel(record, worker_ends_at)

    def _await_request(self, job_id: str, tenant: str | None) -> None:
        """Leave a note for a request that has not come, as one may that was published before; it ends by that."""
        now = self._clock.now()
        ttl = round(now) + AWAITED_SECONDS
        if self._jobs.await_request(job_id, milliseconds(now), tenant=tenant, ttl=ttl):
            logger.info("cancelled before it came", extra={"request_id": job_id})
            return
        record = self._jobs.get(job_id)
        if record is not None and record.tenant != tenant:
            raise RequestRejected("unknown_job", f"cancel: there is no job {plain_key(job_id)} of this tenant")
        raise StoreUnavailable("jobs table", "cancel a job", "it has just begun")

    def _job_ids(self, request_id: str, tenant: str | None) -> Iterator[str]:
        """Yield the job's own id, and those of the jobs that strategy `all` would have made of it.

        And as a version that knew no tenants would have named them.
        """
        for key in dict.fromkeys((job_key(request_id, tenant), request_id)):
            yield key
            yield from (f"{key}#{name}" for name in self._providers)

    def _cancel(self, record: JobRecord, worker_ends_at: float) -> None:
        request_id = record.request_id
        if record.status.settled:
            logger.info("nothing to cancel", extra={"request_id": request_id, "status": record.status})
            return
        # Noted first: a worker that sees the stopped execution before the job is settled must know why it stopped.
        if not self._jobs.note_cancel(request_id, milliseconds(self._clock.now())):
            record = self._jobs.get(request_id) or record
            if record.status.settled:
                return
            reason = f"cancel: a worker serves {plain_key(request_id)} at this moment"
            raise RequestRejected("not_cancellable", reason)
        if record.noted:
            record = self._jobs.get(request_id) or record
            if record.noted:  # its message comes, and finds it cancelled
                logger.info("cancelled before it was begun", extra={"request_id": request_id})
                return
        if record.kind not in LONG_KINDS:
            self._waiting(record, worker_ends_at)
            return
        name, job = self._execution(record)
        try:
            self._executions.stop(name, error=CANCELLED, cause="cancelled by its publisher")
            # A submit may have been accepted since the record was read: what it says now is stopped, and counted.
            record = self._jobs.get(request_id) or record
            job = job.model_copy(update={"purchases": record.purchases})
            self._keys.refresh()
            job = self._stopped_at_vendor(job, record.submit, worker_ends_at)
            self._settle(job, worker_ends_at)
        except StoreUnavailable:
            raise
        except Exception:
            # A fault of ours: the execution is stopped, so that nobody else would ever settle the job.
            self._settle(job, worker_ends_at)
            raise

    def _stopped_at_vendor(self, job: ExecutionState, submit: Submission | None, deadline: float) -> ExecutionState:
        """Stop what a vendor has of the job, looked up where its answer was lost. Returns what became of the purchase.

        A submit that is under way at this moment is stopped by its own worker, whose note is refused.
        """
        if submit is None or submit.state is SubmitState.NOT_SENT:
            return job
        poller, vendor = self._long_jobs.poller, vendor_job(submit)
        if submit.state is SubmitState.SENT_UNKNOWN:
            found = poller.look_up(job, submit, deadline=deadline)
            if found is None:
                return job
            vendor = found
        return poller.cancel(job.model_copy(update={"vendor": vendor}), deadline=deadline)

    def _waiting(self, record: JobRecord, worker_ends_at: float) -> None:
        """End a job that waits for its next delivery, which finds it settled; or a long text, by its execution."""
        for name in names(record.request_id, record.claimed_at or 0) if record.kind is Kind.TTS else ():
            found = self._speeches.find(name)
            if found is not None and found.state["job"]["opened_at"] == record.claimed_at:
                # What was bought is counted when the execution has ended, by what hears of that.
                if not self._speeches.stop(name, error=CANCELLED, cause="cancelled by its publisher"):
                    raise StoreUnavailable("state machine", "stop the job's execution", "it is coming to its end")
                return
        if record.claim_id is None:
            raise StoreUnavailable("state machine", "find the job's execution", "it has not been started yet")
        now = milliseconds(self._clock.now())
        error, bought = cancelled_error(), lost(record.purchases)
        end = Settlement(
            record.request_id,
            record.claim_id,
            JobStatus.FAILED,
            now,
            latency_ms=now - (record.claimed_at or now),
            queue_ms=max(0, (record.claimed_at or now) - record.received_at),
            provider=record.attempts[-1].provider if record.attempts else None,
            attempts=record.attempts,
            purchases=bought,
            error=error,
            interruptions=record.interruptions,
            earmark=record.earmark,
        )
        retry_until(lambda: self._jobs.settle_media(end), clock=self._clock, until=worker_ends_at)

    def _settle(self, job: ExecutionState, worker_ends_at: float) -> None:
        end = ending(job, JobStatus.FAILED, cancelled_error())
        end = end.model_copy(update={"next": NextStep.SETTLE})
        self._long_jobs.settler.settle(end, worker_ends_at=worker_ends_at, resumes=False)

    def _execution(self, record: JobRecord) -> tuple[str, ExecutionState]:
        """Return the name of the job's execution, and the job as it was started."""
        opened_at = record.claimed_at or 0
        for name in names(record.request_id, opened_at):
            found = self._executions.find(name)
            if found is not None and (job := ExecutionState.from_state(dict(found.state))).opened_at == opened_at:
                return name, job
        raise StoreUnavailable("state machine", "find the job's execution", "it has not been started yet")
