"""One job in the hands of one worker: what it claims, what it remembers, what it settles."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mediarelay.job_records.claims import Claim, Claimed, Settlement
from mediarelay.job_records.contract import AttemptSummary, JobError
from mediarelay.job_records.job_spec import JobSpec
from mediarelay.limits.acquiring import Reservation
from mediarelay.metrics.tally import SUCCESSES
from mediarelay.results.result_store import Purchase, prefix_of
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Failure

# A lease outlives its worker by this much, so that a job never has two owners when clocks disagree by a second or two.
LEASE_GRACE_SECONDS: Final = 5
# Records stay a week after the job's deadline: long enough to explain a bill; then DynamoDB's TTL deletes them.
RECORD_SECONDS: Final = 7 * 24 * 3600
# What one record keeps of its attempts: a job deferred all day must not outgrow its item.
ATTEMPTS_KEPT: Final = 40


@dataclass(slots=True)
class ClaimedJob:
    """One claimed job while it is being served.

    Attributes:
        reservation: The permit that an earlier delivery reserved, until a key is taken.
        reserved: The permit that is reserved for the next delivery.
    """

    spec: JobSpec
    claimed: Claimed
    claim_id: str
    claimed_at: float
    worker_ends_at: float
    attempts: list[AttemptSummary] = field(default_factory=list)
    purchase: Purchase | None = None
    reservation: Reservation | None = None
    reserved: Reservation | None = None

    @property
    def prefix(self) -> str:
        """The prefix of its results in the bucket."""
        return prefix_of(self.spec.request.kind, self.claimed.received_at, self.spec.job_id)


def claim_of(spec: JobSpec, now: float, worker_ends_at: float) -> Claim:
    """Return a worker's claim of the job; moments in unix seconds."""
    request = spec.request
    return Claim(
        request_id=spec.job_id,
        claim_id=uuid.uuid4().hex[:12],
        kind=request.kind,
        fingerprint=spec.fingerprint,
        received_at=spec.received_at,
        claimed_at=milliseconds(now),
        lease_until=milliseconds(worker_ends_at + LEASE_GRACE_SECONDS),
        expires_at=spec.expires_at,
        ttl=spec.expires_at + RECORD_SECONDS,
        tenant=request.tenant,
        metadata=request.metadata,
        known=spec.known,
    )


def kept_attempts(job: ClaimedJob) -> Sequence[AttemptSummary]:
    """Return the newest attempts of all deliveries, oldest first, and all that were paid for in vain."""
    return newest((*job.claimed.attempts, *job.attempts))


def newest(attempts: Sequence[AttemptSummary]) -> Sequence[AttemptSummary]:
    """Return as many as a record keeps, oldest first. What was paid for in vain is never left out."""
    paid = (attempt for attempt in attempts[:-ATTEMPTS_KEPT] if attempt.cost_usd)
    return (*paid, *attempts[-ATTEMPTS_KEPT:])


def earlier_failures(attempts: Sequence[AttemptSummary]) -> tuple[tuple[str, Failure], ...]:
    """Return what earlier deliveries came to, as a flow wants to know it."""
    return tuple(
        (
            attempt.provider,
            Failure(attempt.outcome, attempt.code or "", status=attempt.status, certain=_marked(attempt)),
        )
        for attempt in attempts
        if attempt.outcome not in SUCCESSES
    )


def _marked(attempt: AttemptSummary) -> bool:
    """Tell whether the vendor's own marker said it: where there was none, the code is made of the status."""
    return attempt.code != f"http_{attempt.status}"


def wasted_usd(attempts: Sequence[AttemptSummary]) -> float:
    """Return what was probably charged for answers that could not be used."""
    return sum(attempt.cost_usd or 0.0 for attempt in attempts)


def _last_provider(attempts: Sequence[AttemptSummary]) -> str | None:
    return attempts[-1].provider if attempts else None


def settlement_of(job: ClaimedJob, status: JobStatus, error: JobError | None, *, now: float) -> Settlement:
    """Return how the job ended, `now` in unix seconds."""
    bought = job.purchase if status is JobStatus.SUCCEEDED else None
    asked = {attempt.provider for attempt in job.attempts}
    attempts = kept_attempts(job)
    retiring = [route.warning for route in job.spec.routes if route.warning and route.offer.provider in asked]
    return Settlement(
        request_id=job.spec.job_id,
        claim_id=job.claim_id,
        status=status,
        settled_at=milliseconds(now),
        latency_ms=milliseconds(now - job.claimed_at),
        queue_ms=max(0, milliseconds(job.claimed_at) - job.claimed.received_at),
        provider=bought.provider if bought else _last_provider(job.attempts),
        model=bought.model if bought else None,
        attempts=attempts,
        outputs=bought.outputs if bought else (),
        cost_usd=(job.purchase.cost_usd if job.purchase else 0.0) + wasted_usd(attempts),
        error=error,
        warnings=[*retiring, *(bought.warnings if bought else ())],
        interruptions=job.claimed.interruptions,
    )


def milliseconds(seconds: float) -> int:
    """Convert to whole milliseconds."""
    return round(seconds * 1000)
