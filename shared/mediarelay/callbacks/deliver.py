"""From an announced result to the server of whoever asked to be called back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from mediarelay.callbacks.ports import CallbackMessage, CallbackQueue, CallbackRecords, CallbackSecrets, GivenUpTopic
from mediarelay.callbacks.schedule import GONE, Reception, Rests, delay_after
from mediarelay.callbacks.signing import payload, signed_headers, webhook_id
from mediarelay.http.messages import HttpRequest
from mediarelay.http.ports import HttpClient
from mediarelay.job_records.contract import CallbackTries, JobRecord
from mediarelay.request.bounds import host_allowed, receiver_of
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from mediarelay.vocabulary.frozen import frozen

logger = logging.getLogger(__name__)

THREADS: Final = 10  # as many as a batch has messages: none waits for another's receiver
CALL_SECONDS: Final = 15.0
FAILED_METRIC: Final = "CallbacksFailed"
# A message that comes so little before its time is not sent away again.
EARLY_SECONDS: Final = 2.0
# SNS and SQS may deliver a message twice. A copy comes so long after its time that the other one has been tried.
COPY_SECONDS: Final = 30.0
_NOT_ALLOWED: Final = "callback_not_allowed"


@frozen
class Receivers:
    """Whom callbacks may go to.

    Attributes:
        hosts: Names, and domains as `*.example.com`.
        instead: Where calls to a host go on the local stage, by the host.
    """

    hosts: Sequence[str]
    instead: dict[str, str]


class CallbackCaller:
    """Calls receivers. Thread-safe."""

    def __init__(self, secrets: CallbackSecrets, http: HttpClient, receivers: Receivers, clock: Clock) -> None:
        self._secrets = secrets
        self._http = http
        self._receivers = receivers
        self._clock = clock

    def called(self, message: CallbackMessage, event: dict[str, Any], host: str, path: str) -> tuple[Reception, str]:
        """Call a receiver once. Returns its answer, and why it is none that will do.

        Raises `StoreUnavailable` where its secret cannot be read.
        """
        if not host_allowed(host, self._receivers.hosts):
            return Reception(None), _NOT_ALLOWED
        keys = self._secrets.load().get(host)
        if not keys:
            return Reception(None), "no_secret"
        begun = self._clock.now()
        local = self._receivers.instead.get(host)
        asked = HttpRequest(
            "POST",
            path,
            payload(event, thin=message.thin),
            read_timeout_seconds=CALL_SECONDS,
            base_url=local or f"https://{host}",
            guarded=local is None,
        )
        body = asked.body or b""
        signed = asked.with_headers(signed_headers(webhook_id(event["event_id"]), int(begun), body, keys))
        try:
            # What it says besides its status is not read: nothing of it can delay anybody.
            with self._http.send(signed, deadline=begun + CALL_SECONDS) as response:
                answer = Reception(response.status, response.headers.get("retry-after", ""))
        except Unreachable as error:
            return Reception(None), error.code
        return answer, "" if answer.taken else "refused"


class CallbackService:
    """Delivers callbacks. Thread-safe."""

    def __init__(
        self,
        records: CallbackRecords,
        queue: CallbackQueue,
        caller: CallbackCaller,
        *,
        counters: Counters,
        clock: Clock,
        draw: Callable[[], float],
        given_up: GivenUpTopic | None = None,
    ) -> None:
        """`draw` draws evenly from 0 to 1; `given_up` is told where anybody wants to know."""
        self._records = records
        self._queue = queue
        self._caller = caller
        self._counters = counters
        self._clock = clock
        self._draw = draw
        self._given_up = given_up
        self._rests = Rests()
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="callback")

    def deliver(self, messages: Iterable[CallbackMessage]) -> list[str]:
        """Try each once, all at the same time. Returns the ids of those that come again."""
        tried = [(message.message_id, self._threads.submit(self._over, message)) for message in messages]
        return [message_id for message_id, over in tried if not over.result()]

    def _over(self, message: CallbackMessage) -> bool:
        """Tell whether nothing more is to be done for a message."""
        try:
            wait = self._wait_after(message)
            if wait is not None:
                self._queue.hide(message, wait)
        except StoreUnavailable as error:
            # It comes again once the queue's own time is over.
            logger.warning("callback put off: %s", error, extra={"message_id": message.message_id})
            return False
        except Exception:  # ours, whatever it is: the others of the batch are not called twice for it
            logger.exception("callback put off", extra={"message_id": message.message_id})
            return False
        return wait is None

    def _wait_after(self, message: CallbackMessage) -> float | None:
        """Bring a callback on. Returns in how many seconds it is to come again; None for no more."""
        event, now = json.loads(message.body), self._clock.now()
        key = str(event["event_id"]).rpartition("@")[0]
        job = self._records.get(key)
        if job is None or job.callback_url is None:
            logger.warning("no such callback", extra={"request_id": key})
            return None
        this, before, tries = (int(event["settled_at"]), message.replayed_at), job.callback, 0
        if before is not None and before.round >= this:
            if before.next_at is None or before.round > this:
                return None  # it has ended, or another end, or an operator, has overtaken it
            if before.next_at / 1000 > now + EARLY_SECONDS:
                return before.next_at / 1000 - now + COPY_SECONDS
            tries = before.tries
        host = receiver_of(job.callback_url)[0]
        rest = self._rests.wait(host, now, now - message.sent_at / 1000, self._draw())
        if rest is not None:
            return rest
        return self._tried(message, event, job, job.callback_url, tries + 1)

    def _tried(
        self, message: CallbackMessage, event: dict[str, Any], job: JobRecord, url: str, tries: int
    ) -> float | None:
        host, path = receiver_of(url)
        answer, fault = self._caller.called(message, event, host, path)
        now = self._clock.now()
        self._rests.note(host, now, taken=answer.taken or answer.status == GONE)
        facts = {"request_id": job.request_id, "host": host, "tries": tries, "status": answer.status}
        if answer.taken:
            logger.info("called back", extra=facts)
            if job.callback is not None:
                ended = CallbackTries(state="delivered", tries=tries, last_status=answer.status)
                self._note(message, event, job, ended)
            return None
        wait = None if fault == _NOT_ALLOWED else delay_after(tries, answer, self._draw())
        if wait is None:
            state = "gone" if answer.status == GONE else "failed"
            logger.error("not called back", extra={**facts, "reason": fault, "state": state})
            self._counters.count(FAILED_METRIC, {"state": state})
            self._tell(event, {"at": round(now * 1000), "state": state, "reason": fault, **facts})
        else:
            state = "waiting"
            logger.warning("callback failed", extra={**facts, "reason": fault, "seconds": round(wait)})
        noted = CallbackTries(
            state=state,
            tries=tries,
            last_status=answer.status,
            last_fault=fault,
            next_at=None if wait is None else round((now + wait) * 1000),
        )
        mine = self._note(message, event, job, noted)
        return wait if mine or wait is None else wait + COPY_SECONDS

    def _tell(self, event: dict[str, Any], end: dict[str, Any]) -> None:
        if self._given_up is None:
            return
        try:
            self._given_up.tell({**event, "callback_given_up": end})
        except StoreUnavailable as error:
            # The record, the log and the metric say it all the same.
            logger.warning("nobody told of a callback: %s", error, extra={"request_id": end["request_id"]})

    def _note(self, message: CallbackMessage, event: dict[str, Any], job: JobRecord, tries: CallbackTries) -> bool:
        """Returns False where a copy of the message has noted its try before."""
        noted = tries.model_copy(update={"settled_at": int(event["settled_at"]), "replayed_at": message.replayed_at})
        try:
            return self._records.note(job.request_id, noted, before=job.callback)
        except StoreUnavailable as error:
            # The receiver has had its call; what was not noted is one try more.
            logger.warning("try not noted: %s", error, extra={"request_id": job.request_id})
            return True
