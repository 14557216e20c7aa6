"""Bring a job to its end: fetch what was bought, write the record once, return its slot."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Final

from mediarelay.job_records.claims import Settlement
from mediarelay.job_records.contract import JobError, JobRecord
from mediarelay.job_records.job_spec import merged
from mediarelay.long_jobs.account_slots import AccountSlots
from mediarelay.long_jobs.attempt_log import JobLog
from mediarelay.long_jobs.execution_state import ExecutionEnd, ExecutionState, FoundResult, NextStep, VendorJob
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_jobs.submit.notes import vendor_job
from mediarelay.long_jobs.transfer.transfer import Transfer, Wanted
from mediarelay.long_jobs.transitions import done, next_provider, waiting
from mediarelay.providers.api import JobProvider
from mediarelay.results.result_store import NotWhatWasAsked, prefix_of
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import milliseconds
from mediarelay.serving.job_errors import expired_error, lost_execution_error, unfetched_error
from mediarelay.vocabulary.backoff import Growth
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.kinds import JobStatus, SubmitState
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.retrying import retry_until

logger = logging.getLogger(__name__)

# A result that cannot be fetched is tried ever more rarely; hourly tries for a month fit an execution's history.
RETRY: Final = Growth(base=5.0, cap=3600.0)
SETTLE_SECONDS: Final = 5.0


class JobSettler:
    """Settles jobs. One per worker."""

    def __init__(
        self,
        jobs: MediaJobStore,
        router: Router,
        slots: AccountSlots,
        transfer: Transfer,
        log: JobLog,
        *,
        share: Callable[[str, Settlement], None],
        clock: Clock,
    ) -> None:
        """`share` lets others have what was bought, by the key of what was asked for."""
        self._jobs = jobs
        self._router = router
        self._slots = slots
        self._transfer = transfer
        self._log = log
        self._share = share
        self._clock = clock

    def settle(
        self, job: ExecutionState, *, worker_ends_at: float, failure: Mapping[str, str] | None = None
    ) -> ExecutionState:
        """Settle the job, or say when to try to fetch its result again.

        Args:
            job: With an end or a found result; with neither, it is settled by its *failure*.
            worker_ends_at: Unix seconds.
            failure: What the state machine caught: `Error` and `Cause`.

        Raises:
            StoreUnavailable: The record could not be written.
        """
        record = self._jobs.get(job.request_id)
        if record is None or record.status.settled:
            self._give_back(job, record)
            return done(job)
        if job.ending is None and record.cancelled_at is not None:
            return done(job)  # the message that cancelled it comes again until the job is settled by it
        if job.ending is None and failure is None and job.result is not None:
            job = self._fetched(job, job.result, worker_ends_at)
        elif job.ending is None:
            job = job.model_copy(update={"ending": self._caught(job, failure or {})})
        if job.ending is None:
            return job
        return self._close(job, job.ending, record, worker_ends_at)

    def _close(
        self, job: ExecutionState, end: ExecutionEnd, record: JobRecord, worker_ends_at: float
    ) -> ExecutionState:
        if job.vendor is not None and job.result is not None and end.status is JobStatus.SUCCEEDED:
            job = self._log.completed(job, job.vendor, Outcome.DELIVERED, status=200, cost_usd=end.cost_usd)
        settlement = self._settlement(job, end, record)
        settled = retry_until(lambda: self._jobs.settle_media(settlement), clock=self._clock, until=worker_ends_at)
        facts = {"request_id": job.request_id, "status": end.status, "provider": end.provider}
        logger.info("settled" if settled else "settled by another", extra=facts)
        if settled and job.reuse_key is not None:
            self._share(job.reuse_key, settlement)
        self._give_back(job, record)
        return done(job)

    # --- the result -----------------------------------------------------------------------------------------------

    def _fetched(self, job: ExecutionState, result: FoundResult, worker_ends_at: float) -> ExecutionState:
        """Fetch the result. Returns the job with an end, or waiting for a further try: nothing is bought twice."""
        if job.vendor is None:
            raise TypeError("a result without a vendor")
        try:
            outputs = [
                self._transfer.fetch(
                    self._wanted(job, job.vendor, result, index), deadline=worker_ends_at - SETTLE_SECONDS
                )
                for index in range(len(result.urls))
            ]
        except Unreachable as error:
            return self._later(job, result, str(error))
        except NotWhatWasAsked as error:
            if error.page:  # some host's, in the place of the result
                return self._later(job, result, str(error))
            return self._in_vain(job, job.vendor, result, str(error))
        end = ExecutionEnd(
            status=JobStatus.SUCCEEDED,
            outputs=outputs,
            cost_usd=result.cost_usd,
            provider=job.vendor.provider,
            model=job.vendor.model,
        )
        return job.model_copy(update={"ending": end})

    def _in_vain(self, job: ExecutionState, vendor: VendorJob, result: FoundResult, reason: str) -> ExecutionState:
        """Leave a file that is something else for good: it is paid for, and would be the same at every further try."""
        failure = Failure(Outcome.UNUSABLE_DELIVERY, "wrong_media", reason, 200, cost_usd=result.cost_usd)
        noted = self._log.completed(job, vendor, failure.outcome, failure=failure)
        return next_provider(noted, vendor.provider, failure)

    def _later(self, job: ExecutionState, result: FoundResult, reason: str) -> ExecutionState:
        pause = RETRY.ceiling(result.tries)
        logger.warning("result not fetched", extra={"request_id": job.request_id, "reason": reason, "again_in": pause})
        if self._clock.now() + pause < result.fetch_until:
            tried = result.model_copy(update={"tries": result.tries + 1})
            return waiting(job.model_copy(update={"result": tried}), NextStep.WAIT_TO_SETTLE, pause)
        error = unfetched_error(result.urls, reason)
        return job.model_copy(update={"ending": _failed(job, error)})

    def _wanted(self, job: ExecutionState, vendor: VendorJob, result: FoundResult, index: int) -> Wanted:
        provider = self._router.provider(vendor.provider)
        hosts = provider.media_hosts if isinstance(provider, JobProvider) else ()
        prefix = prefix_of(job.request.kind, job.received_at, job.request_id)
        facts = {
            "provider": vendor.provider,
            "model": vendor.model,
            "key-id": vendor.key_id,
            "cost-usd": f"{result.cost_usd:.6f}",
        }
        return Wanted(
            url=result.urls[index],
            hosts=hosts,
            formats=result.formats,
            key=lambda format_: f"{prefix}{vendor.provider}-{index}.{format_}",
            facts=facts,
        )

    # --- the record -----------------------------------------------------------------------------------------------

    def _caught(self, job: ExecutionState, failure: Mapping[str, str]) -> ExecutionEnd:
        """Return the end of a job whose execution met an error that only leaves settling it."""
        name = failure.get("Error", "nothing to settle")
        self._log.caught(job, name, _cause(failure))
        if job.result is not None:
            error = unfetched_error(job.result.urls, name)
            return _failed(job, error)
        if self._clock.now() >= job.expires_at:
            error = expired_error(job.expires_at, job.received_at, job.attempts)
            return ExecutionEnd(
                status=JobStatus.EXPIRED, error=error, provider=job.vendor.provider if job.vendor else None
            )
        return _failed(job, lost_execution_error(name))

    def _settlement(self, job: ExecutionState, end: ExecutionEnd, record: JobRecord) -> Settlement:
        now = milliseconds(self._clock.now())
        return Settlement(
            request_id=job.request_id,
            claim_id="",
            status=end.status,
            settled_at=now,
            latency_ms=now - job.opened_at,
            queue_ms=max(0, job.opened_at - job.received_at),
            provider=end.provider,
            model=end.model,
            attempts=job.attempts,
            outputs=end.outputs,
            purchases=merged(record.purchases, job.purchases or ()),
            error=end.error,
            warnings=self._warnings(end),
        )

    def _warnings(self, end: ExecutionEnd) -> list[str]:
        if end.provider is None or end.model is None:
            return []
        warning = self._router.warning(end.provider, end.model, now=self._clock.now())
        return [warning] if warning else []

    def _give_back(self, job: ExecutionState, record: JobRecord | None) -> None:
        """Return the slot of a job that is over at the vendor; that of one that may go on there lapses by itself."""
        vendor = job.vendor
        if vendor is None and record is not None and record.submit is not None:
            vendor = vendor_job(record.submit) if record.submit.state is SubmitState.ACCEPTED else None
        over = job.result is not None or (job.ending is not None and job.ending.status is JobStatus.SUCCEEDED)
        if vendor is not None and over:
            self._slots.release(self._router.provider(vendor.provider).vendor, vendor.account, job.request_id)


def _failed(job: ExecutionState, error: JobError) -> ExecutionEnd:
    provider = job.vendor.provider if job.vendor else None
    return ExecutionEnd(status=JobStatus.FAILED, error=error, provider=provider)


def _cause(failure: Mapping[str, str]) -> str:
    """Return a function's own message, without its stack trace: that is in the function's log, redacted."""
    try:
        return str(json.loads(failure.get("Cause", "")).get("errorMessage", ""))[:300]
    except (ValueError, AttributeError):
        return failure.get("Cause", "")[:300]
