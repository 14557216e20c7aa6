"""Lambda: functions that receive batches, each a process with the shipped services and threads of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

from mediarelay.dispatch.batches import FULL, BatchService
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import QueueMessage
from tests.builders.requests import delivered
from tests.doubles.clock import EPOCH
from tools.simulation.arrivals import Request
from tools.simulation.aws.queue import Hands, Queue
from tools.simulation.aws.stores import Book
from tools.simulation.loop import Crew, Loop, VirtualExecutor, current

# From the poll to the handler.
INVOKE_SECONDS: Final = (0.01, 0.03)


@dataclass(frozen=True)
class FunctionFacts:
    """What the template says of the function: its time, that of a message, and how many it serves at once."""

    timeout: float
    message_seconds: float
    threads: int


class Handling:
    """The dispatch service of one process: notes what each thread works on, for how long, and how many do at once."""

    def __init__(
        self,
        service: DispatchService,
        loop: Loop,
        queue: Queue,
        book: Book,
        requests: Mapping[str, Request],
        threads: int,
    ) -> None:
        """`requests` are by the text of their message."""
        self._requests = requests
        self.most = 0
        self._service = service
        self._book = book
        self._loop = loop
        self._queue = queue
        self._busy = 0
        # A batch is served at once, but where a scenario has fewer threads.
        self._few = VirtualExecutor(threads) if threads < FULL else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def handle(self, message: QueueMessage, **how: Any) -> None:
        """See `DispatchService.handle`."""
        if self._few is None:
            self._handle(message, how)
        else:
            self._few.submit(self._handle, message, how).result()

    def _handle(self, message: QueueMessage, how: Mapping[str, Any]) -> None:
        began = self._loop.now
        current().subject = self._requests.get(message.body)
        self._busy += 1
        self.most = max(self.most, self._busy)
        try:
            self._service.handle(message, **how)
        finally:
            self._busy -= 1
            self._book.slot_seconds_used += self._loop.now - began
            self._queue.pass_on()


@dataclass
class Process:
    """One warm environment of the function."""

    batches: BatchService
    handling: Handling
    hands: Hands
    crew: Crew
    offset: float
    number: int


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
        dice: Random,
    ) -> None:
        """`make` a process, given how many were made before."""
        self._loop = loop
        self._queue = queue
        self._book = book
        self._facts = facts
        self._make = make
        self._most = most
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
            self._busy[process.number] = process
            self._loop.start(partial(self._invoke, process, process.hands.batch()), process.crew)

    def _free(self) -> Process | None:
        if self._idle:
            return self._idle.pop()
        if len(self._busy) >= self._most:
            return None
        self._made += 1
        return self._make(self._made - 1, Crew())

    def _invoke(self, process: Process, batch: Sequence[QueueMessage]) -> None:
        """Run one invocation, as the handler does."""
        loop = self._loop
        loop.sleep(self._dice.uniform(*INVOKE_SECONDS))
        began, process.handling.most = loop.now, 0
        ends_at = EPOCH + process.offset + loop.now + self._facts.timeout
        answer = process.batches.serve({"Records": [delivered(each) for each in batch]}, function_ends_at=ends_at)
        self._book.slot_seconds += (loop.now - began) * process.handling.most
        again = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        process.hands.delete(each for each in batch if each.message_id not in again)
        process.hands.leave()
        del self._busy[process.number]
        self._idle.append(process)
        if self._queue.size:
            self.poll()

    def die(self) -> None:
        """Have one that is busy die: nothing of it goes on, and its messages come back."""
        if not self._busy:
            return
        process = self._busy.pop(self._dice.choice(sorted(self._busy)))
        process.crew.dead = True
        process.hands.leave()
        self.poll()
