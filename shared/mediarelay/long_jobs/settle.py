"""Bring a job to its end: fetch what was bought, write the record once, return its slot."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from mediarelay.job_records.claims import Settlement
from mediarelay.job_records.contract import JobError, JobRecord
from mediarelay.job_records.job_spec import merged
from mediarelay.long_jobs.account_slots import GRACE_SECONDS, LET_GO_FACTOR, AccountSlots
from mediarelay.long_jobs.attempt_log import JobLog
from mediarelay.long_jobs.execution_state import ExecutionEnd, ExecutionState, FoundResult, NextStep, VendorJob
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_jobs.submit.notes import vendor_job
from mediarelay.long_jobs.transfer.transfer import Transfer, Wanted
from mediarelay.long_jobs.transitions import done, ending, next_provider, until_back, waiting
from mediarelay.providers.api import JobProvider
from mediarelay.results.result_store import NotWhatWasAsked, prefix_of
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import milliseconds
from mediarelay.serving.job_errors import cancelled_error, expired_error, lost_execution_error, unfetched_error
from mediarelay.vocabulary.backoff import RESCUE, RESCUES, Growth, outage_wait
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, SubmitState
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.retrying import retry_until

# Only for annotations: a job that is as it should be is not asked for here.
if TYPE_CHECKING:
    from mediarelay.long_jobs.poll import JobPoller

logger = logging.getLogger(__name__)

# A result that cannot be fetched is tried ever more rarely; hourly tries for a month fit an execution's history.
RETRY: Final = Growth(base=5.0, cap=3600.0)
SETTLE_SECONDS: Final = 5.0


@frozen
class SettleParts:
    """What a job is settled with; `poller` is made for one that is not as it should be."""

    slots: AccountSlots
    transfer: Transfer
    log: JobLog
    poller: Callable[[], JobPoller]


class JobSettler:
    """Settles jobs. One per worker."""

    def __init__(
        self,
        jobs: MediaJobStore,
        router: Router,
        parts: SettleParts,
        *,
        share: Callable[[str, Settlement], None],
        clock: Clock,
    ) -> None:
        """`share` lets others have what was bought, by the key of what was asked for."""
        self._jobs = jobs
        self._router = router
        self._slots = parts.slots
        self._transfer = parts.transfer
        self._log = parts.log
        self._poller = parts.poller
        self._share = share
        self._clock = clock

    def settle(
        self,
        job: ExecutionState,
        *,
        worker_ends_at: float,
        failure: Mapping[str, str] | None = None,
        resumes: bool = True,
    ) -> ExecutionState:
        """Settle the job, or say what to wait for: for its result, or for a store of ours.

        Args:
            job: With an end or a found result; with neither, something went wrong, and what was bought is looked after.
            worker_ends_at: Unix seconds.
            failure: What the state machine caught: `Error` and `Cause`.
            resumes: Whether the execution goes on with what is returned; else the job ends here and now.

        Raises:
            StoreUnavailable: A store did not answer, and the execution does not go on.
        """
        if failure is not None:
            self._log.caught(job, failure.get("Error", ""), _cause(failure))
            job = job.model_copy(update={"caught": (job.caught or 0) + 1})
        try:
            record = self._jobs.get(job.request_id)
        except StoreUnavailable as error:
            return self._put_off(job, error, resumes=resumes)
        if record is None or record.status.settled:
            return self._over(job, record, resumes=resumes)
        if record.cancelled_at is not None:
            if job.ending is None and job.result is None:
                return done(job)  # the message that cancelled it comes again until the job is settled by it
            job = ending(job, JobStatus.FAILED, cancelled_error())
        too_often = (job.caught or 0) > RESCUES
        if job.ending is None and not too_often:
            if failure is not None and resumes:
                return self._resumed(job, record)
            job = self._seen_to(job, record, worker_ends_at, resumes=resumes)
        if job.ending is None and (too_often or not resumes):
            job = job.model_copy(update={"vendor": job.vendor or _accepted(job, record)})
            try:
                job = self._given_up(job, (failure or {}).get("Error", "an error of ours"), worker_ends_at)
            except StoreUnavailable as error:
                return self._put_off(job, error, resumes=resumes)
        return job if job.ending is None else self._close(job, job.ending, record, worker_ends_at, resumes=resumes)

    def _close(
        self, job: ExecutionState, end: ExecutionEnd, record: JobRecord, worker_ends_at: float, *, resumes: bool
    ) -> ExecutionState:
        settlement = self._settlement(job, end, record)
        until = min(worker_ends_at, self._clock.now() + SETTLE_SECONDS) if resumes else worker_ends_at
        try:
            settled = retry_until(lambda: self._jobs.settle_media(settlement), clock=self._clock, until=until)
        except StoreUnavailable as error:
            return self._put_off(job, error, resumes=resumes)
        facts = {"request_id": job.request_id, "status": end.status, "provider": end.provider}
        logger.info("settled" if settled else "settled by another", extra=facts)
        if settled and job.reuse_key is not None:
            self._share(job.reuse_key, settlement)
        if not settled and record.cancelled_at is None:  # settled since it was read, or cancelled
            return self.settle(job, worker_ends_at=worker_ends_at, resumes=resumes)
        return self._over(job, record, resumes=resumes)

    def _put_off(self, job: ExecutionState, error: StoreUnavailable, *, resumes: bool) -> ExecutionState:
        """Settle it when the store is back."""
        if not resumes:
            raise error
        logger.warning("settling put off: %s", error, extra={"request_id": job.request_id, "outages": job.outages})
        return until_back(job, NextStep.WAIT_TO_SETTLE, now=self._clock.now())

    # --- what went wrong ------------------------------------------------------------------------------------------

    @staticmethod
    def _resumed(job: ExecutionState, record: JobRecord) -> ExecutionState:
        """Go on after an error of ours: with what was bought where something was, else from the beginning."""
        bought = job.result is not None or job.vendor is not None or _accepted(job, record) is not None
        step = NextStep.WAIT_TO_SETTLE if bought else NextStep.WAIT_TO_SUBMIT
        return waiting(job, step, RESCUE.ceiling((job.caught or 1) - 1))

    def _seen_to(
        self, job: ExecutionState, record: JobRecord, worker_ends_at: float, *, resumes: bool
    ) -> ExecutionState:
        """Fetch the result, or ask the vendor for it where only that is known. Returns the job with an end, or on."""
        try:
            if job.result is None:
                job = self._asked(job, record, worker_ends_at)
            if job.result is not None and job.ending is None:
                return self._fetched(job, job.result, worker_ends_at, resumes=resumes)
        except StoreUnavailable as error:
            return self._put_off(job, error, resumes=resumes)
        except Exception as error:
            if resumes:
                raise
            logger.error("last resort failed", extra={"request_id": job.request_id, "error": type(error).__name__})  # noqa: TRY400 # the trace may hold a secret
        return job

    def _asked(self, job: ExecutionState, record: JobRecord, worker_ends_at: float) -> ExecutionState:
        """Ask the vendor how the job stands that the execution or the record knows of; the next time from here too."""
        vendor = job.vendor or _accepted(job, record)
        if vendor is None:
            return waiting(job, NextStep.WAIT_TO_SUBMIT, 1)
        job = job.model_copy(update={"vendor": vendor, "purchases": merged(record.purchases, job.purchases or ())})
        asked = self._poller().ask(job, worker_ends_at=worker_ends_at)
        if asked.ending is None and asked.result is None and asked.vendor is not None:
            return asked.model_copy(update={"next": NextStep.WAIT_TO_SETTLE})
        return asked

    def _given_up(self, job: ExecutionState, name: str, worker_ends_at: float) -> ExecutionState:
        """End a job after an error of ours, stopped at its vendor where that can be.

        Raises:
            StoreUnavailable: The keys, without which it cannot be stopped.
        """
        if job.result is not None:
            return _with_end(job, JobStatus.FAILED, unfetched_error(job.result.urls, name))
        if job.vendor is not None:
            try:
                job = self._poller().cancel(job, deadline=worker_ends_at - SETTLE_SECONDS)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 # whatever it is, the job has to end
                facts = {"request_id": job.request_id, "error": type(error).__name__}
                logger.error("not stopped at the vendor", extra=facts)  # noqa: TRY400 # as above
        if self._clock.now() >= job.expires_at:
            return _with_end(job, JobStatus.EXPIRED, expired_error(job.expires_at, job.received_at, job.attempts))
        return _with_end(job, JobStatus.FAILED, lost_execution_error(name))

    # --- the result -----------------------------------------------------------------------------------------------

    def _fetched(
        self, job: ExecutionState, result: FoundResult, worker_ends_at: float, *, resumes: bool
    ) -> ExecutionState:
        """Fetch the result. Returns the job with an end, or waiting for a further try: nothing is bought twice."""
        if job.vendor is None:
            raise TypeError("a result without a vendor")
        vendor = job.vendor
        try:
            outputs = [
                self._transfer.fetch(self._wanted(job, vendor, result, index), deadline=worker_ends_at - SETTLE_SECONDS)
                for index in range(len(result.urls))
            ]
        except StoreUnavailable as error:
            # The bucket's fault: no try at the host's is counted.
            now = self._clock.now()
            if now + outage_wait(job.outages or 0, now=now, deadline=job.expires_at) < result.fetch_until:
                return self._put_off(job, error, resumes=resumes)
            return _with_end(job, JobStatus.FAILED, unfetched_error(result.urls, str(error)))
        except Unreachable as error:
            return self._later(job, result, str(error))
        except NotWhatWasAsked as error:
            if error.page:  # some host's, in the place of the result
                return self._later(job, result, str(error))
            return self._in_vain(job, vendor, result, str(error))
        job = self._log.completed(job, vendor, Outcome.DELIVERED, status=200, cost_usd=result.cost_usd)
        end = ExecutionEnd(
            status=JobStatus.SUCCEEDED,
            outputs=outputs,
            cost_usd=result.cost_usd,
            provider=vendor.provider,
            model=vendor.model,
        )
        return job.model_copy(update={"ending": end, "next": NextStep.SETTLE, "outages": None})

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
            changes = {"result": tried, "outages": None}
            return waiting(job.model_copy(update=changes), NextStep.WAIT_TO_SETTLE, pause)
        return _with_end(job, JobStatus.FAILED, unfetched_error(result.urls, reason))

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
            earmark=record.earmark,
        )

    def _warnings(self, end: ExecutionEnd) -> list[str]:
        if end.provider is None or end.model is None:
            return []
        warning = self._router.warning(end.provider, end.model, now=self._clock.now())
        return [warning] if warning else []

    def _over(self, job: ExecutionState, record: JobRecord | None, *, resumes: bool) -> ExecutionState:
        """Finish a job that is settled. Its slots are returned first, unless they lapse before the table is back."""
        now = self._clock.now()
        lapsed = now >= job.expires_at + GRACE_SECONDS
        returned = self._give_back(job, record)
        return done(job) if returned or lapsed or not resumes else until_back(job, NextStep.WAIT_TO_SETTLE, now=now)

    def _give_back(self, job: ExecutionState, record: JobRecord | None) -> bool:
        """Return the slots of a job at its end; that of one that goes on at the vendor lapses when it is over there.

        Returns False when the table of slots did not answer.
        """
        held = [self._slots.release(slot.vendor, slot.account, job.request_id) for slot in job.held or ()]
        submit = record.submit if record is not None else None
        vendor = job.vendor or (vendor_job(submit) if submit is not None else None)
        if vendor is None:
            return all(held)
        ended = job.result is not None or (job.ending is not None and job.ending.status is JobStatus.SUCCEEDED)
        never = submit is not None and (submit.state is SubmitState.NOT_SENT or submit.sent_at == job.concluded)
        owner = self._router.provider(vendor.provider).vendor
        if ended or (job.vendor is None and never):
            return self._slots.release(owner, vendor.account, job.request_id) and all(held)
        route = self._router.route(vendor.provider, job.request, job.request_id, now=self._clock.now())
        seconds = LET_GO_FACTOR * route.call.model.typical_seconds
        return self._slots.leave(owner, vendor.account, job.request_id, seconds=seconds) and all(held)


def _with_end(job: ExecutionState, status: JobStatus, error: JobError) -> ExecutionState:
    provider = job.vendor.provider if job.vendor else None
    return job.model_copy(update={"ending": ExecutionEnd(status=status, error=error, provider=provider)})


def _accepted(job: ExecutionState, record: JobRecord) -> VendorJob | None:
    """Return the job that a vendor has by the record, unless it failed there and was given up."""
    submit = record.submit
    if submit is None or submit.state is not SubmitState.ACCEPTED or submit.provider not in job.providers:
        return None
    return vendor_job(submit)


def _cause(failure: Mapping[str, str]) -> str:
    """Return a function's own message, without its stack trace: that is in the function's log, redacted."""
    try:
        return str(json.loads(failure.get("Cause", "")).get("errorMessage", ""))[:300]
    except (ValueError, AttributeError):
        return failure.get("Cause", "")[:300]
