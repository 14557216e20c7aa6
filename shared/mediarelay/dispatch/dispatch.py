"""One message of the request queue, from its body to its end: a result, a deferral, or the DLQ with the cause."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final

from mediarelay.dispatch.ports import QueueMessage, RequestQueue, Seldom
from mediarelay.job_records.claims import Cancelled, Conflict, Rejection
from mediarelay.job_records.contract import JobError
from mediarelay.job_records.job_spec import (
    DEFAULT_TIMEOUT_SECONDS,
    RECORD_SECONDS,
    JobSpec,
    deadline_of,
    fingerprint_of,
    group_of,
    job_key,
    job_specs,
    rejection_of,
)
from mediarelay.job_records.ports import JobStore
from mediarelay.limits.planning import Reservation, delay_seconds, patient, read, written
from mediarelay.providers.offers import Route
from mediarelay.request.bounds import plain_key
from mediarelay.request.model import REQUEST_ID, MediaRequest
from mediarelay.request.parsing import Cancellation, parse_message, salvage
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import claim_of
from mediarelay.serving.job_errors import OVER_BUDGET, cancelled_error, used_before
from mediarelay.serving.serve import STORE_RETRY_SECONDS, Done, JobServer, Requeue, ServeEnd
from mediarelay.vocabulary.backoff import LATE_SECONDS
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import OverBudget, RequestRejected, StoreUnavailable
from mediarelay.vocabulary.kinds import LONG_KINDS, JobStatus, Kind, Strategy
from mediarelay.vocabulary.retrying import retry_until

logger = logging.getLogger(__name__)

# A requeued copy carries these, so that it stays the same message: its id, and the moment it was first published.
REQUEST_ID_ATTRIBUTE: Final = "mediarelay_request_id"
SENT_AT_ATTRIBUTE: Final = "mediarelay_sent_at"
RESERVATION_ATTRIBUTE: Final = "mediarelay_slot"  # the permit reserved for it, see limits.acquiring
NO_RESERVATION: Final = "none"
TRIPS_ATTRIBUTE: Final = "mediarelay_trips"  # how often it was deferred
# On what was given up, and not on what SQS moves to the queue of lost requests: that may be a message that was parked
# once, and still has the cause of that.
GIVEN_UP_ATTRIBUTE: Final = "mediarelay_given_up"
AGE_METRIC: Final = "MessageAge"  # since it was first published, whenever it is deferred
# Lambda's own bound of some sixteen trips is off (template, RecursiveLoop). A day of waiting without a reservation is
# fewer than five hundred trips, by `patient`.
TRIPS_LIMIT: Final = 1000
# So long past its deadline a message comes back to have its end recorded: a late event is better than none.
ENDING_SECONDS: Final = 900
TELEMETRY_SECONDS: Final = 2.0
BRANCH_THREADS: Final = 16
MOMENT_DIGITS: Final = 15  # unix milliseconds, with room for thirty thousand years


class DispatchService:
    """Handles messages. Thread-safe: a batch is handled by as many threads as it has messages."""

    def __init__(
        self,
        jobs: JobStore,
        queue: RequestQueue,
        router: Router,
        server: JobServer,
        *,
        seldom: Seldom,
        clock: Clock,
    ) -> None:
        self._seldom = seldom
        self._jobs = jobs
        self._queue = queue
        self._router = router
        self._server = server
        self._lost_queue = f":{seldom.lost_queue}"
        self._front_queue = f":{seldom.front_queue}"
        self._clock = clock
        self._threads = ThreadPoolExecutor(max_workers=BRANCH_THREADS, thread_name_prefix="branch")

    def begin_batch(self, messages: int) -> None:
        """Begin an invocation, before the first of so many messages is handled."""
        self._server.begin_batch(messages)

    def end_batch(self, *, worker_ends_at: float) -> None:
        """End an invocation, after every result is settled: write what other workers need to know of it."""
        self._server.end_batch(min(TELEMETRY_SECONDS, max(0.0, worker_ends_at - self._clock.now())))

    def write_telemetry(self) -> None:
        """Begin to write it, amid an invocation that goes on."""
        self._server.write_telemetry()

    def handle(self, message: QueueMessage, *, worker_ends_at: float, company: bool = False) -> None:
        """Bring one message to its end. Returning means that it may be deleted.

        Args:
            message: It was received.
            worker_ends_at: When it must have come to its end; unix seconds.
            company: Whether other messages are served beside it, which a picture would outlast.

        Raises:
            StoreUnavailable: Not finished; the message must be received again.
        """
        try:
            begun = message.receive_count > 1 or TRIPS_ATTRIBUTE in message.attributes
            wanted = parse_message(message.body, None if begun else self._seldom.callback_hosts)
            if message.source.endswith(self._lost_queue):
                self._end_lost(message, wanted, worker_ends_at)
                return
            try:
                if isinstance(wanted, Cancellation):
                    self._seldom.canceller().cancel(
                        wanted.request_id, tenant=wanted.tenant, worker_ends_at=worker_ends_at
                    )
                elif not (company and self._passed_on(message, wanted)):
                    self._serve(message, wanted, worker_ends_at)
            except StoreUnavailable as error:
                logger.warning("message deferred: %s", error, extra={"message_id": message.message_id})
                again = Requeue(self._clock.now() + STORE_RETRY_SECONDS)
                self._defer(message, wanted, again, worker_ends_at, cause=str(error))
        except RequestRejected as rejected:
            self._reject(message, rejected, worker_ends_at)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 # ours, whatever it is: logged in full, and parked with its name
            facts = {"message_id": message.message_id, **self._server.exception_fields(error)}
            logger.error("message parked", extra=facts)  # noqa: TRY400 # the trace is in the facts, redacted
            self._park(message, "internal_error", f"mediarelay failed with {type(error).__name__}")

    def _passed_on(self, message: QueueMessage, request: MediaRequest) -> bool:
        """Send a picture on to the queue of pictures; False of what is served here, as when that can't be done."""
        if request.kind is not Kind.IMAGE or not message.source.endswith(self._front_queue):
            return False
        try:
            self._queue.send_later(message, delay_seconds=0, attributes=_identity(message), pictures=True)
        except StoreUnavailable as error:
            logger.warning("not passed on: %s", error, extra={"message_id": message.message_id})
            return False
        return True

    def _branches(self, message: QueueMessage, request: MediaRequest, worker_ends_at: float) -> Sequence[JobSpec]:
        """Return the jobs to serve: none where all of strategy `all` were cancelled before they came."""
        copied = REQUEST_ID_ATTRIBUTE in message.attributes
        own = _own_id(message) if copied else message.message_id
        request_id = job_key(request.request_id or own, request.tenant)
        seen = copied or message.receive_count > 1
        routes, in_parts = self._routes(request, request_id)
        specs = job_specs(request, request_id, routes, _sent_at(message), known=seen, in_parts=in_parts, message_id=own)
        if self._seldom.keep is not None:
            asked = self._seldom.keep(request)
            specs = [replace(spec, asked=asked) for spec in specs]
        if request.strategy is Strategy.ALL and not self._open_group(specs, request_id):
            now = self._clock.now()
            for spec in specs:
                self._jobs.end_unserved(claim_of(self._as_begun(spec), now, worker_ends_at), cancelled_error())
            return ()
        return specs

    def _open_group(self, specs: Sequence[JobSpec], request_id: str) -> bool:
        """Take the id itself, by which none of the jobs goes, so that no other request is served under it.

        Returns False when the request was cancelled before it came.
        """
        key, now = self._key_now(request_id, specs[0].request.tenant), round(self._clock.now() * 1000)
        match self._jobs.open_group(group_of(specs, key, specs[0].expires_at + RECORD_SECONDS, now)):
            case Conflict():
                raise used_before(request_id)
            case Cancelled():
                return False
            case None:
                return True

    def _key_now(self, key: str, tenant: str | None) -> str:
        """Return the key of a job: the plain one where a version that knew no tenants has begun it for this tenant.

        A request without a tenant has but one, and nothing is read for it.
        """
        if tenant is None:
            return key
        plain = plain_key(key)
        before = self._jobs.get(plain)
        begun = before is not None and before.tenant == tenant and before.status is not JobStatus.REJECTED
        return plain if begun else key

    def _as_begun(self, spec: JobSpec) -> JobSpec:
        """Return the job by the key that it has now: what was begun before is neither lost nor bought again."""
        key = self._key_now(spec.job_id, spec.request.tenant)
        if key == spec.job_id:
            return spec
        return replace(spec, job_id=key, routes=[route.of_job(key) for route in spec.routes])

    def _routes(self, request: MediaRequest, request_id: str) -> tuple[Sequence[Route], bool]:
        """Return the routes that serve the request; and whether in parts, since only its length is too much for all."""
        now = self._clock.now()
        try:
            routes = self._router.routes(request, request_id, now=now)
            return routes if request.kind in LONG_KINDS else self._fitting(request, routes), False
        except RequestRejected as rejected:
            from mediarelay.long_speech.planning import sample  # noqa: PLC0415 # only a text that no model takes pays

            shorter = sample(request) if rejected.code == "no_provider" else None
            if shorter is None:
                raise
        return self._router.routes(shorter, request_id, now=now, whole=request), True

    def _fitting(self, request: MediaRequest, routes: Sequence[Route]) -> Sequence[Route]:
        """Return the routes whose answers a worker can hold."""
        fitting: list[Route] = []
        refusals: list[str] = []
        for route in routes:
            most = self._server.most_bytes
            if route.answer_bytes <= most:
                fitting.append(route)
            else:
                refusals.append(
                    f"{'input.n, input.size' if request.kind is Kind.IMAGE else 'input.text'}: {route.offer.provider} "
                    f"may answer with {route.answer_bytes // 1_000_000} MB, and a worker holds {most // 1_000_000} MB "
                    "at once; ask for less"
                )
        if refusals and (not fitting or (request.strategy is Strategy.ALL and request.providers)):
            raise RequestRejected("no_provider", "; ".join(refusals))
        return fitting

    def _serve(self, message: QueueMessage, request: MediaRequest, worker_ends_at: float) -> None:
        """Serve all jobs of the message at once; one that fails does not affect the others, nor their deferral."""
        specs = self._branches(message, request, worker_ends_at)
        if not specs:
            return
        reservation = read(message.attributes.get(RESERVATION_ATTRIBUTE))
        *others, last = [partial(self._ending, spec, worker_ends_at, reservation) for spec in specs]
        running = [self._threads.submit(serve) for serve in others]
        ends = [last(), *map(Future.result, running)]
        first, failure = None, None
        for end in ends:
            if isinstance(end, Exception):
                failure = failure or end
            elif isinstance(end, Requeue) and (first is None or end.at < first.at):
                first = end
        if first is not None:
            self._defer(message, request, first, worker_ends_at)
        if failure is not None:
            raise failure

    def _ending(self, spec: JobSpec, worker_ends_at: float, reservation: Reservation | None) -> ServeEnd | Exception:
        try:
            spec = self._as_begun(spec)
            if spec.request.cache_seconds is None:
                return self._brought_on(spec, worker_ends_at, reservation)
            serve = partial(self._brought_on, worker_ends_at=worker_ends_at, reservation=reservation)
            return self._seldom.reusing().serve(spec, serve, worker_ends_at=worker_ends_at)
        except StoreUnavailable as error:
            logger.warning("job unfinished: %s", error, extra={"request_id": spec.job_id})
            return Requeue(self._clock.now() + STORE_RETRY_SECONDS)
        except OverBudget as over:
            return self._over_budget(spec, over, worker_ends_at)
        except Exception as error:  # noqa: BLE001 # raised again once every branch has come to its end
            return error

    def _brought_on(self, spec: JobSpec, worker_ends_at: float, reservation: Reservation | None) -> ServeEnd:
        if spec.in_parts or spec.request.kind in LONG_KINDS:
            return Done() if self._seldom.starter().start(spec, worker_ends_at=worker_ends_at) else Done(before=True)
        return self._server.serve(spec, worker_ends_at=worker_ends_at, reservation=reservation)

    def _over_budget(self, spec: JobSpec, over: OverBudget, worker_ends_at: float) -> ServeEnd | Exception:
        """Have it wait for the next window, if it wants to and lives so long, or end it; its id may be used again."""
        if spec.request.on_budget == "wait" and over.ends_at < spec.expires_at:
            return Requeue(over.ends_at)
        now = self._clock.now()
        error = JobError(code=OVER_BUDGET, message=over.message, retryable=True)
        rejection = rejection_of(spec, error, round(now * 1000), round(now) + RECORD_SECONDS)
        logger.warning("over budget", extra={"request_id": spec.job_id, "reason": over.message})
        try:
            if self._jobs.reject(rejection):
                return Done()
            # It was served before there was a budget: what it has bought counts.
            return self._server.serve(replace(spec, routes=(), expires_at=int(now)), worker_ends_at=worker_ends_at)
        except StoreUnavailable:
            return Requeue(now + STORE_RETRY_SECONDS)

    def _defer(
        self,
        message: QueueMessage,
        wanted: MediaRequest | Cancellation,
        again: Requeue,
        worker_ends_at: float,
        *,
        cause: str = "it could not be served by then",
    ) -> None:
        """Defer the message; past its deadline, or after too many trips, end it with its cause instead."""
        now, deadline, trips = self._clock.now(), _deadline(message, wanted), _trips(message)
        too_often = trips >= TRIPS_LIMIT
        if (too_often or now >= deadline) and self._ended(message, wanted, worker_ends_at):
            return
        if too_often or now >= deadline + ENDING_SECONDS:
            self._give_up(message, wanted, "deferred_too_often" if too_often else "store_unavailable", cause)
        else:
            end = deadline if now < deadline else min(deadline + ENDING_SECONDS, now + LATE_SECONDS)
            pictures = not isinstance(wanted, Cancellation) and wanted.kind is Kind.IMAGE
            self._send_later(message, again, trips, end=end, pictures=pictures)

    def _ended(self, message: QueueMessage, wanted: MediaRequest | Cancellation, worker_ends_at: float) -> bool:
        """Settle the job as expired, which takes neither keys nor providers; False when that can't be done here.

        A job of minutes is its execution's to end, and the jobs of strategy `all` are known by their providers only.
        """
        if isinstance(wanted, Cancellation) or wanted.kind in LONG_KINDS or wanted.strategy is Strategy.ALL:
            return False
        try:
            return isinstance(self._server.serve(self._over(message, wanted), worker_ends_at=worker_ends_at), Done)
        except StoreUnavailable:
            return False

    def _over(self, message: QueueMessage, request: MediaRequest) -> JobSpec:
        """Return the job by the request's own key, without routes, as one whose deadline has passed."""
        own_id = _own_id(message)
        key = self._key_now(job_key(request.request_id or own_id, request.tenant), request.tenant)
        sent_at, asked = _sent_at(message), fingerprint_of(request)
        over = min(deadline_of(request, sent_at), int(self._clock.now()))
        return JobSpec(key, request, (), sent_at, over, asked, known=True, message_id=own_id)

    def _give_up(self, message: QueueMessage, wanted: MediaRequest | Cancellation, code: str, cause: str) -> None:
        """Record the end and park the message; where there is a job already, or no table, its end comes later."""
        reason = f"deferred {_trips(message)} times: {cause}"
        logger.error("message given up", extra={"message_id": message.message_id, "code": code, "reason": reason})
        recorded = isinstance(wanted, Cancellation)
        try:
            recorded = recorded or self._record_end(message, code, reason)
        except StoreUnavailable as error:
            logger.warning("end not recorded: %s", error, extra={"message_id": message.message_id})
        if recorded:
            self._park(message, code, reason)
        else:
            first = self._as_first(message)
            # First, since the first find room beside the cause.
            given_up = replace(first, attributes={GIVEN_UP_ATTRIBUTE: code, **first.attributes})
            self._queue.give_up(given_up, code=code, reason=reason)

    def _end_lost(self, message: QueueMessage, wanted: MediaRequest | Cancellation, worker_ends_at: float) -> None:
        """End the jobs of a lost request; what five workers were lost over is parked as well, for people to look at."""
        # Imported here: only a lost request pays for what ends it.
        from mediarelay.dispatch.lost import WORKER_LOST, LostRequests  # noqa: PLC0415 # as above

        cause = message.attributes.get(GIVEN_UP_ATTRIBUTE)
        if not isinstance(wanted, Cancellation):
            over = replace(self._over(message, wanted), lost=cause is None)
            lost = LostRequests(self._jobs, self._server, restart=self._serve, reject=self._record_end)
            lost.end(message, wanted, over, cause or WORKER_LOST, worker_ends_at=worker_ends_at)
        if cause is None:
            self._park(message, WORKER_LOST, "every worker that received it was lost")

    def _record_end(self, message: QueueMessage, code: str, reason: str) -> bool:
        return self._jobs.reject(self._rejection(message, JobError(code=code, message=reason, retryable=True)))

    def _send_later(self, message: QueueMessage, again: Requeue, trips: int, *, end: float, pictures: bool) -> None:
        """Publish a delayed copy; the original is then deleted, so that its receive count is not spent.

        It comes back at its end at the latest, so that it is told then and not some minutes later.
        """
        now = self._clock.now()
        attributes = {**_identity(message), TRIPS_ATTRIBUTE: str(trips + 1)}
        if again.reservation is not None:
            attributes[RESERVATION_ATTRIBUTE] = written(again.reservation)
            delay = delay_seconds(again.at, now=now)
        else:
            delay = delay_seconds(min(patient(again.at, now=now, trips=trips), end), now=now)
            if RESERVATION_ATTRIBUTE in message.attributes:
                attributes[RESERVATION_ATTRIBUTE] = NO_RESERVATION  # a copy keeps what it is not given anew
        self._queue.send_later(message, delay_seconds=delay, attributes=attributes, pictures=pictures)
        # The queue's own age begins anew with every copy.
        self._seldom.counters.observe(AGE_METRIC, now - _sent_at(message) / 1000)
        logger.info("deferred", extra={"message_id": message.message_id, "delay_seconds": delay})

    def _park(self, message: QueueMessage, code: str, reason: str) -> None:
        self._queue.park(self._as_first(message), code=code, reason=reason)

    @staticmethod
    def _as_first(message: QueueMessage) -> QueueMessage:
        """Return the message as the one that it was first, so that a redrive buys nothing twice and nothing late."""
        ours = {*_identity(message), RESERVATION_ATTRIBUTE, TRIPS_ATTRIBUTE, GIVEN_UP_ATTRIBUTE}
        others = {name: value for name, value in message.attributes.items() if name not in ours}
        return replace(message, attributes={**_identity(message), **others})

    def _reject(self, message: QueueMessage, rejected: RequestRejected, worker_ends_at: float) -> None:
        """Send it to the DLQ first: if the worker dies in between, the message is parked twice, never lost."""
        logger.warning("rejected", extra={"message_id": message.message_id, "code": rejected.code})
        retry_until(
            lambda: self._park(message, rejected.code, rejected.message), clock=self._clock, until=worker_ends_at
        )
        error = JobError(code=rejected.code, message=rejected.message, retryable=False)
        self._record(self._rejection(message, error), message, worker_ends_at)

    def _rejection(self, message: QueueMessage, error: JobError) -> Rejection:
        known = salvage(message.body, self._seldom.callback_hosts)
        return Rejection(
            request_id=job_key(known.get("request_id", _own_id(message)), known.get("tenant")),
            received_at=_sent_at(message),
            settled_at=round(self._clock.now() * 1000),
            error=error,
            ttl=round(self._clock.now()) + RECORD_SECONDS,
            kind=Kind(known["kind"]) if "kind" in known else None,
            metadata=known.get("metadata", {}),
            message_id=_own_id(message),
            **{name: known.get(name) for name in ("tenant", "client", "reply_to", "callback_url", "callback_body")},
        )

    def _record(self, rejection: Rejection, message: QueueMessage, worker_ends_at: float) -> None:
        """Record a rejection under the publisher's id, or the message's own if that id is of a job that was served."""
        taken = not retry_until(lambda: self._jobs.reject(rejection), clock=self._clock, until=worker_ends_at)
        if taken:
            key, published = job_key(_own_id(message), rejection.tenant), plain_key(rejection.request_id)
            mine = replace(rejection, request_id=key, published_id=published)
            retry_until(lambda: self._jobs.reject(mine), clock=self._clock, until=worker_ends_at)


def _own_id(message: QueueMessage) -> str:
    noted = message.attributes.get(REQUEST_ID_ATTRIBUTE, "")
    # Whatever a publisher put there: an id is no key of another tenant's, of a branch or of a part.
    return noted if re.fullmatch(REQUEST_ID, noted) else message.message_id


def _sent_at(message: QueueMessage) -> int:
    noted = message.attributes.get(SENT_AT_ATTRIBUTE, "")
    return int(noted) if noted.isdecimal() and len(noted) <= MOMENT_DIGITS else message.sent_at


def _trips(message: QueueMessage) -> int:
    noted = message.attributes.get(TRIPS_ATTRIBUTE, "")
    return int(noted) if noted.isdecimal() and len(noted) <= MOMENT_DIGITS else 0


def _identity(message: QueueMessage) -> dict[str, str]:
    """Return the attributes by which a copy stays the same message."""
    return {REQUEST_ID_ATTRIBUTE: _own_id(message), SENT_AT_ATTRIBUTE: str(_sent_at(message))}


def _deadline(message: QueueMessage, wanted: MediaRequest | Cancellation) -> int:
    """Return when the message must have ended; a cancellation, when the job that it may be for has."""
    if isinstance(wanted, Cancellation):
        return _sent_at(message) // 1000 + DEFAULT_TIMEOUT_SECONDS[Kind.VIDEO]
    return deadline_of(wanted, _sent_at(message))
