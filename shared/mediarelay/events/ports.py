"""Where events go, as ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mediarelay.vocabulary.frozen import frozen


@frozen
class ToldMessage:
    """One message of the events' queue.

    Attributes:
        message_id: SQS's id.
        body: What a topic told.
        left: Where it has not gone yet; None for everywhere.
        tries: How often it was tried before.
    """

    message_id: str
    body: str
    left: frozenset[str] | None = None
    tries: int = 0


@frozen
class BusEvent:
    """One event for a bus. `source` and `detail_type` are what rules match."""

    source: str
    detail_type: str
    detail: str


class EventBus(Protocol):
    """A bus of EventBridge."""

    def put(self, events: Sequence[BusEvent]) -> Sequence[bool]:
        """Put ten at most. Returns which were taken. Raises `StoreUnavailable`."""


class ChatTopic(Protocol):
    """The topic that chats are fed from."""

    def publish(self, message: Mapping[str, Any]) -> None:
        """Publish a message. Raises `StoreUnavailable`."""


class Pager(Protocol):
    """PagerDuty."""

    def send(self, event: Mapping[str, Any]) -> bool:
        """Send an event. Returns whether it is to be sent again. Raises `StoreUnavailable` where no key can be read."""


class EventsQueue(Protocol):
    """The events' queue."""

    def again(self, message: ToldMessage, *, left: frozenset[str], seconds: int) -> None:
        """Send what has not gone everywhere once more, later. Raises `StoreUnavailable`."""

    def park(self, message: ToldMessage, *, left: frozenset[str]) -> None:
        """Move it to the dead-letter queue. Raises `StoreUnavailable`."""
