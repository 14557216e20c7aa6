"""Lambda: functions that receive batches, each a process with the shipped dispatch service and threads of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from mediarelay.dispatch.batches import RESERVE_SECONDS
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.clock import EPOCH
from tools.simulation.arrivals import Request
from tools.simulation.aws.queue import Queue
from tools.simulation.aws.stores import Book
from tools.simulation.loop import Crew, Loop, VirtualExecutor, current

# From the poll to the handler.
INVOKE_SECONDS: Final = (0.01, 0.03)


@dataclass(frozen=True)
class FunctionFacts:
    """What the template says of the function: its time, that of a message, and how many requests it serves at once."""

    timeout: float
    message_seconds: float
    threads: int


@dataclass
class Process:
    """One warm environment of the function."""

    service: DispatchService
    crew: Crew
    threads: VirtualExecutor
    offset: float
    number: int
    batch: tuple[QueueMessage, ...] = ()
    received_at: float = 0.0


class Workers:
    """All of them. The one that was busy last is the warmest, and gets the next batch."""

    def __init__(
        self,
        loop: Loop,
        queue: Queue,
        book: Book,
        facts: FunctionFacts,
        *,
        make: Callable[[int, Crew], Process],
        most: int,
        requests: Mapping[str, Request],
        dice: Random,
    ) -> None:
        """`make` a process, given how many were made before; `requests` by the text of their message."""
        self._loop = loop
        self._queue = queue
        self._book = book
        self._facts = facts
        self._make = make
        self._most = most
        self._requests = requests
        self._dice = dice
        self._made = 0
        self._idle: list[Process] = []
        self._busy: dict[int, Process] = {}
        self._due = False
        queue.wake = self.poll

    def poll(self) -> None:
        """Hand out what is visible, once all that happens at this moment has happened."""
        if not self._due:
            self._due = True
            self._loop.at(self._loop.now, self._hand_out)

    def _hand_out(self) -> None:
        self._due = False
        while self._queue.size and (process := self._free()) is not None:
            batch = self._queue.receive()
            process.batch, process.received_at = tuple(batch), self._loop.now
            self._busy[process.number] = process
            self._loop.start(partial(self._invoke, process), process.crew)

    def _free(self) -> Process | None:
        if self._idle:
            return self._idle.pop()
        if len(self._busy) >= self._most:
            return None
        self._made += 1
        return self._make(self._made - 1, Crew())

    def _invoke(self, process: Process) -> None:
        """Run one invocation, as the handler does."""
        loop, service, batch = self._loop, process.service, process.batch
        loop.sleep(self._dice.uniform(*INVOKE_SECONDS))
        began = loop.now
        ends_at = EPOCH + process.offset + loop.now + self._facts.timeout - RESERVE_SECONDS
        service.begin_batch(len(batch))
        threads = [process.threads.submit(self._handle, process, message, ends_at) for message in batch]
        served = [thread.result() for thread in threads]
        service.end_batch(worker_ends_at=ends_at + RESERVE_SECONDS)
        self._book.slot_seconds += (loop.now - began) * len(batch)
        for message, well in zip(batch, served, strict=True):
            if well:
                self._queue.deleted(message)
            else:
                self._queue.failed(message, process.received_at)
        del self._busy[process.number]
        process.batch = ()
        self._idle.append(process)
        if self._queue.size:
            self.poll()

    def _handle(self, process: Process, message: QueueMessage, ends_at: float) -> bool:
        """Handle one message on a thread; returns whether it is done with."""
        began = self._loop.now
        current().subject = self._requests.get(message.body)
        until = min(ends_at, EPOCH + process.offset + began + self._facts.message_seconds)
        try:
            process.service.handle(message, worker_ends_at=until)
        except StoreUnavailable:
            return False
        finally:
            self._book.slot_seconds_used += self._loop.now - began
            self._queue.pass_on()
        return True

    def die(self) -> None:
        """Have one that is busy die: nothing of it goes on, and its messages come back."""
        if not self._busy:
            return
        process = self._busy.pop(self._dice.choice(sorted(self._busy)))
        process.crew.dead = True
        for message in process.batch:
            self._queue.failed(message, process.received_at)
        self.poll()
