"""Submit a video or audio job: at most one submit is ever under way, and its outcome is in the record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from mediarelay.job_records.contract import JobError, JobRecord, Submission
from mediarelay.job_records.job_spec import merged, perhaps_paid, spent
from mediarelay.job_records.ports import Purse
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pools import KeyPools, TakenKey
from mediarelay.limits.acquiring import NoPermit
from mediarelay.limits.planning import patient
from mediarelay.long_jobs.account_slots import AccountSlots
from mediarelay.long_jobs.attempt_log import JobLog
from mediarelay.long_jobs.execution_state import ExecutionState, NextStep, VendorJob
from mediarelay.long_jobs.polling.history import CompletionHistory
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_jobs.submit.notes import RecordChanged, SubmitRun, bought, vendor_job
from mediarelay.long_jobs.submit.recovery import SubmitRecovery
from mediarelay.long_jobs.submit.resumption import (
    LOOKUP_PAUSE_SECONDS,
    Ambiguous,
    AwaitSender,
    Known,
    LookUp,
    PollAccepted,
    Send,
    resume,
)
from mediarelay.long_jobs.transitions import done, ending, expiring, until_back, until_polled, waiting
from mediarelay.long_jobs.vendor_client import VendorJobClient
from mediarelay.providers.api import JobProvider
from mediarelay.providers.offers import Route
from mediarelay.results.result_store import Folder, Holding, ResultLost, prefix_of
from mediarelay.routing.router import Router
from mediarelay.serving import failover as flow
from mediarelay.serving.attempts import (
    LEASE_GRACE_SECONDS,
    AttemptResult,
    AttemptRunner,
    milliseconds,
    outcome_of,
)
from mediarelay.serving.flow_driver import FlowDriver
from mediarelay.serving.job_errors import failure_error, lost_error, too_dear_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, SpendingState, SubmitState
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome

logger = logging.getLogger(__name__)


@frozen
class SubmitParts:
    """What a submit is made with. `purse_of` returns what is set aside for the job of a record."""

    keys: KeyPools
    slots: AccountSlots
    vendor_client: VendorJobClient
    runner: AttemptRunner
    recovery: SubmitRecovery
    log: JobLog
    clock: Clock
    purse_of: Callable[[JobRecord], Purse | None]


class JobSubmitter:
    """Submits jobs. One per worker. Thread-safe as far as its parts are; a function serves one job at a time."""

    def __init__(
        self,
        jobs: MediaJobStore,
        router: Router,
        driver: FlowDriver,
        parts: SubmitParts,
        history: CompletionHistory,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._router = router
        self._driver = driver
        self._parts = parts
        self._recovery = parts.recovery
        self._history = history
        self._clock = clock

    def submit(self, job: ExecutionState, *, worker_ends_at: float) -> ExecutionState:
        """Have the job accepted by a vendor, or say what to do instead: to try again later as well, where a store of
        ours is unavailable.
        """
        try:
            record = self._jobs.get(job.request_id)
        except StoreUnavailable as error:
            return self._unavailable(job, error)
        if record is None or record.status.settled or record.cancelled_at is not None:
            return done(job)
        find = partial(self._router.route, request=job.request, job_id=job.request_id, now=self._clock.now())
        folder = Folder(prefix_of(job.request.kind, job.received_at, job.request_id), record.fingerprint or "")
        bought_before = merged(record.purchases, job.purchases or ())
        purse = self._parts.purse_of(record) if record.earmark is not None else None
        run = SubmitRun(job, record.submit, worker_ends_at, find, folder, bought_before, purse=purse)
        try:
            return self._resume(run).model_copy(update={"purchases": run.purchases, "outages": None})
        except RecordChanged:
            # A faster worker has written what to do; the next run reads it.
            return waiting(run.job, NextStep.WAIT_TO_SUBMIT, 1)
        except StoreUnavailable as error:
            return self._interrupted(run, error)

    def _unavailable(self, job: ExecutionState, error: StoreUnavailable) -> ExecutionState:
        """Go on when the store is back; a job that a vendor has is polled meanwhile."""
        logger.warning("submit put off: %s", error, extra={"request_id": job.request_id, "outages": job.outages})
        if job.vendor:
            return until_polled(job, 1, calls_back=False)
        return until_back(job, NextStep.WAIT_TO_SUBMIT, now=self._clock.now())

    def _interrupted(self, run: SubmitRun, error: StoreUnavailable) -> ExecutionState:
        """Take with the execution what the record could not be told; past its deadline, end what is not under way."""
        concluded = run.job.concluded if run.concluded is None else run.concluded
        run.job = run.job.model_copy(update={"purchases": run.purchases, "concluded": concluded})
        if self._clock.now() >= run.job.expires_at and isinstance(resume(self._known(run), now=0.0), Send):
            return expiring(run.job)
        return self._unavailable(run.job, error)

    def _resume(self, run: SubmitRun) -> ExecutionState:
        now, known, vendor = self._clock.now(), run.known, run.job.vendor
        if vendor is not None and known is not None and vendor.unrecorded == known.sent_at:
            return self._follow(run, self._recorded(run, known, vendor))
        decision = resume(self._known(run), now=now)
        if isinstance(decision, Send | LookUp):
            self._router.refresh(run.job.providers)
        match decision:
            case PollAccepted() if known is not None:
                return self._follow(run, vendor_job(known))
            case AwaitSender(until=until):
                return waiting(run.job, NextStep.WAIT_TO_SUBMIT, until - now)
            case LookUp() if known is not None:
                found = self._recovery.look_up(run, known)
                return self._follow(run, found) if isinstance(found, VendorJob) else found
            case Ambiguous() if known is not None:
                return self._recovery.ambiguous(run, known)
            case Send():
                return self._send(run)
            case other:
                raise TypeError(f"{other} without a submit")

    def _recorded(self, run: SubmitRun, sent: Submission, vendor: VendorJob) -> VendorJob:
        """Tell the record what so far only the execution knows: that the vendor has the job."""
        if sent.state is SubmitState.SENT_UNKNOWN:
            facts = {"answered_at": milliseconds(vendor.accepted_at), "task": vendor.task}
            after = sent.model_copy(update={"state": SubmitState.ACCEPTED, **facts})
            self._recovery.notes.write(run, after, SpendingState.UNKNOWN)
        return vendor.model_copy(update={"unrecorded": None})

    def _known(self, run: SubmitRun) -> Known | None:
        """Return what the record says, unless it is of a submit that is over: of a job that failed and was given up
        for the next provider, or of one whose end the record could not be told.
        """
        submit = run.known
        if submit is None or submit.provider not in run.job.providers or submit.sent_at == run.job.concluded:
            return None
        return Known(submit.state, submit.lease_until / 1000, self._recovery.can_look_up(run, submit), submit.absences)

    def _send(self, run: SubmitRun) -> ExecutionState:
        job, health = run.job, self._driver.health
        earlier = flow.earlier_failures(job.attempts)
        paid = perhaps_paid(run.purchases)
        budget = flow.Budget(job.expires_at, run.worker_ends_at, earlier=earlier, paid=paid)
        try:
            with health.waiting(job.request_id, [run.route(name).offer for name in job.providers]):
                ending_of_flow = self._driver.drive(job.providers, budget, _SubmitWork(run, self._parts))
        except ResultLost as lost:
            return ending(run.job, JobStatus.FAILED, lost_error(lost))
        return self._end(run, ending_of_flow)

    def _end(self, run: SubmitRun, how: flow.Ending) -> ExecutionState:
        job = run.job
        match how:
            case flow.Delivered() if run.accepted is not None:
                return self._follow(run, run.accepted)
            case flow.Delivered() if run.purchase is not None:
                return bought(job, run.purchase)
            case flow.Failed(ambiguous=True) if run.known is not None:
                lost = run.known
                later = waiting(job, NextStep.WAIT_TO_SUBMIT, LOOKUP_PAUSE_SECONDS)
                return later if self._recovery.can_look_up(run, lost) else self._recovery.ambiguous(run, lost)
            case flow.Failed(failure=failure, dear=dear):
                error = _too_dear(run, dear, failure) if dear else failure_error(failure, ambiguous=False)
                return ending(job, JobStatus.FAILED, error)
            case flow.Deferred(requeue_at=requeue_at):
                # Ever longer, as messages wait: a vendor that refuses for hours must not fill the execution's history.
                now = self._clock.now()
                again = min(patient(requeue_at, now=now, trips=job.submits), job.expires_at)
                later = job.model_copy(update={"submits": job.submits + 1})
                return waiting(later, NextStep.WAIT_TO_SUBMIT, again - now)
            case flow.Expired():
                return expiring(job)
            case _:
                raise TypeError(f"{how} without what it needs")

    def _follow(self, run: SubmitRun, vendor: VendorJob) -> ExecutionState:
        job, route = run.job, run.route(vendor.provider)
        accepted = job.model_copy(update={"vendor": vendor})
        seconds = self._history.first_wait(vendor.provider, vendor.model, route.call.model.typical_seconds)
        elapsed = self._clock.now() - vendor.accepted_at
        left = job.expires_at - self._clock.now()
        calls_back = isinstance(route.provider, JobProvider) and route.provider.has_webhooks
        return until_polled(accepted, min(seconds - elapsed, left), calls_back=calls_back)


def _too_dear(run: SubmitRun, dear: Sequence[str], failure: Failure | None) -> JobError:
    prices = {name: run.route(name).offer.cost_usd for name in dear}
    return too_dear_error(prices, spent(run.purchases).cost_usd, run.job.request.max_cost_usd, failure)


class _SubmitWork:
    """A job that a vendor accepts, or delivers at once, as the flow sees it."""

    def __init__(self, run: SubmitRun, parts: SubmitParts) -> None:
        self.job_id = run.job.request_id
        self.worker_ends_at = run.worker_ends_at
        self.key: TakenKey | None = None
        self._visit = run
        self._keys = parts.keys
        self._slots = parts.slots
        self._parts = parts

    def too_dear(self, provider: str) -> bool:
        """See `serving.flow_driver.Work.too_dear`."""
        return self._visit.too_dear(provider)

    def take_key(self, step: flow.TakeKey) -> TakenKey | NoPermit:
        """See `serving.flow_driver.Work.take_key`: a key of an account that has a slot left."""
        job, vendor = self._visit.job, self._visit.route(step.provider).provider.vendor
        refused, full = step.avoid, False
        while isinstance(answer := self._keys.take(vendor, step.provider, refused, foreign=step.foreign), TakenKey):
            # No longer than this worker lives: a slot whose worker dies before it notes whose it is must come back.
            if self._slots.take(answer.entry, job.request_id, until=self.worker_ends_at + LEASE_GRACE_SECONDS):
                return answer
            self._keys.abandoned(answer, step.provider)
            full = True
            siblings = [key for key in self._keys.keys_of(vendor) if key.entry.account == answer.entry.account]
            refused |= {key.entry.key_id for key in siblings}
        free_at = self._slots.free_at(job) if full else None
        return NoPermit(min([each for each in (answer.retry_at, free_at) if each is not None], default=None))

    def return_key(self, key: TakenKey, provider: str) -> None:
        """See `serving.flow_driver.Work.return_key`."""
        self._keys.abandoned(key, provider)
        self._give_back(key)

    def reserve(self, step: flow.Reserve) -> flow.Reserved:
        """See `serving.flow_driver.Work.reserve`: a job of minutes has no reservations."""
        del step
        return flow.Reserved(None)

    def call(self, provider: str, key: TakenKey) -> AttemptResult:
        """See `serving.flow_driver.Work.call`: note that something is about to be sent, and send it."""
        run, parts, route = self._visit, self._parts, self._visit.route(provider)
        sent = self._noted(run, self._sending(route, key, parts.clock.now()), key)
        job = run.job
        if not isinstance(route.provider, JobProvider):
            ends_at = run.worker_ends_at
            holding = Holding(parts.runner.room, 0, ends_at)
            try:
                return parts.runner.run(
                    route.provider, route.call, key, holding, folder=run.folder, worker_ends_at=ends_at
                )
            finally:
                holding.release()
        deadline = run.worker_ends_at - LEASE_GRACE_SECONDS
        held = ApiKey(key.secret, key.entry)
        answer, status = parts.vendor_client.submit(
            route.provider, route.call, held, deadline=deadline, webhook_url=job.webhook_url
        )
        if isinstance(answer, Failure):
            return AttemptResult(None, answer, status)
        run.accepted = parts.recovery.accepted(run, sent, answer, key.entry)
        return AttemptResult(None, None, status)

    def conclude(self, provider: str, key: TakenKey, result: AttemptResult, *, started: float, urgent: bool) -> None:
        """See `serving.flow_driver.Work.conclude`: write down what is known, and return what is no longer needed."""
        run, parts, failure, purchase = self._visit, self._parts, result.failure, result.purchase
        run.purchase = purchase
        run.job = parts.log.attempt(
            run.job,
            provider,
            key.entry.key_id,
            failure.outcome if failure else Outcome.DELIVERED if purchase else Outcome.ACCEPTED,
            phase="call" if purchase else "submit",
            started=started,
            failure=failure,
            status=result.status,
            cost_usd=purchase.cost_usd if purchase else 0.0,
            urgent=urgent,
            model=run.routes[provider].call.model.id,
        )
        if run.accepted is not None or run.known is None:
            return
        if failure is not None and failure.outcome.follow is Follow.AMBIGUOUS:
            looked_up_from = milliseconds(parts.clock.now() + LOOKUP_PAUSE_SECONDS)
            later = run.known.model_copy(update={"lease_until": looked_up_from})
            parts.recovery.notes.write(run, later, SpendingState.UNKNOWN)
            return
        self._give_back(key)
        state, cost_usd = outcome_of(purchase, failure)
        if failure is not None:
            over = run.known.model_copy(update={"state": SubmitState.NOT_SENT})
            parts.recovery.notes.write(run, over, state, cost_usd)
        else:
            run.purchases = run.spent(run.known, state, cost_usd)

    def _noted(self, run: SubmitRun, sending: Submission, key: TakenKey) -> Submission:
        """Note that something is about to be sent, and return the slot of the submit before if that had another's."""
        before = run.known
        try:
            sent = self._parts.recovery.notes.write(run, sending, SpendingState.SENDING)
        except (RecordChanged, StoreUnavailable):
            # Should the note have been written after all, it is of a submit that never left.
            run.purchases = run.spent(sending, SpendingState.NOT_CHARGED)
            run.concluded = sending.sent_at
            self._give_back(key)
            raise
        if before is not None and before.state is SubmitState.SENT_UNKNOWN:
            vendor = run.route(before.provider).provider.vendor
            if (vendor, before.account) != (key.entry.vendor, key.entry.account):
                run.job = self._slots.returned(run.job, vendor, before.account)
        return sent

    def _give_back(self, key: TakenKey) -> None:
        """Return the slot that was taken with the key."""
        self._visit.job = self._slots.returned(self._visit.job, key.entry.vendor, key.entry.account)

    def _sending(self, route: Route, key: TakenKey, now: float) -> Submission:
        return Submission(
            state=SubmitState.SENT_UNKNOWN,
            provider=route.provider.name,
            model=route.call.model.id,
            key_id=key.entry.key_id,
            account=key.entry.account,
            sent_at=milliseconds(now),
            lease_until=milliseconds(self.worker_ends_at + LEASE_GRACE_SECONDS),
        )
