"""One thread that brings results in: from a queue of its own, and from the API where that is the way or is late."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from mediarelay_client.desk import Waiting, next_ask
from mediarelay_client.errors import NotFound, RelayError, Unavailable
from mediarelay_client.models import ResultEvent

if TYPE_CHECKING:
    from mediarelay_client.api import JobView
    from mediarelay_client.aws import OwnQueue
    from mediarelay_client.relay import Relay

logger = logging.getLogger("mediarelay_client")
RECEIVE_SECONDS: Final = 2
IDLE_SECONDS: Final = 1.0
PAUSE: Final = 1.0
ASKED_AT_ONCE: Final = 100
# At which of the looks for a job its message is looked for as well: by the first of them it would have been taken.
MESSAGE_LOOKS: Final = frozenset({2, 4, 8, 16, 64})


class Receiver:
    """Begins when somebody waits; a thread of its own, which calls nothing of the caller's."""

    def __init__(self, relay: Relay) -> None:
        # The thread must not keep a relay alive that nobody holds any more: its queue would stay.
        self._relay = weakref.ref(relay)
        self._queue: OwnQueue | None = None
        self._tried = False
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._finalizer = weakref.finalize(relay, _end, self)
        self._finalizer.atexit = False
        self.pid = os.getpid()

    def start(self) -> None:
        """Begin, unless it has."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mediarelay-results", daemon=True)
                self._thread.start()

    def address(self, *, make: bool) -> dict[str, str]:
        """Return the fields by which a request's result comes back here; none where the stack knows no such."""
        relay = self._relay()
        with self._lock:
            if relay is None or not relay.settings.by_aws:
                return {}
            prefix = relay.settings.reply_prefix
            if self._queue is None and make and not self._tried:
                self._tried = True
                self._open_queue(relay, prefix)
            if prefix is None or self._queue is None:
                return {}
            return {"client": relay.client, "reply_to": self._queue.name}

    def _open_queue(self, relay: Relay, prefix: str | None) -> None:
        """Make the queue of replies; without one, results are asked from the API."""
        from mediarelay_client.aws import OwnQueue, reply_queue_name  # noqa: PLC0415 # needs boto3

        if prefix is None:
            logger.warning("this stack sends no replies: results are asked from its API")
            return
        try:
            self._queue = OwnQueue(relay.sqs, reply_queue_name(prefix), relay.client)
        except RelayError as error:
            if not relay.has_api:
                raise
            logger.warning("no queue of replies (%s): results are asked from the API", error.message)

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def close(self) -> None:
        """End the thread, and delete the queue."""
        self._finalizer.detach()
        _end(self)

    def end(self) -> None:
        """Stop receiving, and delete the queue."""
        self._ended.set()
        self._woken.set()
        with self._lock:
            own, self._queue = self._queue, None
        if own is not None:
            own.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._round()
            except NotFound:
                # Somebody swept the queue: what it held is asked from the API.
                if not self._ended.is_set():
                    self._lost_queue()
            except RelayError as error:
                if not self._ended.is_set():
                    self._failed(error)
            except Exception as error:
                if self._ended.is_set():
                    return  # its connections were closed meanwhile
                # A mistake of ours must not leave anybody waiting for ever.
                if (relay := self._relay()) is not None:
                    relay.desk.give_up(error)
                raise

    def _round(self) -> None:
        relay = self._relay()
        if relay is None:
            self._ended.set()
            return
        waits = list(relay.desk.open_ones())
        now = time.monotonic()
        if relay.has_api:
            for waiting in waits:
                if waiting.ask_at == 0.0:
                    next_ask(waiting, now, len(waits))
            self._ask(relay, [waiting for waiting in waits if waiting.ask_at <= now], len(waits))
        desk, own = relay.desk, self._queue
        due = min((waiting.ask_at for waiting in waits), default=None) if relay.has_api else None
        del relay, waits
        if own is not None and next(desk.open_ones(), None) is not None:
            for body in own.receive(RECEIVE_SECONDS):
                self._deliver(body)
        else:
            pause = IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.02, due - time.monotonic()))
            self._woken.wait(pause)
            self._woken.clear()

    def _deliver(self, body: str) -> None:
        relay = self._relay()
        if relay is None:
            return
        try:
            event = ResultEvent.model_validate_json(body)
        except ValidationError:
            logger.warning("a reply that is no event was dropped")
            return
        relay.desk.deliver(event)

    def _ask(self, relay: Relay, due: list[Waiting], together: int) -> None:
        """Ask the API for what is due."""
        due = due[:ASKED_AT_ONCE]
        for waiting in due:
            next_ask(waiting, time.monotonic(), together)
        for tenant in {waiting.tenant for waiting in due}:
            of_it = {waiting.request_id: waiting for waiting in due if waiting.tenant == tenant}
            found = relay.api.lookup(list(of_it), tenant)
            for request_id, waiting in of_it.items():
                jobs = found.get(request_id, [])
                if not any(job.message_id == waiting.message_id for job in jobs):
                    # None yet, or an earlier message had the id: this one may have been refused under its own.
                    jobs = self._by_message(relay, waiting) or jobs
                for job in jobs:
                    if job.branches:
                        relay.desk.expect(waiting, job.branches)
                    relay.learn(job)

    @staticmethod
    def _by_message(relay: Relay, waiting: Waiting) -> list[JobView]:
        """Return what stands under the message's own id: a rejection of what could not be read."""
        if not waiting.message_id or waiting.asked not in MESSAGE_LOOKS:
            return []
        try:
            return relay.api.jobs(waiting.message_id, waiting.tenant)
        except NotFound:
            return []

    def _lost_queue(self) -> None:
        relay = self._relay()
        with self._lock:
            self._queue, self._tried = None, False
        if relay is not None:
            for waiting in relay.desk.open_ones():
                waiting.ask_at, waiting.asked, waiting.replied = time.monotonic(), 0, False

    def _failed(self, error: RelayError) -> None:
        """Try again where that may help; else whoever waits is told."""
        relay = self._relay()
        if isinstance(error, Unavailable) or relay is None:
            self._ended.wait(PAUSE)
            return
        relay.desk.give_up(error)


def _end(receiver: Receiver) -> None:
    if receiver.pid != os.getpid():
        return  # a forked child's copy: the queue is its parent's
    try:
        receiver.end()
    except RelayError as error:
        logger.warning("the queue of replies could not be deleted: %s", error.message)
