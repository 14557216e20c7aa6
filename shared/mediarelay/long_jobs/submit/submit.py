"""Submit a video or audio job: at most one submit is ever out, and what became of it is in the record."""

from __future__ import annotations

from random import Random

from mediarelay.job_records.contract import Submission
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pools import KeyRing, TakenKey
from mediarelay.long_jobs.account_slots import AccountSlots
from mediarelay.long_jobs.attempt_log import JobLog
from mediarelay.long_jobs.execution_state import MediaJob, NextStep, VendorJob
from mediarelay.long_jobs.polling.history import CompletionHistory
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_jobs.submit.keys import SubmitKeys
from mediarelay.long_jobs.submit.notes import Overtaken, SubmitNotes, Visit, bought, vendor_job
from mediarelay.long_jobs.submit.recovery import SubmitRecovery
from mediarelay.long_jobs.submit.resumption import (
    LOOKUP_PAUSE_SECONDS,
    Ambiguous,
    AwaitSender,
    Known,
    LookUp,
    Send,
    resume,
)
from mediarelay.long_jobs.submit.resumption import Follow as FollowUp
from mediarelay.long_jobs.transitions import done, ending, expiring, until_polled, waiting
from mediarelay.long_jobs.vendor_client import JobWire
from mediarelay.providers.api import JobProvider
from mediarelay.providers.offers import Offer
from mediarelay.results.result_store import ResultLost, prefix_of
from mediarelay.routing.router import Route, Router
from mediarelay.serving import failover as flow
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.claimed_job import LEASE_GRACE_SECONDS, milliseconds
from mediarelay.serving.job_errors import failure_error, lost_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.kinds import JobStatus, SubmitState
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome


class JobSubmitter:
    """One per worker. Thread-safe as far as its parts are; a function serves one job at a time."""

    def __init__(
        self,
        jobs: MediaJobStore,
        router: Router,
        keys: KeyRing,
        slots: AccountSlots,
        ready: SubmitKeys,
        wire: JobWire,
        runner: AttemptRunner,
        recovery: SubmitRecovery,
        notes: SubmitNotes,
        history: CompletionHistory,
        log: JobLog,
        *,
        clock: Clock,
        rng: Random,
    ) -> None:
        """`ready` finds a key for each submit; `keys` and `slots` hear what became of it."""
        self._jobs = jobs
        self._router = router
        self._keys = keys
        self._slots = slots
        self._ready = ready
        self._wire = wire
        self._runner = runner
        self._recovery = recovery
        self._notes = notes
        self._history = history
        self._log = log
        self._clock = clock
        self._rng = rng

    def submit(self, job: MediaJob, *, worker_ends_at: float) -> MediaJob:
        """Have the job accepted by a vendor, or say what to do instead.

        Raises:
            StoreUnavailable: Nothing was sent, or the record says that something may have been; try again.
        """
        self._keys.refresh()
        record = self._jobs.get(job.request_id)
        if record is None or record.status.settled:
            return done(job)
        visit = Visit(job, record.submit, worker_ends_at)
        try:
            return self._resume(visit)
        except Overtaken:
            # Whoever was faster has written what to do; the next visit reads it.
            return waiting(job, NextStep.WAIT_TO_SUBMIT, 1)

    def _resume(self, visit: Visit) -> MediaJob:
        now = self._clock.now()
        known = visit.known
        match resume(self._known(visit), now=now):
            case FollowUp() if known is not None:
                return self._follow(visit.job, vendor_job(known))
            case AwaitSender(until=until):
                return waiting(visit.job, NextStep.WAIT_TO_SUBMIT, until - now)
            case LookUp() if known is not None:
                found = self._recovery.look_up(visit, known)
                return self._follow(visit.job, found) if isinstance(found, VendorJob) else found
            case Ambiguous() if known is not None:
                return self._recovery.ambiguous(visit, known)
            case Send():
                with self._ready.waiting(visit.job, self._offers(visit.job)):
                    return self._send(visit)
            case other:
                raise TypeError(f"{other} without a submit")

    def _known(self, visit: Visit) -> Known | None:
        """What the record says, unless it speaks of a job that has failed and was given up for the next provider."""
        submit = visit.known
        if submit is None or submit.provider not in visit.job.providers:
            return None
        return Known(
            submit.state, submit.lease_until / 1000, self._recovery.can_look_up(visit.job, submit), submit.absences
        )

    # --- the failover flow and its effects ----------------------------------------------------------------------

    def _send(self, visit: Visit) -> MediaJob:
        job = visit.job
        budget = flow.Budget(expires_at=job.expires_at, worker_ends_at=visit.worker_ends_at)
        steps = flow.failover(job.providers, budget, now=self._clock.now(), rng=self._rng)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._perform(step, visit))
        except StopIteration as stop:
            return self._end(visit, stop.value)
        except ResultLost as lost:
            return ending(visit.job, JobStatus.FAILED, lost_error(lost), cost_usd=lost.purchase.cost_usd)

    def _perform(self, step: flow.Step, visit: Visit) -> flow.Reply:
        match step:
            case flow.TakeKey(provider=name, avoid=avoid):
                return self._take(visit, name, avoid)
            case flow.Call(provider=name):
                failure = self._call(visit, name)
                return flow.Answered(self._clock.now(), failure)
            case flow.Wait(seconds=seconds):
                self._clock.sleep(seconds)
                return flow.Waited(self._clock.now())

    def _take(self, visit: Visit, name: str, avoid: frozenset[str]) -> flow.Taken:
        vendor = self._route(visit.job, name).provider.vendor
        taken, key = self._ready.take(visit.job, name, vendor, avoid, until=visit.worker_ends_at)
        visit.key = key or visit.key
        return taken

    def _call(self, visit: Visit, name: str) -> Failure | None:
        key, route = visit.key, self._route(visit.job, name)
        if key is None:
            raise TypeError("the flow called before it took a key")
        started = self._ready.began(visit.job, name)
        try:
            sent = self._notes.write(visit, self._sending(visit, route, key, started))
            failure, status = self._ask(visit, route, key, sent)
        except ResultLost:
            self._keys.delivered(key, name)
            self._slots.release(route.provider.vendor, key.entry.account, visit.job.request_id)
            self._ready.ended(visit.job, name, Outcome.DELIVERED, started=started)
            raise
        except BaseException:
            self._keys.abandoned(key, name)
            self._ready.ended(visit.job, name, None, started=started)
            raise
        self._conclude(visit, name, key, failure, sent)
        self._note(visit, name, key, failure, status, started)
        return failure

    def _ask(self, visit: Visit, route: Route, key: TakenKey, sent: Submission) -> tuple[Failure | None, int | None]:
        """None when the vendor accepted or delivered."""
        held = ApiKey(key.secret, key.entry)
        if isinstance(route.provider, JobProvider):
            deadline = visit.worker_ends_at - LEASE_GRACE_SECONDS
            url = visit.job.webhook_url
            answer, status = self._wire.submit(route.provider, route.call, held, deadline=deadline, webhook_url=url)
            if isinstance(answer, Failure):
                return answer, status
            visit.accepted = self._recovery.accepted(visit, sent, answer)
            return None, status
        job = visit.job
        prefix = prefix_of(job.request.kind, job.received_at, job.request_id)
        result = self._runner.run(route.direct, route.call, key, prefix=prefix, worker_ends_at=visit.worker_ends_at)
        visit.purchase = result.purchase
        return result.failure, result.status

    def _conclude(self, visit: Visit, name: str, key: TakenKey, failure: Failure | None, sent: Submission) -> None:
        """Write down what is known now, and give back what is not needed any more."""
        job, vendor = visit.job, key.entry.vendor
        if failure is None:
            self._keys.delivered(key, name)
            if visit.purchase is not None:
                self._slots.release(vendor, key.entry.account, job.request_id)
            return
        self._keys.failed(key, name, failure)
        if failure.outcome.follow is Follow.AMBIGUOUS:
            looked_up_from = milliseconds(self._clock.now() + LOOKUP_PAUSE_SECONDS)
            self._notes.write(visit, sent.model_copy(update={"lease_until": looked_up_from}))
            return
        self._notes.write(visit, sent.model_copy(update={"state": SubmitState.NOT_SENT}))
        self._slots.release(vendor, key.entry.account, job.request_id)

    def _sending(self, visit: Visit, route: Route, key: TakenKey, now: float) -> Submission:
        return Submission(
            state=SubmitState.SENT_UNKNOWN,
            provider=route.provider.name,
            model=route.call.model.id,
            key_id=key.entry.key_id,
            account=key.entry.account,
            sent_at=milliseconds(now),
            lease_until=milliseconds(visit.worker_ends_at + LEASE_GRACE_SECONDS),
        )

    def _note(
        self, visit: Visit, name: str, key: TakenKey, failure: Failure | None, status: int | None, started: float
    ) -> None:
        delivered = Outcome.DELIVERED if visit.purchase else Outcome.ACCEPTED
        outcome = failure.outcome if failure else delivered
        urgent = self._ready.ended(visit.job, name, outcome, started=started)
        visit.job = self._log.attempt(
            visit.job,
            name,
            key.entry.key_id,
            outcome,
            phase="call" if visit.purchase else "submit",
            started=started,
            failure=failure,
            status=status,
            cost_usd=visit.purchase.cost_usd if visit.purchase else 0.0,
            urgent=urgent,
        )

    def _offers(self, job: MediaJob) -> list[Offer]:
        """What is left of those that dispatch found."""
        return [_offer(self._route(job, name)) for name in job.providers]

    def _route(self, job: MediaJob, name: str) -> Route:
        return self._router.route(name, job.request, job.request_id, now=self._clock.now())

    # --- endings ------------------------------------------------------------------------------------------------

    def _end(self, visit: Visit, how: flow.Ending) -> MediaJob:
        job = visit.job
        match how:
            case flow.Delivered() if visit.accepted is not None:
                return self._follow(job, visit.accepted)
            case flow.Delivered() if visit.purchase is not None:
                return bought(job, visit.purchase)
            case flow.Failed(ambiguous=True) if visit.known is not None:
                lost = visit.known
                later = waiting(job, NextStep.WAIT_TO_SUBMIT, LOOKUP_PAUSE_SECONDS)
                return later if self._recovery.can_look_up(job, lost) else self._recovery.ambiguous(visit, lost)
            case flow.Failed(failure=failure):
                return ending(job, JobStatus.FAILED, failure_error(failure, ambiguous=False))
            case flow.Deferred(until=until):
                later = job.model_copy(update={"submits": job.submits + 1})
                return waiting(later, NextStep.WAIT_TO_SUBMIT, until - self._clock.now())
            case flow.Expired():
                return expiring(job)
            case _:
                raise TypeError(f"{how} without what it needs")

    def _follow(self, job: MediaJob, vendor: VendorJob) -> MediaJob:
        accepted = job.model_copy(update={"vendor": vendor})
        route = self._route(job, vendor.provider)
        seconds = self._history.first_wait(vendor.provider, vendor.model, route.call.model.typical_seconds)
        elapsed = self._clock.now() - vendor.accepted_at
        left = job.expires_at - self._clock.now()
        told = isinstance(route.provider, JobProvider) and route.provider.has_webhooks
        return until_polled(accepted, min(seconds - elapsed, left), told=told)


def _offer(route: Route) -> Offer:
    price = route.provider.estimate_usd(route.call)
    return Offer(route.provider.name, price, route.call.model.typical_seconds, usable_keys=1)
