"""Where events go, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mediarelay.events.ports import BusEvent, ToldMessage
from mediarelay.vocabulary.errors import StoreUnavailable


@dataclass
class MemoryBus:
    """Implements `events.ports.EventBus`; takes all but those whose detail has one of the `refused` words."""

    refused: set[str] = field(default_factory=set)
    away: bool = False
    events: list[BusEvent] = field(default_factory=list)
    calls: int = 0

    def put(self, events: Sequence[BusEvent]) -> Sequence[bool]:
        """See `events.ports.EventBus.put`."""
        self.calls += 1
        if self.away:
            raise StoreUnavailable("event bus", "put events", "away")
        taken = [not any(word in each.detail for word in self.refused) for each in events]
        self.events += [each for each, ok in zip(events, taken, strict=True) if ok]
        return taken


@dataclass
class MemoryChat:
    """Implements `events.ports.ChatTopic`."""

    away: bool = False
    messages: list[Mapping[str, Any]] = field(default_factory=list)

    def publish(self, message: Mapping[str, Any]) -> None:
        """See `events.ports.ChatTopic.publish`."""
        if self.away:
            raise StoreUnavailable("chat topic", "publish a message", "away")
        self.messages.append(message)


@dataclass
class MemoryPager:
    """Implements `events.ports.Pager`."""

    busy: bool = False
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def send(self, event: Mapping[str, Any]) -> bool:
        """See `events.ports.Pager.send`."""
        if not self.busy:
            self.events.append(event)
        return self.busy


@dataclass
class MemoryEventsQueue:
    """Implements `events.ports.EventsQueue`; `delays` are of what comes again, in order."""

    away: bool = False
    waiting: list[ToldMessage] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    parked: list[ToldMessage] = field(default_factory=list)

    def again(self, message: ToldMessage, *, left: frozenset[str], seconds: int) -> None:
        """See `events.ports.EventsQueue.again`."""
        self._check()
        self.waiting.append(ToldMessage(message.message_id, message.body, left, message.tries + 1))
        self.delays.append(seconds)

    def park(self, message: ToldMessage, *, left: frozenset[str]) -> None:
        """See `events.ports.EventsQueue.park`."""
        self._check()
        self.parked.append(ToldMessage(message.message_id, message.body, left, message.tries + 1))

    def take(self) -> list[ToldMessage]:
        """What comes again."""
        taken, self.waiting = self.waiting, []
        return taken

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("events' queue", "put an event off", "away")
