"""What is recorded of the calls of a job: a line in its state, a metric, a line in the log."""

from __future__ import annotations

import logging

from mediarelay.job_records.contract import AttemptSummary
from mediarelay.long_jobs.execution_state import ExecutionState, VendorJob
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.ports import Telemetry
from mediarelay.serving.attempts import milliseconds, newest
from mediarelay.serving.failover import failed_at
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Failure, Outcome

logger = logging.getLogger(__name__)


class JobLog:
    """Records attempts. An attempt here is a submit, or an accepted job from then to its end."""

    def __init__(self, telemetry: Telemetry, counters: Counters, clock: Clock) -> None:
        self._telemetry = telemetry
        self._counters = counters
        self._clock = clock

    def attempt(
        self,
        job: ExecutionState,
        provider: str,
        key_id: str,
        outcome: Outcome,
        *,
        phase: str,
        started: float,
        failure: Failure | None = None,
        status: int | None = None,
        cost_usd: float = 0.0,
        urgent: bool = False,
        model: str | None = None,
    ) -> ExecutionState:
        """Record an attempt, begun at `started` (unix seconds) and ended now. Returns the job with it.

        `phase` is `submit` or `completion`: they are judged apart. `urgent` ones are written soon, like all faults.
        """
        summary = AttemptSummary(
            provider=provider,
            key_id=key_id,
            outcome=outcome,
            latency_ms=milliseconds(self._clock.now() - started),
            started_at=milliseconds(started),
            status=failure.status if failure else status,
            code=failure.code if failure else None,
            cost_usd=failure.cost_usd or None if failure else None,
            of_account=failure.of_account or None if failure else None,
        )
        metric = AttemptMetric(
            **summary.model_dump(exclude={"cost_usd", "of_account"}),
            request_id=job.request_id,
            cost_usd=cost_usd or summary.cost_usd or 0.0,
            phase=phase,
            model=model,
            failed_at=failed_at(job.attempts) if outcome in PROVIDER_FAULTS else [],
        )
        self._telemetry.metric(metric, urgent=urgent or outcome in PROVIDER_FAULTS)
        shown = summary.model_dump(mode="json", exclude={"started_at"})
        logger.info("attempt", extra={"request_id": job.request_id, **shown})
        return job.model_copy(update={"attempts": list(newest([*job.attempts, summary]))})

    def completed(
        self,
        job: ExecutionState,
        vendor: VendorJob,
        outcome: Outcome,
        *,
        failure: Failure | None = None,
        status: int | None = None,
        cost_usd: float = 0.0,
    ) -> ExecutionState:
        """Record how an accepted job came to its end, now. Returns the job with it."""
        return self.attempt(
            job,
            vendor.provider,
            vendor.key_id,
            outcome,
            phase="completion",
            started=vendor.accepted_at,
            model=vendor.model,
            failure=failure,
            status=status,
            cost_usd=cost_usd,
        )

    def poll(
        self,
        job: ExecutionState,
        vendor: VendorJob,
        key_id: str,
        failure: Failure | None,
        status: int | None,
        started: float,
    ) -> None:
        """Record a poll, begun at `started` (unix seconds) and answered, or not, now: a metric, and no more.

        What the answer says about the job is recorded with its completion.
        """
        outcome = failure.outcome if failure else Outcome.ACCEPTED
        metric = AttemptMetric(
            provider=vendor.provider,
            key_id=key_id,
            request_id=job.request_id,
            outcome=outcome,
            started_at=milliseconds(started),
            latency_ms=milliseconds(self._clock.now() - started),
            status=status,
            code=failure.code if failure else None,
            phase="poll",
            model=vendor.model,
            failed_at=failed_at(job.attempts) if outcome in PROVIDER_FAULTS else [],
        )
        self._telemetry.metric(metric, urgent=outcome in PROVIDER_FAULTS)

    def caught(self, job: ExecutionState, error: str, cause: str) -> None:
        """Record an error of the execution that only leaves settling the job."""
        logger.error("execution failed", extra={"request_id": job.request_id, "error": error, "cause": cause})
        self._counters.count("JobsCaught", {})
