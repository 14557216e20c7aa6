"""Serve one job: claim it, drive the failover flow, settle it. Everything about never paying twice is here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from mediarelay.job_records.claims import AlreadySettled, Cancelled, Claimed, Conflict, Held, Settlement
from mediarelay.job_records.contract import AttemptSummary, JobError, Spending
from mediarelay.job_records.job_spec import JobSpec, adopted, perhaps_paid, spent, too_dear
from mediarelay.job_records.ports import JobStore
from mediarelay.keys.pools import KeyPools, TakenKey
from mediarelay.limits.acquiring import NoPermit
from mediarelay.limits.planning import Reservation
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.ports import Telemetry
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.providers.offers import Route
from mediarelay.results.result_store import Holding, ResultLost, ResultStore
from mediarelay.serving.attempts import (
    LEASE_GRACE_SECONDS,
    SETTLE_SECONDS,
    AttemptResult,
    AttemptRunner,
    ClaimedJob,
    claim_of,
    kept_attempts,
    milliseconds,
    outcome_of,
    settlement_of,
)
from mediarelay.serving.deferring import deferral_of
from mediarelay.serving.failover import (
    PAID_IN_VAIN,
    Budget,
    Deferred,
    Delivered,
    Ending,
    Expired,
    Failed,
    Reserve,
    Reserved,
    TakeKey,
    earlier_failures,
    failed_at,
)
from mediarelay.serving.flow_driver import FlowDriver
from mediarelay.serving.job_errors import (
    cancelled_error,
    expired_error,
    failure_error,
    internal_error,
    lost_error,
    too_dear_error,
    unfetched_error,
    used_before,
    worker_lost_error,
)
from mediarelay.vocabulary.backoff import Growth
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, OnAmbiguous, SpendingState
from mediarelay.vocabulary.log_safety import exception_fields
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Failure, Outcome
from mediarelay.vocabulary.retrying import retry_until

logger = logging.getLogger(__name__)

# How soon to try again when a store of ours is unavailable.
STORE_RETRY_SECONDS: Final = 10
# How soon to try again when the answers of other messages fill this worker; another one may have room at once.
ROOM_RETRY_SECONDS: Final = 10
# Room is waited for while there is time left for a call that takes so many times what is usual: a message that comes
# again loses time, a call that is cut off loses what was paid for it.
CALLS_TAKE: Final = 4.0
CLAIM_MAX_WAIT_SECONDS: Final = 3.0
# How soon to try again to fetch or to store what is paid for and kept by its vendor.
COLLECTING: Final = Growth(base=10.0, cap=600.0)
# A second worker that was lost ends the job: whatever kills them would buy it again and again.
LOST_WORKERS: Final = 2
# How long to wait in the worker where the cost of that was not computed.
MAX_WAIT_SECONDS: Final = 2.0


@frozen
class Done:
    """The job is settled, *before* or now, then with its *settlement*; or its execution brings it to its end."""

    settlement: Settlement | None = None
    before: bool = False


@frozen
class Requeue:
    """The job wants another delivery at `at` (unix seconds), with the permit that is reserved for it then."""

    at: float
    reservation: Reservation | None = None


ServeEnd = Done | Requeue


class JobServer:
    """Serves jobs. Thread-safe; one instance per worker. `most_bytes`: no answer that may be larger is bought."""

    def __init__(
        self,
        jobs: JobStore,
        driver: FlowDriver,
        keys: KeyPools,
        runner: AttemptRunner,
        result_store: ResultStore,
        telemetry: TelemetryWriter,
        clock: Clock,
    ) -> None:
        self.most_bytes = runner.room.most
        self._jobs = jobs
        self._driver = driver
        self._keys = keys
        self._runner = runner
        self._result_store = result_store
        self._telemetry = telemetry
        self._clock = clock

    def begin_batch(self, messages: int) -> None:
        """Expect so many messages to be served."""
        self._keys.begin_batch(messages)

    def end_batch(self, timeout_seconds: float) -> None:
        """Write what other workers need to know of the batch, within so many seconds."""
        self._telemetry.flush(timeout_seconds)

    def write_telemetry(self) -> None:
        """Begin to write it."""
        self._telemetry.write()

    def exception_fields(self, error: Exception) -> dict[str, str]:
        """Return what may be logged of an error: never a key."""
        return exception_fields(error, self._keys.secrets())

    def serve(self, spec: JobSpec, *, worker_ends_at: float, reservation: Reservation | None = None) -> ServeEnd:
        """Bring one job to its end, or say when to requeue it; *reservation* is what an earlier delivery reserved.

        Raises:
            RequestRejected: The id belongs to a job with another content.
            StoreUnavailable: A paid result could not be settled; its lease will run out and its files will be found.
        """
        expected, seconds = 0, 0.0
        for route in spec.routes:
            expected = max(expected, route.answer_bytes)
            seconds = max(seconds, route.call.model.typical_seconds)
        until = worker_ends_at - CALLS_TAKE * seconds
        holding = self._runner.room.take(expected, until=until, ends_at=worker_ends_at - SETTLE_SECONDS)
        if holding is None:
            logger.info("no room", extra={"request_id": spec.job_id, "bytes": expected})
            return Requeue(self._clock.now() + ROOM_RETRY_SECONDS, reservation)
        try:
            with self._driver.health.waiting(spec.job_id, [route.offer for route in spec.routes]):
                return self._serve(spec, worker_ends_at, reservation, holding)
        finally:
            holding.release()

    def _serve(
        self, spec: JobSpec, worker_ends_at: float, reservation: Reservation | None, holding: Holding
    ) -> ServeEnd:
        now = self._clock.now()
        claim = claim_of(spec, now, worker_ends_at)
        try:
            max_wait = min(worker_ends_at, now + CLAIM_MAX_WAIT_SECONDS)
            answer = retry_until(lambda: self._jobs.claim(claim), clock=self._clock, until=max_wait)
        except StoreUnavailable:
            return Requeue(now + STORE_RETRY_SECONDS)
        match answer:
            case AlreadySettled():
                logger.info("duplicate of a settled job", extra={"request_id": spec.job_id})
                return Done(before=True)
            case Held(lease_until=until):
                logger.info("held by another worker", extra={"request_id": spec.job_id, "lease_until": until})
                return Requeue(until / 1000)
            case Conflict():
                raise used_before(spec.job_id)
            case Cancelled(purchases=purchases):
                self._jobs.end_unserved(claim, cancelled_error(), purchases)
                logger.info("cancelled before it was served", extra={"request_id": spec.job_id})
                return Done(before=True)
            case Claimed():
                job = ClaimedJob(spec, answer, claim.claim_id, now, worker_ends_at, holding, reservation=reservation)
                job.purchases += answer.purchases
                return self._finish(job)

    def _finish(self, job: ClaimedJob) -> ServeEnd:
        try:
            # An earlier interruption counts as well: the worker that took over may have deferred the job unseen.
            lost = job.claimed.interrupted or job.claimed.interruptions
            return self._adopt(job) if lost else self._collect(job) or self._drive(job)
        except StoreUnavailable:
            raise
        except Exception as error:
            # A fault of ours may have struck after a paid call: settled at once, never tried again by itself.
            facts = {"request_id": job.spec.job_id, **self.exception_fields(error)}
            logger.error("internal error", extra=facts)  # noqa: TRY400 # the trace is in the facts, redacted
            self._settle(job, JobStatus.FAILED, internal_error(error))
            raise

    def _adopt(self, job: ClaimedJob) -> ServeEnd:
        """Take over from a worker that never settled: what it stored is ours, and nothing is bought again."""
        try:
            found = self._result_store.find(job.folder)
        except StoreUnavailable:
            return self._defer(job, self._clock.now() + STORE_RETRY_SECONDS)
        facts = {"request_id": job.spec.job_id, "adopted": found is not None}
        logger.warning("took over an interrupted job", extra=facts)
        if found is None and (collected := self._collect(job)) is not None:
            return collected
        purchases = perhaps_paid(job.purchases)
        if found is None and (len(job.claimed.interruptions) >= LOST_WORKERS or purchases >= PAID_IN_VAIN):
            return self._settle(job, JobStatus.FAILED, worker_lost_error(purchases))
        if found is None:
            return self._drive(job)
        *earlier, lost = job.claimed.interruptions or [None]
        last = [lost.model_copy(update={"adopted": True})] if lost else []
        job.claimed = replace(job.claimed, interruptions=(*filter(None, earlier), *last))
        job.purchase = found
        job.purchases = adopted(job.purchases, found.provider, found.model, found.key_id, found.cost_usd)
        return self._settle(job, JobStatus.SUCCEEDED)

    def _collect(self, job: ClaimedJob) -> ServeEnd | None:
        """Fetch what an earlier delivery bought and could not fetch or store; None where there is no such thing."""
        bought = next((each for each in job.purchases if each.uncollected is not None), None)
        if bought is None:
            return None
        call = next((route.call for route in job.spec.routes if route.offer.provider == bought.provider), None)
        reason, ends_at = "its time is up", job.worker_ends_at
        if call is not None:
            try:
                got = self._runner.collect(call, bought, job.holding, folder=job.folder, worker_ends_at=ends_at)
            except StoreUnavailable as error:
                reason = str(error)
            else:
                if isinstance(got, Failure):
                    return self._settle(job, JobStatus.FAILED, failure_error(got, ambiguous=False))
                job.purchase = got
                job.purchases = _without_links(job.purchases)
                return self._settle(job, JobStatus.SUCCEEDED)
        return self._later(job, bought, reason)

    def _later(self, job: ClaimedJob, bought: Spending, reason: str) -> ServeEnd:
        """Leave what is paid for to another delivery, ever later; at the deadline fail with its address."""
        left, now = bought.uncollected, self._clock.now()
        if left is None:
            raise TypeError("nothing is left to be fetched")
        logger.warning("result not fetched", extra={"request_id": job.spec.job_id, "reason": reason})
        if now >= job.spec.expires_at or not job.spec.routes:
            return self._settle(job, JobStatus.FAILED, unfetched_error(left.urls, reason))
        again = bought.model_copy(update={"uncollected": left.model_copy(update={"tries": left.tries + 1})})
        job.purchases = [again if each is bought else each for each in job.purchases]
        return self._defer(job, min(now + COLLECTING.ceiling(left.tries), job.spec.expires_at))

    # --- the flow -------------------------------------------------------------------------------------------------

    def _drive(self, job: ClaimedJob) -> ServeEnd:
        spec, max_wait = job.spec, self._keys.max_wait
        if spec.lost:
            return self._settle(job, JobStatus.FAILED, worker_lost_error(perhaps_paid(job.purchases)))
        budget = Budget(
            expires_at=spec.expires_at,
            worker_ends_at=job.worker_ends_at,
            max_wait=MAX_WAIT_SECONDS if max_wait is None else max_wait,
            resubmit=spec.request.on_ambiguous is OnAmbiguous.RESUBMIT,
            shared_limits=max_wait is not None,
            received_at=job.claimed.received_at / 1000,
            earlier=earlier_failures(job.claimed.attempts),
            paid=perhaps_paid(job.purchases),
        )
        routes = {route.offer.provider: route for route in spec.routes}
        work = _DirectWork(job, routes, self._keys, self._runner, self._telemetry, self._clock)
        try:
            ending = self._driver.drive(list(routes), budget, work)
        except ResultLost as error:
            if error.left is None:
                return self._settle(job, JobStatus.FAILED, lost_error(error))
            job.purchases[-1] = job.purchases[-1].model_copy(update={"uncollected": error.left})
            return self._later(job, job.purchases[-1], str(error))
        except StoreUnavailable as error:
            # Such as that of the budgets, before a further purchase: what was bought by now must not be forgotten.
            logger.warning("put off: %s", error, extra={"request_id": spec.job_id})
            return self._defer(job, self._clock.now() + STORE_RETRY_SECONDS)
        return self._end(job, ending)

    # --- endings ------------------------------------------------------------------------------------------------

    def _end(self, job: ClaimedJob, ending: Ending) -> ServeEnd:
        match ending:
            case Delivered():
                return self._settle(job, JobStatus.SUCCEEDED)
            case Failed(failure=failure, dear=dear) if dear:
                error = self._too_dear(job, dear, failure)
                return self._settle(job, JobStatus.FAILED, error)
            case Failed(failure=failure, ambiguous=ambiguous):
                return self._settle(job, JobStatus.FAILED, failure_error(failure, ambiguous=ambiguous))
            case Expired(would_take=seconds):
                return self._settle(job, JobStatus.EXPIRED, self._expired(job, seconds))
            case Deferred(requeue_at=requeue_at):
                return self._defer(job, requeue_at, job.reserved)

    @staticmethod
    def _too_dear(job: ClaimedJob, dear: Sequence[str], failure: Failure | None) -> JobError:
        prices = {each.offer.provider: each.offer.cost_usd for each in job.spec.routes if each.offer.provider in dear}
        return too_dear_error(prices, spent(job.purchases).cost_usd, job.spec.request.max_cost_usd, failure)

    @staticmethod
    def _expired(job: ClaimedJob, seconds: float | None) -> JobError:
        return expired_error(job.spec.expires_at, job.claimed.received_at, job.attempts, would_take=seconds)

    def _settle(self, job: ClaimedJob, status: JobStatus, error: JobError | None = None) -> ServeEnd:
        settlement = settlement_of(job, status, error, now=self._clock.now())
        settled = retry_until(lambda: self._jobs.settle(settlement), clock=self._clock, until=job.worker_ends_at)
        facts = {"request_id": job.spec.job_id, "status": status, "provider": settlement.provider}
        if settled:
            logger.info("settled", extra=facts)
        else:
            logger.error("lease lost before settling; another worker has the job", extra=facts)
        return Done(settlement if settled else None)

    def _defer(self, job: ClaimedJob, until: float, reservation: Reservation | None = None) -> ServeEnd:
        try:
            self._jobs.defer(job.spec.job_id, job.claim_id, **deferral_of(job, self._clock.now(), until))
        except StoreUnavailable as error:
            # The lease runs out by itself; only then will another delivery be able to claim the job.
            logger.warning("deferral not recorded", extra={"request_id": job.spec.job_id, "reason": error.reason})
            until = max(until, job.worker_ends_at + LEASE_GRACE_SECONDS)
        return Requeue(until, reservation)


class _DirectWork:
    """A job whose result comes with the answer to its call, as the flow sees it."""

    def __init__(
        self,
        job: ClaimedJob,
        routes: Mapping[str, Route],
        keys: KeyPools,
        runner: AttemptRunner,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self.job_id = job.spec.job_id
        self.worker_ends_at = job.worker_ends_at
        self.key: TakenKey | None = None
        self._job = job
        self._routes = routes
        self._keys = keys
        self._runner = runner
        self._telemetry = telemetry
        self._clock = clock

    def too_dear(self, provider: str) -> bool:
        """See `serving.flow_driver.Work.too_dear`."""
        job = self._job
        most, purse = job.spec.request.max_cost_usd, job.claimed.purse
        if most is None and purse is None:
            return False
        return too_dear(job.purchases, self._routes[provider].offer.cost_usd, most, purse)

    def take_key(self, step: TakeKey) -> TakenKey | NoPermit:
        """See `serving.flow_driver.Work.take_key`; with the permit that an earlier delivery reserved."""
        job, route = self._job, self._routes[step.provider]
        mine = job.reservation if job.reservation and job.reservation.provider == step.provider else None
        answer = self._keys.take(
            route.provider.vendor,
            step.provider,
            step.avoid,
            foreign=step.foreign,
            account=route.call.voice.account if route.call.voice else None,
            tenant=job.spec.request.tenant,
            reservation=mine,
            max_wait=step.max_wait,
        )
        if isinstance(answer, TakenKey):
            job.reservation = None
        return answer

    def return_key(self, key: TakenKey, provider: str) -> None:
        """See `serving.flow_driver.Work.return_key`."""
        self._keys.abandoned(key, provider)

    def reserve(self, step: Reserve) -> Reserved:
        """See `serving.flow_driver.Work.reserve`."""
        vendor, tenant = self._routes[step.provider].provider.vendor, self._job.spec.request.tenant
        got = self._keys.reserve(vendor, step.provider, tenant=tenant, within=step.within, lifetime=step.lifetime)
        if isinstance(got, NoPermit):
            return Reserved(None, got.retry_at, got.certain)
        self._job.reserved, arrive_at = got
        return Reserved(arrive_at)

    def call(self, provider: str, key: TakenKey) -> AttemptResult:
        """See `serving.flow_driver.Work.call`."""
        job, route = self._job, self._routes[provider]
        about_to = Spending(
            provider=provider,
            key_id=key.entry.key_id,
            model=route.call.model.id,
            estimate_usd=route.offer.cost_usd,
            state=SpendingState.SENDING,
            at=milliseconds(self._clock.now()),
        )
        job.purchases.append(about_to)
        ends_at = job.worker_ends_at
        return self._runner.run(route.provider, route.call, key, job.holding, folder=job.folder, worker_ends_at=ends_at)

    def conclude(self, provider: str, key: TakenKey, result: AttemptResult, *, started: float, urgent: bool) -> None:
        """See `serving.flow_driver.Work.conclude`."""
        failure, purchase = result.failure, result.purchase
        summary = AttemptSummary(
            provider=provider,
            key_id=key.entry.key_id,
            outcome=failure.outcome if failure else Outcome.DELIVERED,
            latency_ms=milliseconds(self._clock.now() - started),
            started_at=milliseconds(started),
            status=result.status,
            code=failure.code if failure else None,
            cost_usd=failure.cost_usd or None if failure else None,
            of_account=failure.of_account or None if failure else None,
        )
        self._job.attempts.append(summary)
        self._job.purchase = purchase
        state, cost_usd = outcome_of(purchase, failure)
        made = self._job.purchases.pop()
        self._job.purchases.append(made.model_copy(update={"state": state, "cost_usd": cost_usd}))
        metric = AttemptMetric(
            **summary.model_dump(exclude={"cost_usd", "of_account"}),
            request_id=self.job_id,
            cost_usd=purchase.cost_usd if purchase else summary.cost_usd or 0.0,
            model=self._routes[provider].call.model.id,
            failed_at=failed_at(kept_attempts(self._job)[:-1]) if summary.outcome in PROVIDER_FAULTS else [],
        )
        self._telemetry.metric(metric, urgent=urgent)
        shown = summary.model_dump(mode="json", exclude={"started_at"})
        logger.info("attempt", extra={"request_id": self.job_id, **shown})


def _without_links(purchases: Sequence[Spending]) -> list[Spending]:
    """Return the purchases of a job whose files are in the bucket."""
    return [each.model_copy(update={"uncollected": None}) for each in purchases]
