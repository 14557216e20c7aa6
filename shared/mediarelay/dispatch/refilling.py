"""An invocation that goes on taking messages from its queue, for as long as its threads are free and there is time.

Lambda hands an invocation its batch and nothing more, so that without this a worker waits, and is paid for, until the
slowest of ten has ended. What is taken here has the same guarantees as what Lambda delivers: it is deleted when it has
come to its end, else its visibility timeout brings it back, and SQS counts its receives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Final

from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import Inbox, QueueMessage
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

AT_ONCE: Final = 10  # SQS's own maximum, of a receive and of a delete
# Fewer free threads than these are left idle for a moment: a call to SQS costs as much as a thread of a worker with
# sixty-four for four seconds.
WORTH_ASKING: Final = 4
# After an empty answer; Lambda's own pollers wait at the queue meanwhile.
PAUSE_SECONDS: Final = 0.5
# How long what was finished may wait to be deleted, and what others need to know of it to be written.
LATE_SECONDS: Final = 1.0


class Refilling:
    """One such invocation."""

    def __init__(
        self,
        inbox: Inbox,
        serve: Callable[[QueueMessage], bool],
        service: DispatchService,
        threads: Executor,
        clock: Clock,
        *,
        slots: int,
    ) -> None:
        """Build it.

        Args:
            inbox: The queue that the batch came from.
            serve: Brings a message to its end; False when it must come again.
            service: Is told how many messages begin at once, and when to write what others need to know.
            threads: Serve.
            clock: The worker's.
            slots: How many messages are served at once.
        """
        self._inbox = inbox
        self._serve = serve
        self._service = service
        self._threads = threads
        self._clock = clock
        self._slots = slots
        self._busy: dict[Future[bool], QueueMessage] = {}
        self._ended: SimpleQueue[Future[bool]] = SimpleQueue()
        self._finished: list[QueueMessage] = []
        self._unfinished: list[QueueMessage] = []
        self._late_at: float | None = None  # when what has ended since must be deleted and told of

    def run(self, given: Sequence[QueueMessage], *, until: float) -> Sequence[QueueMessage]:
        """Serve what was given and what is waiting, taking nothing more after *until* (unix seconds).

        Returns those given that must come again.
        """
        self._begin(given)
        ask_at = self._clock.now()
        while True:
            now = self._clock.now()
            asks = now < until and self._slots - len(self._busy) >= WORTH_ASKING
            if asks and now >= ask_at:
                received = self._receive()
                self._begin(received)
                ask_at = self._clock.now() + (0.0 if received else PAUSE_SECONDS)
            elif self._busy:
                self._await(ask_at - now if asks else None)
            else:
                break
        self._delete()
        return [message for message in given if message in self._unfinished]

    def _receive(self) -> Sequence[QueueMessage]:
        try:
            received = self._inbox.receive(min(AT_ONCE, self._slots - len(self._busy)))
        except StoreUnavailable as error:
            logger.warning("nothing more taken: %s", error)
            return ()
        if received:
            self._service.begin_batch(len(received))
        return received

    def _begin(self, messages: Sequence[QueueMessage]) -> None:
        for message in messages:
            serving = self._threads.submit(self._serve, message)
            self._busy[serving] = message
            serving.add_done_callback(self._ended.put)

    def _await(self, seconds: float | None) -> None:
        """Wait until a message has ended, or so long, or until what has ended is late; then see to all that have."""
        now = self._clock.now()
        waits = [seconds, None if self._late_at is None else max(0.0, self._late_at - now)]
        try:
            self._note(self._ended.get(timeout=min((each for each in waits if each is not None), default=None)))
            while True:
                self._note(self._ended.get_nowait())
        except Empty:
            pass
        late = self._late_at is not None and self._clock.now() >= self._late_at
        if late:
            self._late_at = None
            self._service.write_telemetry()
        if late or len(self._finished) >= AT_ONCE:
            self._delete()

    def _note(self, ended: Future[bool]) -> None:
        message = self._busy.pop(ended)
        (self._finished if ended.result() else self._unfinished).append(message)
        if self._late_at is None:
            self._late_at = self._clock.now() + LATE_SECONDS

    def _delete(self) -> None:
        """Delete what has come to its end; what can't be deleted comes again, and is found to be settled."""
        while self._finished:
            some, self._finished = self._finished[:AT_ONCE], self._finished[AT_ONCE:]
            try:
                self._inbox.delete(some)
            except StoreUnavailable as error:
                logger.warning("not deleted: %s", error, extra={"messages": len(some)})
