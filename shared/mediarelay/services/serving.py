"""Serve one job: claim it, drive the failover flow, settle it. Everything about never paying twice is here."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from mediarelay.contracts.job import AttemptSummary, JobError
from mediarelay.contracts.kinds import JobStatus, OnAmbiguous
from mediarelay.contracts.metric import AttemptMetric
from mediarelay.core.errors import RequestRejected, StoreUnavailable
from mediarelay.core.failover import (
    Answered,
    Budget,
    Call,
    Deferred,
    Delivered,
    Ending,
    Expired,
    Failed,
    Reply,
    Step,
    TakeKey,
    Taken,
    Wait,
    Waited,
    failover,
)
from mediarelay.core.latency import LatencyBook
from mediarelay.core.outcome import Failure, Outcome
from mediarelay.ports import AlreadySettled, Claim, Claimed, Clock, Conflict, Held, JobStore, Settlement, Telemetry
from mediarelay.services.attempts import AttemptResult, AttemptRunner, ResultLost
from mediarelay.services.branches import Branch
from mediarelay.services.key_ring import KeyRing, TakenKey
from mediarelay.services.patience import insist
from mediarelay.services.results import Purchase, ResultShelf, prefix_of
from mediarelay.services.router import Route, Router

logger = logging.getLogger(__name__)

# A lease outlives its worker by this much, so that clocks that disagree by a second or two never make two owners.
LEASE_GRACE_SECONDS: Final = 5
# Records stay a week after the job's deadline: long enough to answer for a bill, then DynamoDB's broom takes them.
RECORD_SECONDS: Final = 7 * 24 * 3600
# What one record keeps of its attempts: a job deferred all day must not outgrow its item.
ATTEMPTS_KEPT: Final = 40
# How soon to come back when a store of ours is away.
STORE_RETRY_SECONDS: Final = 10
CLAIM_PATIENCE_SECONDS: Final = 3.0

_RETRYABLE: Final = frozenset(
    {
        Outcome.THROTTLED,
        Outcome.QUOTA_EXHAUSTED,
        Outcome.KEY_REJECTED,
        Outcome.PERMISSION_DENIED,
        Outcome.PROVIDER_FAULT,
        Outcome.OVERLOADED,
        Outcome.TIMEOUT_UNSENT,
    }
)


@dataclass(frozen=True, slots=True)
class Done:
    """The job is settled, now or before."""


@dataclass(frozen=True, slots=True)
class Again:
    """The job wants another delivery at `at` (unix seconds)."""

    at: float


ServeEnd = Done | Again


@dataclass(slots=True)
class _Job:
    """One claimed job while it is being served."""

    branch: Branch
    claimed: Claimed
    claim_id: str
    claimed_at: float
    worker_ends_at: float
    routes: dict[str, Route] = field(default_factory=dict)
    key: TakenKey | None = None
    attempts: list[AttemptSummary] = field(default_factory=list)
    purchase: Purchase | None = None

    @property
    def prefix(self) -> str:
        return prefix_of(self.branch.request.kind, self.claimed.received_at, self.branch.job_id)


class JobServer:
    """Serves jobs. Thread-safe; one instance per worker."""

    def __init__(
        self,
        jobs: JobStore,
        router: Router,
        keys: KeyRing,
        runner: AttemptRunner,
        shelf: ResultShelf,
        telemetry: Telemetry,
        latencies: LatencyBook,
        *,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._jobs = jobs
        self._router = router
        self._keys = keys
        self._runner = runner
        self._shelf = shelf
        self._telemetry = telemetry
        self._latencies = latencies
        self._clock = clock
        self._rng = rng

    def serve(self, branch: Branch, *, worker_ends_at: float) -> ServeEnd:
        """Bring one job to its end, or say when to come back.

        Raises:
            RequestRejected: The id belongs to a job with another content.
            StoreUnavailable: A paid result could not be settled; its lease will run out and its files will be found.
        """
        now = self._clock.now()
        claim = _claim(branch, now, worker_ends_at)
        try:
            patience = min(worker_ends_at, now + CLAIM_PATIENCE_SECONDS)
            answer = insist(lambda: self._jobs.claim(claim), clock=self._clock, until=patience)
        except StoreUnavailable:
            return Again(now + STORE_RETRY_SECONDS)
        match answer:
            case AlreadySettled():
                logger.info("duplicate of a settled job", extra={"request_id": branch.job_id})
                return Done()
            case Held(lease_until=until):
                logger.info("held by another worker", extra={"request_id": branch.job_id, "lease_until": until})
                return Again(until / 1000)
            case Conflict():
                raise RequestRejected(
                    "idempotency_conflict", f"request_id: {branch.job_id} was used before with another content"
                )
            case Claimed():
                return self._finish(_Job(branch, answer, claim.claim_id, now, worker_ends_at))

    def _finish(self, job: _Job) -> ServeEnd:
        try:
            return self._adopt(job) if job.claimed.interrupted else self._drive(job)
        except StoreUnavailable:
            raise
        except Exception as error:
            # A fault of ours may have struck after a paid call: settled at once, never tried again by itself.
            logger.exception("internal error", extra={"request_id": job.branch.job_id})
            self._settle(job, JobStatus.FAILED, _internal(error))
            raise

    def _adopt(self, job: _Job) -> ServeEnd:
        """Take over from a worker that never settled: what it stored is ours, and nothing is bought again."""
        try:
            found = self._shelf.find(job.prefix)
        except StoreUnavailable:
            return self._defer(job, self._clock.now() + STORE_RETRY_SECONDS)
        facts = {"request_id": job.branch.job_id, "adopted": found is not None}
        logger.warning("took over an interrupted job", extra=facts)
        if found is None:
            return self._drive(job)
        *earlier, lost = job.claimed.interruptions or [None]
        adopted = [lost.model_copy(update={"adopted": True})] if lost else []
        job.claimed = replace(job.claimed, interruptions=(*filter(None, earlier), *adopted))
        job.purchase = found
        return self._settle(job, JobStatus.SUCCEEDED)

    # --- the failover flow and its effects ----------------------------------------------------------------------

    def _drive(self, job: _Job) -> ServeEnd:
        budget = Budget(
            expires_at=job.branch.expires_at,
            worker_ends_at=job.worker_ends_at,
            resubmit=job.branch.request.on_ambiguous is OnAmbiguous.RESUBMIT,
        )
        names = [offer.provider for offer in job.branch.offers]
        flow = failover(names, budget, now=self._clock.now(), rng=self._rng)
        try:
            step = next(flow)
            while True:
                step = flow.send(self._perform(step, job))
        except StopIteration as stop:
            return self._end(job, stop.value)
        except ResultLost as error:
            return self._settle(job, JobStatus.FAILED, _result_lost(error))

    def _perform(self, step: Step, job: _Job) -> Reply:
        match step:
            case TakeKey(provider=name, avoid=avoid):
                return self._take(job, name, avoid)
            case Call(provider=name):
                return Answered(failure=self._attempt(job, name), now=self._clock.now())
            case Wait(seconds=seconds):
                self._clock.sleep(seconds)
                return Waited(self._clock.now())

    def _take(self, job: _Job, name: str, avoid: frozenset[str]) -> Taken:
        vendor = self._route(job, name).provider.vendor
        answer = self._keys.take(vendor, name, avoid)
        now = self._clock.now()
        if isinstance(answer, TakenKey):
            job.key = answer
            return Taken(now, answer.entry.key_id)
        return Taken(now, None, answer)

    def _attempt(self, job: _Job, name: str) -> Failure | None:
        key, route = job.key, self._route(job, name)
        if key is None:
            raise TypeError("the flow called before it took a key")
        started = self._clock.now()
        try:
            result = self._runner.run(
                route.provider, route.call, key, prefix=job.prefix, worker_ends_at=job.worker_ends_at
            )
        except BaseException as error:
            self._keys.delivered(key, name) if isinstance(error, ResultLost) else self._keys.abandoned(key)
            raise
        if result.failure is None:
            self._keys.delivered(key, name)
            self._latencies.record(name, self._clock.now() - started)
        else:
            self._keys.failed(key, name, result.failure)
        job.purchase = result.purchase
        self._note(job, name, key, result, started)
        return result.failure

    def _note(self, job: _Job, name: str, key: TakenKey, result: AttemptResult, started: float) -> None:
        failure = result.failure
        summary = AttemptSummary(
            provider=name,
            key_id=key.entry.key_id,
            outcome=failure.outcome if failure else Outcome.DELIVERED,
            latency_ms=_ms(self._clock.now() - started),
            status=result.status,
            code=failure.code if failure else None,
        )
        job.attempts.append(summary)
        cost = result.purchase.cost_usd if result.purchase else 0.0
        self._telemetry.metric(
            AttemptMetric(**summary.model_dump(), request_id=job.branch.job_id, started_at=_ms(started), cost_usd=cost)
        )
        logger.info("attempt", extra={"request_id": job.branch.job_id, **summary.model_dump(mode="json")})

    def _route(self, job: _Job, name: str) -> Route:
        if name not in job.routes:
            request_id = job.branch.job_id
            job.routes[name] = self._router.route(name, job.branch.request, request_id, now=self._clock.now())
        return job.routes[name]

    # --- endings ------------------------------------------------------------------------------------------------

    def _end(self, job: _Job, ending: Ending) -> ServeEnd:
        match ending:
            case Delivered():
                return self._settle(job, JobStatus.SUCCEEDED)
            case Failed(failure=failure, ambiguous=ambiguous):
                return self._settle(job, JobStatus.FAILED, _error(failure, ambiguous=ambiguous))
            case Expired():
                return self._settle(job, JobStatus.EXPIRED, _expired(job))
            case Deferred(until=until):
                return self._defer(job, until)

    def _settle(self, job: _Job, status: JobStatus, error: JobError | None = None) -> ServeEnd:
        now = self._clock.now()
        bought = job.purchase if status is JobStatus.SUCCEEDED else None
        settlement = Settlement(
            request_id=job.branch.job_id,
            claim_id=job.claim_id,
            status=status,
            settled_at=_ms(now),
            latency_ms=_ms(now - job.claimed_at),
            queue_ms=max(0, _ms(job.claimed_at) - job.claimed.received_at),
            provider=bought.provider if bought else _last_provider(job.attempts),
            model=bought.model if bought else None,
            attempts=_kept(job),
            outputs=bought.outputs if bought else (),
            cost_usd=bought.cost_usd if bought else 0.0,
            error=error,
            warnings=[route.warning for route in job.routes.values() if route.warning],
            interruptions=job.claimed.interruptions,
        )
        settled = insist(lambda: self._jobs.settle(settlement), clock=self._clock, until=job.worker_ends_at)
        facts = {"request_id": job.branch.job_id, "status": status, "provider": settlement.provider}
        if settled:
            logger.info("settled", extra=facts)
        else:
            logger.error("lease lost before settling; another worker has the job", extra=facts)
        return Done()

    def _defer(self, job: _Job, until: float) -> ServeEnd:
        attempts = _kept(job)
        try:
            self._jobs.defer(job.branch.job_id, job.claim_id, until=_ms(until), attempts=attempts)
        except StoreUnavailable as error:
            # The lease runs out by itself; only then will another delivery be able to claim the job.
            logger.warning("deferral not recorded", extra={"request_id": job.branch.job_id, "reason": error.reason})
            until = max(until, job.worker_ends_at + LEASE_GRACE_SECONDS)
        return Again(until)


def _claim(branch: Branch, now: float, worker_ends_at: float) -> Claim:
    request = branch.request
    return Claim(
        request_id=branch.job_id,
        claim_id=uuid.uuid4().hex[:12],
        kind=request.kind,
        fingerprint=branch.fingerprint,
        received_at=branch.received_at,
        claimed_at=_ms(now),
        lease_until=_ms(worker_ends_at + LEASE_GRACE_SECONDS),
        expires_at=branch.expires_at,
        ttl=branch.expires_at + RECORD_SECONDS,
        tenant=request.tenant,
        metadata=request.metadata,
    )


def _kept(job: _Job) -> Sequence[AttemptSummary]:
    return (*job.claimed.attempts, *job.attempts)[-ATTEMPTS_KEPT:]


def _last_provider(attempts: Sequence[AttemptSummary]) -> str | None:
    return attempts[-1].provider if attempts else None


def _error(failure: Failure | None, *, ambiguous: bool) -> JobError:
    if failure is None:
        message = "every key of every allowed provider is out of quota, rejected or disabled; see the key states"
        return JobError(code="no_usable_key", message=message, retryable=True)
    if ambiguous:
        return JobError(
            code="ambiguous_submit",
            message=f"the provider may have been paid, but its answer was lost ({failure.code}: {failure.message}); "
            'publish with "on_ambiguous": "resubmit" to allow a second purchase',
            retryable=False,
        )
    message = f"{failure.code}: {failure.message}" if failure.message else failure.code
    return JobError(code=failure.outcome.value, message=message, retryable=failure.outcome in _RETRYABLE)


def _expired(job: _Job) -> JobError:
    waited = job.branch.expires_at - job.claimed.received_at // 1000
    tried = f"; the last attempt came to {job.attempts[-1].outcome}" if job.attempts else ""
    return JobError(code="expired", message=f"not finished within its {waited} seconds{tried}", retryable=True)


def _result_lost(error: ResultLost) -> JobError:
    return JobError(
        code="result_not_stored",
        message=f"the provider delivered and was paid, but the result could not be stored: {error.reason}",
        retryable=False,
    )


def _internal(error: Exception) -> JobError:
    message = f"mediarelay failed with {type(error).__name__}; the message is in the DLQ"
    return JobError(code="internal_error", message=message, retryable=False)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
