"""The request queue, its DLQ, and the queue of lost requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mediarelay.aws.stores import store_errors
from mediarelay.dispatch.ports import QueueMessage

ATTRIBUTES_PER_MESSAGE: Final = 10  # SQS's own maximum
# Of a message, with names, types and values of its attributes (SQS developer guide, "Message quotas", 2026-11-28).
MESSAGE_BYTES: Final = 1024 * 1024
REASON_LIMIT: Final = 1000
_TYPE: Final = "String"


class SqsRequests:
    """Implements `dispatch.ports.RequestQueue`."""

    def __init__(self, client: Any, queue_url: str, dlq_url: str, lost_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dlq_url = dlq_url
        self._lost_url = lost_url

    def send_later(self, message: QueueMessage, *, delay_seconds: int, attributes: Mapping[str, str]) -> None:
        """See `dispatch.ports.RequestQueue.send_later`."""
        with store_errors("request queue", "defer a message"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=message.body,
                DelaySeconds=delay_seconds,
                MessageAttributes=_attributes(message, attributes),
                **_group(message),
            )

    def park(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """See `dispatch.ports.RequestQueue.park`."""
        self._send_on(self._dlq_url, "park a message", message, code, reason)

    def give_up(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """See `dispatch.ports.RequestQueue.give_up`."""
        self._send_on(self._lost_url, "give a message up", message, code, reason)

    def _send_on(self, url: str, operation: str, message: QueueMessage, code: str, reason: str) -> None:
        cause = {"error_code": code, "error_message": _printable(reason)[:REASON_LIMIT] or "-"}
        with store_errors("dead-letter queue", operation):
            self._client.send_message(
                QueueUrl=url,
                MessageBody=_within(message.body, MESSAGE_BYTES - _size(cause.items())),
                MessageAttributes=_attributes(message, cause),
                **_group(message),
            )


def _group(message: QueueMessage) -> dict[str, str]:
    return {"MessageGroupId": message.group} if message.group else {}


def _attributes(message: QueueMessage, ours: Mapping[str, str]) -> dict[str, Any]:
    """Return the message's attributes, as many as fit beside ours, the first ones first."""
    left, room = MESSAGE_BYTES - len(message.body.encode()) - _size(ours.items()), ATTRIBUTES_PER_MESSAGE - len(ours)
    theirs: list[tuple[str, str]] = []
    for item in message.attributes.items():
        if item[0] not in ours and len(theirs) < room and _size([item]) <= left:
            theirs.append(item)
            left -= _size([item])
    return {name: {"DataType": _TYPE, "StringValue": value} for name, value in [*theirs, *ours.items()]}


def _size(attributes: Iterable[tuple[str, str]]) -> int:
    return sum(len(f"{name}{_TYPE}{value}".encode()) for name, value in attributes)


def _within(body: str, most: int) -> str:
    """Return the body, of one that leaves no room for its cause without its end: it is no request, being too large."""
    encoded = body.encode()
    return body if len(encoded) <= most else encoded[:most].decode(errors="ignore")


def _printable(text: str) -> str:
    """Replace control characters, which SQS refuses in attributes."""
    return "".join(character if character.isprintable() else " " for character in text)
