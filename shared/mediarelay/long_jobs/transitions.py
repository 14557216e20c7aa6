"""The transitions of an execution, as the state that the functions return."""

from __future__ import annotations

import math

from mediarelay.job_records.contract import JobError
from mediarelay.job_records.job_spec import perhaps_paid
from mediarelay.long_jobs.execution_state import ExecutionEnd, ExecutionState, NextStep
from mediarelay.serving.failover import PAID_IN_VAIN
from mediarelay.serving.job_errors import expired_error, failure_error
from mediarelay.vocabulary.backoff import outage_wait
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Failure, Outcome

LONGEST_WAIT_SECONDS = 3600


def waiting(job: ExecutionState, step: NextStep, seconds: float) -> ExecutionState:
    """Wait (whole seconds, at least one), then go on."""
    return job.model_copy(update={"next": step, "wait_seconds": max(1, min(LONGEST_WAIT_SECONDS, math.ceil(seconds)))})


def until_back(job: ExecutionState, step: NextStep, *, now: float) -> ExecutionState:
    """Wait for a store of ours that did not answer, ever longer, and go on with the step that needs it."""
    before = job.outages or 0
    seconds = outage_wait(before, now=now, deadline=job.expires_at)
    return waiting(job.model_copy(update={"outages": before + 1}), step, seconds)


def until_polled(job: ExecutionState, seconds: float, *, calls_back: bool) -> ExecutionState:
    """Poll after that long; or earlier, if the vendor was asked to call back when the job is over (`calls_back`)."""
    step = NextStep.WAIT_TO_BE_TOLD if calls_back and job.webhook_url else NextStep.WAIT_TO_POLL
    return waiting(job, step, seconds)


def ending(job: ExecutionState, status: JobStatus, error: JobError | None = None) -> ExecutionState:
    """Settle without a result."""
    provider = job.vendor.provider if job.vendor else (job.attempts[-1].provider if job.attempts else None)
    end = ExecutionEnd(status=status, error=error, provider=provider)
    return job.model_copy(update={"next": NextStep.SETTLE, "ending": end})


def expiring(job: ExecutionState) -> ExecutionState:
    """Settle as expired."""
    error = expired_error(job.expires_at, job.received_at, job.attempts)
    return ending(job, JobStatus.EXPIRED, error)


def next_provider(job: ExecutionState, provider: str, failure: Failure) -> ExecutionState:
    """Submit to whoever is left after *provider*, whose attempt is recorded; settle as failed when nobody should be."""
    left = [name for name in job.providers if name != provider]
    in_vain = sum(attempt.outcome is Outcome.UNUSABLE_DELIVERY for attempt in job.attempts)
    if not left or max(in_vain, perhaps_paid(job.purchases or ())) >= PAID_IN_VAIN:
        return ending(job, JobStatus.FAILED, failure_error(failure, ambiguous=False))
    return job.model_copy(update={"providers": left, "vendor": None, "result": None, "next": NextStep.SUBMIT})


def done(job: ExecutionState) -> ExecutionState:
    """Finish: nothing is left to do."""
    return job.model_copy(update={"next": NextStep.DONE})
