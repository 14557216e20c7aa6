"""The request queue, its DLQ and the queue of lost requests in memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.vocabulary.clock import Clock

ATTRIBUTES_PER_MESSAGE = 10  # SQS's own maximum
MESSAGES_AT_ONCE = 10  # as well
REASON_LIMIT = 1000
MESSAGE_BYTES = 1024 * 1024  # SQS's own maximum, attributes included
PICTURES = "arn:aws:sqs:eu-central-1:123456789012:pictures"  # as the source of a message
LOST = "arn:aws:sqs:eu-central-1:123456789012:lost-requests"  # as the source of a message


@dataclass(frozen=True)
class Delayed:
    """A copy that waits: `visible_at` in unix seconds."""

    message: QueueMessage
    delay_seconds: int
    visible_at: float


class MemoryQueue:
    """Implements `dispatch.ports.RequestQueue`. Thread-safe; `delayed`, `dlq` and `lost` show what was sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.delayed: list[Delayed] = []
        self.dlq: list[QueueMessage] = []
        self.lost: list[QueueMessage] = []

    def send_later(
        self, message: QueueMessage, *, delay_seconds: int, attributes: Mapping[str, str], pictures: bool = False
    ) -> None:
        """See `dispatch.ports.RequestQueue.send_later`."""
        if not 0 <= delay_seconds <= 900:
            raise ValueError(f"DelaySeconds {delay_seconds}")
        with self._lock:
            copy = self._copy(message, attributes)
            copy = replace(copy, source=PICTURES) if pictures else copy
            self.delayed.append(Delayed(copy, delay_seconds, self._clock.now() + delay_seconds))

    def park(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """See `dispatch.ports.RequestQueue.park`."""
        with self._lock:
            self.dlq.append(self._with_cause(message, code, reason))

    def give_up(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """See `dispatch.ports.RequestQueue.give_up`."""
        with self._lock:
            self.lost.append(replace(self._with_cause(message, code, reason), source=LOST))

    def _with_cause(self, message: QueueMessage, code: str, reason: str) -> QueueMessage:
        printable = "".join(each if each.isprintable() else " " for each in reason)[:REASON_LIMIT] or "-"
        return self._copy(message, {"error_code": code, "error_message": printable})

    def due(self) -> list[QueueMessage]:
        """Receive the copies whose delay is over."""
        with self._lock:
            now = self._clock.now()
            due = [item.message for item in self.delayed if item.visible_at <= now]
            self.delayed = [item for item in self.delayed if item.visible_at > now]
        return due

    def _copy(self, message: QueueMessage, ours: Mapping[str, str]) -> QueueMessage:
        number = next(self._numbers)
        theirs = [item for item in message.attributes.items() if item[0] not in ours]
        room = ATTRIBUTES_PER_MESSAGE - len(ours)
        body = message.body.encode()[: MESSAGE_BYTES - size(ours)].decode(errors="ignore")
        while theirs and len(body.encode()) + size(dict([*theirs[:room], *ours.items()])) > MESSAGE_BYTES:
            theirs.pop()
        return QueueMessage(
            message_id=f"copy-{number}",
            receipt_handle=f"receipt-{number}",
            body=body,
            sent_at=round(self._clock.now() * 1000),
            receive_count=1,
            attributes=dict([*theirs[:room], *ours.items()]),
            group=message.group,
        )


class MemoryInbox:
    """Implements `dispatch.ports.Inbox`. `waiting` is visible, `hidden` was received and not deleted."""

    def __init__(self, messages: Iterable[QueueMessage] = ()) -> None:
        self.waiting = list(messages)
        self.hidden: dict[str, QueueMessage] = {}

    def receive(self, most: int) -> Sequence[QueueMessage]:
        """See `dispatch.ports.Inbox.receive`."""
        if not 1 <= most <= MESSAGES_AT_ONCE:
            raise ValueError(f"MaxNumberOfMessages {most}")
        received, self.waiting = self.waiting[:most], self.waiting[most:]
        self.hidden |= {each.receipt_handle: each for each in received}
        return received

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """See `dispatch.ports.Inbox.delete`."""
        if not 1 <= len(messages) <= MESSAGES_AT_ONCE:
            raise ValueError(f"{len(messages)} entries")
        for each in messages:
            self.hidden.pop(each.receipt_handle, None)


def size(attributes: Mapping[str, str]) -> int:
    """What they count of a message's size: name, type and value."""
    return sum(len(f"{name}String{value}".encode()) for name, value in attributes.items())
