"""Serve one job: claim it, drive the failover flow, settle it. Everything about never paying twice is here."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from mediarelay.health.fleet_view import FleetHealth
from mediarelay.job_records.claims import AlreadySettled, Claimed, Conflict, Held
from mediarelay.job_records.contract import AttemptSummary, JobError
from mediarelay.job_records.job_spec import Branch
from mediarelay.job_records.ports import JobStore
from mediarelay.keys.pools import KeyRing, TakenKey
from mediarelay.limits.acquiring import Promise
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.ports import Telemetry
from mediarelay.results.result_store import ResultLost, ResultShelf
from mediarelay.routing.router import Route, Router
from mediarelay.serving.attempts import AttemptResult, AttemptRunner
from mediarelay.serving.claimed_job import (
    LEASE_GRACE_SECONDS,
    Job,
    claim_of,
    kept_attempts,
    milliseconds,
    settlement_of,
)
from mediarelay.serving.deferral import appointment
from mediarelay.serving.failover import (
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
from mediarelay.serving.job_errors import expired_error, failure_error, internal_error, lost_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, OnAmbiguous
from mediarelay.vocabulary.log_safety import told
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.retrying import insist

logger = logging.getLogger(__name__)

# How soon to come back when a store of ours is away.
STORE_RETRY_SECONDS: Final = 10
CLAIM_PATIENCE_SECONDS: Final = 3.0
# How long to wait in the worker where nobody has computed what that costs.
SHORT_WAIT_SECONDS: Final = 2.0
CALL_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Done:
    """The job is settled, now or before."""


@dataclass(frozen=True, slots=True)
class Again:
    """The job wants another delivery at `at` (unix seconds), with the slot that is reserved for it there."""

    at: float
    promise: Promise | None = None


ServeEnd = Done | Again


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
        health: FleetHealth,
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
        self._health = health
        self._clock = clock
        self._rng = rng

    def serve(self, branch: Branch, *, worker_ends_at: float, promise: Promise | None = None) -> ServeEnd:
        """Bring one job to its end, or say when to come back; with the slot that an earlier delivery reserved.

        Raises:
            RequestRejected: The id belongs to a job with another content.
            StoreUnavailable: A paid result could not be settled; its lease will run out and its files will be found.
        """
        with self._health.waiting(branch.job_id, branch.offers):
            return self._serve(branch, worker_ends_at, promise)

    def _serve(self, branch: Branch, worker_ends_at: float, promise: Promise | None) -> ServeEnd:
        now = self._clock.now()
        claim = claim_of(branch, now, worker_ends_at)
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
                return self._finish(Job(branch, answer, claim.claim_id, now, worker_ends_at, promise=promise))

    def _finish(self, job: Job) -> ServeEnd:
        try:
            # An earlier interruption counts as well: whoever took over then may have deferred the job unseen.
            lost = job.claimed.interrupted or job.claimed.interruptions
            return self._adopt(job) if lost else self._drive(job)
        except StoreUnavailable:
            raise
        except Exception as error:
            # A fault of ours may have struck after a paid call: settled at once, never tried again by itself.
            facts = {"request_id": job.branch.job_id, **told(error, self._keys.secrets())}
            logger.error("internal error", extra=facts)  # noqa: TRY400 # the trace is in the facts, redacted
            self._settle(job, JobStatus.FAILED, internal_error(error))
            raise

    def _adopt(self, job: Job) -> ServeEnd:
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

    def _drive(self, job: Job) -> ServeEnd:
        budget = Budget(
            expires_at=job.branch.expires_at,
            worker_ends_at=job.worker_ends_at,
            short_wait_seconds=SHORT_WAIT_SECONDS if self._keys.patience is None else self._keys.patience,
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
            return self._settle(job, JobStatus.FAILED, lost_error(error))

    def _perform(self, step: Step, job: Job) -> Reply:
        match step:
            case TakeKey(provider=name, avoid=avoid, may_wait=may_wait):
                return self._take(job, name, avoid, may_wait=may_wait)
            case Call(provider=name):
                return Answered(failure=self._attempt(job, name), now=self._clock.now())
            case Wait(seconds=seconds):
                self._clock.sleep(seconds)
                return Waited(self._clock.now())

    def _take(self, job: Job, name: str, avoid: frozenset[str], *, may_wait: bool) -> Taken:
        vendor = self._route(job, name).provider.vendor
        closed_until = self._health.admit(name, job.branch.job_id, until=job.worker_ends_at)
        if closed_until is not None:
            job.waits.pop(name, None)
            return Taken(self._clock.now(), None, closed_until)
        roomy = self._clock.now() + 2 * SHORT_WAIT_SECONDS + CALL_SECONDS < job.worker_ends_at
        answer = self._keys.take(vendor, name, avoid, errand=job.errand, may_wait=may_wait and roomy)
        now = self._clock.now()
        if not isinstance(answer, TakenKey):
            job.waits[name] = answer
            return Taken(now, None, answer.at, line=answer.promises)
        job.key, job.promise = answer, None
        # Another call may have failed while we asked for the key.
        closed_until = self._health.admit(name, job.branch.job_id, until=job.worker_ends_at)
        if closed_until is not None:
            self._keys.abandoned(answer, name)
            return Taken(self._clock.now(), None, closed_until)
        return Taken(now, answer.entry.key_id)

    def _attempt(self, job: Job, name: str) -> Failure | None:
        key, route = job.key, self._route(job, name)
        if key is None:
            raise TypeError("the flow called before it took a key")
        started = self._clock.now()
        self._health.began(name, job.branch.job_id)
        try:
            result = self._runner.run(
                route.direct, route.call, key, prefix=job.prefix, worker_ends_at=job.worker_ends_at
            )
        except ResultLost as error:
            self._note(job, name, key, AttemptResult(error.purchase, None, error.status), started)
            self._keys.delivered(key, name)
            job.purchase = error.purchase
            raise
        except BaseException:
            self._keys.abandoned(key, name)
            self._health.ended(name, job.branch.job_id, None, started=started)
            raise
        self._note(job, name, key, result, started)
        if result.failure is None:
            self._keys.delivered(key, name, limit=result.limit)
        else:
            self._keys.failed(key, name, result.failure)
        job.purchase = result.purchase
        return result.failure

    def _note(self, job: Job, name: str, key: TakenKey, result: AttemptResult, started: float) -> None:
        """Before anything else is done: others of this worker may be about to make the same call."""
        failure = result.failure
        outcome = failure.outcome if failure else Outcome.DELIVERED
        urgent = self._health.ended(name, job.branch.job_id, outcome, started=started)
        summary = AttemptSummary(
            provider=name,
            key_id=key.entry.key_id,
            outcome=outcome,
            latency_ms=milliseconds(self._clock.now() - started),
            status=result.status,
            code=failure.code if failure else None,
        )
        job.attempts.append(summary)
        cost = result.purchase.cost_usd if result.purchase else 0.0
        metric = AttemptMetric(
            **summary.model_dump(), request_id=job.branch.job_id, started_at=milliseconds(started), cost_usd=cost
        )
        self._telemetry.metric(metric, urgent=urgent)
        logger.info("attempt", extra={"request_id": job.branch.job_id, **summary.model_dump(mode="json")})

    def _route(self, job: Job, name: str) -> Route:
        if name not in job.routes:
            request_id = job.branch.job_id
            job.routes[name] = self._router.route(name, job.branch.request, request_id, now=self._clock.now())
        return job.routes[name]

    # --- endings ------------------------------------------------------------------------------------------------

    def _end(self, job: Job, ending: Ending) -> ServeEnd:
        match ending:
            case Delivered():
                return self._settle(job, JobStatus.SUCCEEDED)
            case Failed(failure=failure, ambiguous=ambiguous):
                return self._settle(job, JobStatus.FAILED, failure_error(failure, ambiguous=ambiguous))
            case Expired():
                return self._settle(job, JobStatus.EXPIRED, self._expired(job))
            case Deferred(until=until):
                back = appointment(job, until, self._keys, clock=self._clock, rng=self._rng)
                return self._defer(job, back.at, back.promise)

    @staticmethod
    def _expired(job: Job) -> JobError:
        return expired_error(job.branch.expires_at, job.claimed.received_at, job.attempts)

    def _settle(self, job: Job, status: JobStatus, error: JobError | None = None) -> ServeEnd:
        settlement = settlement_of(job, status, error, now=self._clock.now())
        settled = insist(lambda: self._jobs.settle(settlement), clock=self._clock, until=job.worker_ends_at)
        facts = {"request_id": job.branch.job_id, "status": status, "provider": settlement.provider}
        if settled:
            logger.info("settled", extra=facts)
        else:
            logger.error("lease lost before settling; another worker has the job", extra=facts)
        return Done()

    def _defer(self, job: Job, until: float, promise: Promise | None = None) -> ServeEnd:
        attempts = kept_attempts(job)
        try:
            self._jobs.defer(job.branch.job_id, job.claim_id, until=milliseconds(until), attempts=attempts)
        except StoreUnavailable as error:
            # The lease runs out by itself; only then will another delivery be able to claim the job.
            logger.warning("deferral not recorded", extra={"request_id": job.branch.job_id, "reason": error.reason})
            until = max(until, job.worker_ends_at + LEASE_GRACE_SECONDS)
        return Again(until, promise)
