"""Ask how an accepted job is doing, with the key that submitted it, and decide what follows."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final, NamedTuple, TypeGuard

from mediarelay.job_records.contract import Spending, Submission
from mediarelay.job_records.job_spec import revised
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pinned import pinned_key
from mediarelay.keys.pools import KeyPools
from mediarelay.long_jobs.account_slots import LET_GO_FACTOR, AccountSlots
from mediarelay.long_jobs.attempt_log import JobLog
from mediarelay.long_jobs.execution_state import ExecutionState, FoundResult, NextStep, VendorJob
from mediarelay.long_jobs.polling.history import CompletionHistory
from mediarelay.long_jobs.polling.schedule import (
    AskAgain,
    GiveUp,
    PollDecision,
    PollProgress,
    TimeIsUp,
    TryNext,
    when_absent,
    when_failed,
    when_unanswered,
    while_running,
)
from mediarelay.long_jobs.submit.notes import vendor_job
from mediarelay.long_jobs.transitions import ending, expiring, next_provider, until_back, until_polled, waiting
from mediarelay.long_jobs.vendor_client import VendorJobClient
from mediarelay.providers.api import Absent, Accepted, Finished, JobAnswer, JobFailed, JobProvider, ProviderCall
from mediarelay.routing.router import Router
from mediarelay.serving.job_errors import failure_error, vanished_error
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState, SubmitState
from mediarelay.vocabulary.outcome import Failure, Outcome

logger = logging.getLogger(__name__)

RECORD_MARGIN_SECONDS: Final = 24 * 3600
_NO_KEY: Final = Failure(Outcome.KEY_REJECTED, "no_key", "the account that submitted the job has no key left")
_STUCK: Final = Failure(Outcome.TIMEOUT_SENT, "job_stuck", "the job was not done at its deadline")
_NO_SUCH_JOB: Final = Failure(Outcome.PROVIDER_FAULT, "job_vanished", "the vendor knows no such job", 404)


class _JobRoute(NamedTuple):
    """The provider that is asked about the job, and the call; `cost_usd` is what the vendor probably charges for it."""

    provider: JobProvider
    call: ProviderCall
    cost_usd: float


class JobPoller:
    """Polls jobs. One per worker."""

    def __init__(
        self,
        router: Router,
        keys: KeyPools,
        slots: AccountSlots,
        vendor_client: VendorJobClient,
        history: CompletionHistory,
        log: JobLog,
        *,
        clock: Clock,
    ) -> None:
        self._router = router
        self._keys = keys
        self._slots = slots
        self._vendor_client = vendor_client
        self._history = history
        self._log = log
        self._clock = clock

    def poll(self, job: ExecutionState, *, worker_ends_at: float) -> ExecutionState:
        """Ask once. Returns the state with what to do next: to ask later as well, where the keys cannot be read."""
        try:
            return self.ask(job, worker_ends_at=worker_ends_at)
        except StoreUnavailable as error:
            return self._without_keys(job, error, worker_ends_at)

    def ask(self, job: ExecutionState, *, worker_ends_at: float) -> ExecutionState:
        """Do as `poll` does, where the keys can be read.

        Raises:
            StoreUnavailable: They cannot.
        """
        vendor = job.vendor
        if vendor is None:
            raise TypeError("a job that no vendor accepted cannot be polled")
        route = self._route(job, vendor)
        self._keys.refresh({route.provider.vendor})
        job = job.model_copy(update={"outages": None})
        answer = self._ask(job, vendor, route, worker_ends_at)
        now = self._clock.now()
        if isinstance(answer, Finished):
            return self._found(job, vendor, route.provider, answer, now)
        vendor = _counted(vendor, answer)
        job = job.model_copy(update={"vendor": vendor})
        return self._follow(job, vendor, route, _decide(job, vendor, answer, now), worker_ends_at)

    def cancel(self, job: ExecutionState, *, deadline: float) -> ExecutionState:
        """Stop the job at the vendor. Returns it with what has become of the purchase.

        Raises:
            StoreUnavailable: The keys have never been read and cannot be read now.
        """
        if job.vendor is None:
            return job
        route = self._route(job, job.vendor)
        self._keys.refresh({route.provider.vendor})
        return self._cancel(job, job.vendor, route, deadline)

    def _without_keys(self, job: ExecutionState, error: StoreUnavailable, deadline: float) -> ExecutionState:
        """Ask when the keys can be read, past the job's deadline too: what the vendor keeps by then is paid for."""
        logger.warning("poll put off: %s", error, extra={"request_id": job.request_id, "outages": job.outages})
        now, vendor = self._clock.now(), job.vendor
        later = until_back(job, NextStep.WAIT_TO_POLL, now=now)
        if vendor is None:
            return job
        route = self._route(job, vendor)
        if now + later.wait_seconds < _kept_until(job, route.provider, vendor.accepted_at):
            return later
        return expiring(self._cancel(job, vendor, route, deadline))

    def look_up(self, job: ExecutionState, submit: Submission, *, deadline: float) -> VendorJob | None:
        """Ask the vendor whether a submit arrived of which no answer is known. Returns the job that it has of it."""
        route = self._router.route(submit.provider, job.request, job.request_id, now=self._clock.now())
        provider = route.provider
        key = pinned_key(self._keys, provider.vendor, submit.key_id, submit.account)
        if isinstance(provider, JobProvider) and key is not None:
            answer = self._vendor_client.look_up(provider, route.call, key, deadline=deadline)
            logger.info("looked up", extra={"request_id": job.request_id, "answer": type(answer).__name__})
            if isinstance(answer, Accepted):
                accepted = {"state": SubmitState.ACCEPTED, "task": dict(answer.task)}
                return vendor_job(submit.model_copy(update=accepted))
        return None

    def _cancel(self, job: ExecutionState, vendor: VendorJob, route: _JobRoute, deadline: float) -> ExecutionState:
        """Ask the vendor to stop the job."""
        provider = route.provider
        key = pinned_key(self._keys, provider.vendor, vendor.key_id, vendor.account)
        stopped = key is not None and self._vendor_client.cancel(provider, vendor.task, key, deadline=deadline)
        logger.info("cancelled at the vendor", extra={"request_id": job.request_id, "stopped": stopped})
        if stopped:
            job = self._slots.returned(job, provider.vendor, vendor.account)
        else:
            self._let_go(job, vendor, route)
        free = stopped and not provider.charges_stopped
        state = SpendingState.NOT_CHARGED if free else SpendingState.UNKNOWN
        return bought(job, vendor, state, estimate_usd=route.cost_usd)

    def _ask(self, job: ExecutionState, vendor: VendorJob, route: _JobRoute, deadline: float) -> JobAnswer:
        """Ask with the job's own key, or with a sibling if the vendor has just refused that one."""
        provider = route.provider
        key = pinned_key(self._keys, provider.vendor, vendor.key_id, vendor.account)
        if key is None:
            return _NO_KEY
        answer = self._put(job, vendor, route, key, deadline)
        if not _refuses_key(answer):
            return answer
        self._keys.noticed(key, vendor.provider, answer)
        sibling = pinned_key(self._keys, provider.vendor, vendor.key_id, vendor.account)
        if sibling is None or _same(sibling, key):
            return answer
        return self._put(job, vendor, route, sibling, deadline)

    def _put(self, job: ExecutionState, vendor: VendorJob, route: _JobRoute, key: ApiKey, deadline: float) -> JobAnswer:
        """Ask one question, and count it."""
        started = self._clock.now()
        answer, status = self._vendor_client.poll(route.provider, route.call, vendor.task, key, deadline=deadline)
        failure = _NO_SUCH_JOB if isinstance(answer, Absent) else answer if isinstance(answer, Failure) else None
        self._log.poll(job, vendor, key.entry.key_id, failure, status, started)
        return answer

    def _route(self, job: ExecutionState, vendor: VendorJob) -> _JobRoute:
        route = self._router.route(vendor.provider, job.request, job.request_id, now=self._clock.now())
        if not isinstance(route.provider, JobProvider):
            raise TypeError(f"{vendor.provider} has no jobs")
        return _JobRoute(route.provider, route.call, route.offer.cost_usd)

    def _found(
        self, job: ExecutionState, vendor: VendorJob, provider: JobProvider, answer: Finished, now: float
    ) -> ExecutionState:
        """Free the slot of a job that has finished at the vendor, whatever happens to the download."""
        job = self._slots.returned(job, provider.vendor, vendor.account)
        self._history.learn(vendor.provider, vendor.model, now - vendor.accepted_at, first=vendor.polls == 0)
        result = FoundResult(
            urls=[media.url for media in answer.media],
            formats=list(answer.formats),
            cost_usd=answer.cost_usd,
            found_at=now,
            fetch_until=_kept_until(job, provider, now),
        )
        counted = vendor.model_copy(update={"polls": vendor.polls + 1})
        job = bought(job, vendor, SpendingState.CHARGED, answer.cost_usd, estimate_usd=answer.cost_usd)
        return job.model_copy(update={"vendor": counted, "result": result, "next": NextStep.SETTLE})

    def _follow(
        self, job: ExecutionState, vendor: VendorJob, route: _JobRoute, decision: PollDecision, deadline: float
    ) -> ExecutionState:
        match decision:
            case AskAgain(seconds=seconds) if vendor.unrecorded is not None:
                return waiting(job, NextStep.WAIT_TO_SUBMIT, seconds)  # which tells the record on the way
            case AskAgain(seconds=seconds):
                return until_polled(job, seconds, calls_back=route.provider.has_webhooks)
            case TryNext(failure=failure):
                return next_provider(self._failed(job, vendor, route, failure), vendor.provider, failure)
            case GiveUp(failure=failure, paid=True):
                self._let_go(job, vendor, route)
                noted = self._log.completed(job, vendor, failure.outcome, failure=failure)
                noted = bought(noted, vendor, SpendingState.UNKNOWN, estimate_usd=route.cost_usd)
                return ending(noted, JobStatus.FAILED, vanished_error(failure))
            case GiveUp(failure=failure):
                failed, error = self._failed(job, vendor, route, failure), failure_error(failure, ambiguous=False)
                return ending(failed, JobStatus.FAILED, error)
            case TimeIsUp():
                job = self._stuck(job, vendor, route)
                return expiring(self._cancel(job, vendor, route, deadline))

    def _failed(self, job: ExecutionState, vendor: VendorJob, route: _JobRoute, failure: Failure) -> ExecutionState:
        """Record that the vendor's job failed; it is charged only where it finished with nothing that can be used."""
        job = self._slots.returned(job, route.provider.vendor, vendor.account)
        in_vain = failure.outcome is Outcome.UNUSABLE_DELIVERY
        cost_usd = failure.cost_usd or route.cost_usd if in_vain else failure.cost_usd
        state = SpendingState.CHARGED if cost_usd else SpendingState.NOT_CHARGED
        job = bought(job, vendor, state, cost_usd or None, estimate_usd=route.cost_usd)
        return self._log.completed(job, vendor, failure.outcome, failure=replace(failure, cost_usd=cost_usd))

    def _stuck(self, job: ExecutionState, vendor: VendorJob, route: _JobRoute) -> ExecutionState:
        """Count a missed deadline against the vendor if it left time enough; a tight one says nothing."""
        enough = LET_GO_FACTOR * route.call.model.typical_seconds
        if self._clock.now() - vendor.accepted_at < enough:
            return job
        return self._log.completed(job, vendor, _STUCK.outcome, failure=_STUCK)

    def _let_go(self, job: ExecutionState, vendor: VendorJob, route: _JobRoute) -> None:
        seconds = LET_GO_FACTOR * route.call.model.typical_seconds
        self._slots.leave(route.provider.vendor, vendor.account, job.request_id, seconds=seconds)


def bought(
    job: ExecutionState, vendor: VendorJob, state: SpendingState, cost_usd: float | None = None, *, estimate_usd: float
) -> ExecutionState:
    """Return the job with what has become of the purchase that this vendor accepted."""
    purchases = job.purchases or []
    mine = Spending(
        provider=vendor.provider,
        key_id=vendor.key_id,
        model=vendor.model,
        estimate_usd=estimate_usd,
        state=state,
        at=round(vendor.accepted_at * 1000),
    )
    for each in purchases:
        if each.provider == vendor.provider:
            mine = each
    return job.model_copy(update={"purchases": revised(purchases, mine, state, cost_usd)})


def _kept_until(job: ExecutionState, provider: JobProvider, made_at: float) -> float:
    """Return until when a result can be fetched that was made then: the vendor deletes it, and the record goes."""
    return min(made_at + provider.result_seconds, job.ttl - RECORD_MARGIN_SECONDS)


def _decide(job: ExecutionState, vendor: VendorJob, answer: JobAnswer, now: float) -> PollDecision:
    progress = PollProgress(vendor.accepted_at, job.expires_at, vendor.troubles, vendor.absences)
    match answer:
        case Failure():
            return when_unanswered(progress, answer, now=now)
        case Absent():
            return when_absent(progress, _NO_SUCH_JOB, now=now)
        case JobFailed(failure=failure):
            return when_failed(failure)
        case _:
            return while_running(progress, now=now)


def _counted(vendor: VendorJob, answer: JobAnswer) -> VendorJob:
    """Count one more poll, and troubles and absences in a row."""
    troubles = vendor.troubles + 1 if isinstance(answer, Failure) else 0
    absences = vendor.absences + 1 if isinstance(answer, Absent) else 0
    return vendor.model_copy(update={"polls": vendor.polls + 1, "troubles": troubles, "absences": absences})


def _refuses_key(answer: JobAnswer) -> TypeGuard[Failure]:
    return isinstance(answer, Failure) and answer.outcome is Outcome.KEY_REJECTED


def _same(one: ApiKey, other: ApiKey) -> bool:
    return one.entry.key_id == other.entry.key_id
