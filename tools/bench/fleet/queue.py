"""SQS in virtual time: delays by whole seconds, batches of ten, and fair queues as AWS documents them.

A tenant with a disproportionate part of the messages in flight is noisy, and while there are messages of tenants
that are not, those are received first.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, Final

import simpy

from mediarelay.limits.planning import Reservation

BATCH: Final = 10
# AWS names no number; a tenant with more than this part of what is in flight is surely noisy.
NOISY_PART: Final = 0.3


@dataclass
class Message:
    """One media request."""

    number: int
    tenant: str
    published_at: float
    expires_at: float
    reservation: Reservation | None = None
    receives: int = 0


class Queue:
    """Visible messages by tenant, and who is in flight."""

    def __init__(self, env: simpy.Environment, *, fair: bool) -> None:
        self._env = env
        self._fair = fair
        self._visible: dict[str, deque[Message]] = {}
        self._in_flight: Counter[str] = Counter()
        self._order: deque[str] = deque()
        self.wake: simpy.Event = env.event()
        self.size = 0

    def put(self, messages: list[Message]) -> None:
        """Make them visible."""
        for message in messages:
            self._visible.setdefault(self._group(message), deque()).append(message)
        self.size += len(messages)
        if messages and not self.wake.triggered:
            self.wake.succeed()

    def send(self, message: Message, delay: float) -> None:
        """Make it visible after a delay."""
        self._env.process(self._later(message, delay))

    def receive(self) -> list[Message]:
        """Up to ten, quiet tenants first."""
        taken: list[Message] = []
        while self.size and len(taken) < BATCH:
            name = min((name for name, line in self._visible.items() if line), key=self._noise)
            message = self._visible[name].popleft()
            self.size -= 1
            self._in_flight[name] += 1
            message.receives += 1
            taken.append(message)
        return taken

    def settled(self, message: Message) -> None:
        """It was deleted."""
        self._in_flight[self._group(message)] -= 1

    def _later(self, message: Message, delay: float) -> Any:
        yield self._env.timeout(delay)
        self.put([message])

    def _group(self, message: Message) -> str:
        return message.tenant if self._fair else ""

    def _noise(self, name: str) -> tuple[bool, float]:
        total = sum(self._in_flight.values())
        noisy = total >= BATCH and self._in_flight[name] > NOISY_PART * total
        return noisy, self._visible[name][0].published_at
