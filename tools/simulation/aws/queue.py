"""SQS as AWS documents it: delays by whole seconds, visibility, receive counts, batches, and fair queues.

A tenant with a disproportionate part of the messages in flight is noisy, and while there are messages of tenants
that are not, those are received first. What was received too often goes to the queue of lost requests.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final

from mediarelay.dispatch.ports import QueueMessage
from tests.doubles.queue import LOST, MESSAGES_AT_ONCE, MemoryQueue
from tools.simulation.aws.stores import Book
from tools.simulation.loop import Loop

# AWS names no number; a tenant with more than this part of what is in flight is surely noisy.
NOISY_PART: Final = 0.3
FEW: Final = 10
# How much later than its delay says a message is received.
LATE_SECONDS: Final = 0.05


@dataclass(frozen=True)
class QueueFacts:
    """What the template says of the queue and of who receives from it."""

    batch: int
    visibility: float
    max_receives: int


class Queue:
    """The request queue and that of lost requests; `memory` is what the services send to."""

    def __init__(self, loop: Loop, memory: MemoryQueue, facts: QueueFacts, book: Book, dice: Random) -> None:
        self.memory = memory
        self.wake: Callable[[], None] = lambda: None
        self.size = 0
        self._loop = loop
        self._facts = facts
        self._book = book
        self._dice = dice
        self._visible: dict[tuple[str, str], deque[QueueMessage]] = {}
        self._in_flight: Counter[str] = Counter()

    def put(self, message: QueueMessage) -> None:
        """Make it visible."""
        self._visible.setdefault((message.source, message.group or ""), deque()).append(message)
        self.size += 1
        self.wake()

    def batch(self) -> list[QueueMessage]:
        """Receive a batch; of one queue alone."""
        return self.receive(self._facts.batch, next((name[0] for name, line in self._visible.items() if line), ""))

    def receive(self, most: int, source: str = "") -> list[QueueMessage]:
        """Receive what is there of a queue, at most so many, those of quiet tenants first."""
        taken: list[QueueMessage] = []
        lines = {name: line for name, line in self._visible.items() if line and name[0] == source}
        while lines and len(taken) < most:
            name = next(iter(lines)) if len(lines) == 1 else min(lines, key=self._noise)
            taken.append(lines[name].popleft())
            self._in_flight[name[1]] += 1
            if not lines[name]:
                del lines[name]
        self.size -= len(taken)
        return taken

    def deleted(self, message: QueueMessage) -> None:
        """It was served."""
        self._in_flight[message.group or ""] -= 1

    def failed(self, message: QueueMessage, received_at: float) -> None:
        """Its worker died, or could not finish it: it is visible again once its time is over."""
        self._in_flight[message.group or ""] -= 1
        again = replace(message, receive_count=message.receive_count + 1)
        if message.receive_count >= self._facts.max_receives and message.source != LOST:
            again = replace(again, source=LOST, receive_count=1)
        self._loop.at(received_at + self._facts.visibility, lambda: self.put(again))

    def pass_on(self) -> None:
        """Take over what the services have just sent."""
        delayed, self.memory.delayed = self.memory.delayed, []
        lost, self.memory.lost = self.memory.lost, []
        self._book.requeues += len(delayed)
        for each in delayed:
            wait = each.delay_seconds + self._dice.uniform(0.0, LATE_SECONDS)
            self._loop.at(self._loop.now + wait, partial(self.put, each.message))
        for message in lost:
            self.put(message)

    def _noise(self, name: tuple[str, str]) -> tuple[bool, int]:
        total, mine = sum(self._in_flight.values()), self._in_flight[name[1]]
        noisy = bool(name[1]) and total >= FEW and mine > NOISY_PART * total
        return noisy, self._visible[name][0].sent_at


class Hands:
    """What a process has received and not deleted; implements `dispatch.ports.Inbox`, for what it takes itself."""

    def __init__(self, loop: Loop, queue: Queue) -> None:
        self._loop = loop
        self._queue = queue
        self._held: dict[str, tuple[QueueMessage, float]] = {}

    def batch(self) -> list[QueueMessage]:
        """Receive what Lambda hands over."""
        return self._hold(self._queue.batch())

    def receive(self, most: int) -> Sequence[QueueMessage]:
        """See `dispatch.ports.Inbox.receive`."""
        if not 1 <= most <= MESSAGES_AT_ONCE:
            raise ValueError(f"MaxNumberOfMessages {most}")
        return self._hold(self._queue.receive(most))

    def delete(self, messages: Iterable[QueueMessage]) -> None:
        """See `dispatch.ports.Inbox.delete`."""
        for each in messages:
            held = self._held.pop(each.message_id, None)
            if held is not None:
                self._queue.deleted(held[0])

    def leave(self) -> None:
        """Have what is left come again, each once its time is over."""
        held, self._held = self._held, {}
        for message, received_at in held.values():
            self._queue.failed(message, received_at)

    def _hold(self, messages: list[QueueMessage]) -> list[QueueMessage]:
        self._held |= {each.message_id: (each, self._loop.now) for each in messages}
        return messages
