"""The request queues, their DLQ, and the queue of lost requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mediarelay.aws.stores import store_errors
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.vocabulary.errors import StoreUnavailable

ATTRIBUTES_PER_MESSAGE: Final = 10  # SQS's own maximum
# Of a message, with names, types and values of its attributes (SQS developer guide, "Message quotas", 2026-11-28).
MESSAGE_BYTES: Final = 1024 * 1024
REASON_LIMIT: Final = 1000
_TYPE: Final = "String"


class SqsRequests:
    """Implements `dispatch.ports.RequestQueue`."""

    def __init__(self, client: Any, queue_url: str, dlq_url: str, lost_url: str, picture_url: str = "") -> None:
        """Without a queue of their own, pictures go to the one of all."""
        self._client = client
        self._queue_url = queue_url
        self._dlq_url = dlq_url
        self._lost_url = lost_url
        self._picture_url = picture_url or queue_url

    def send_later(
        self, message: QueueMessage, *, delay_seconds: int, attributes: Mapping[str, str], pictures: bool = False
    ) -> None:
        """See `dispatch.ports.RequestQueue.send_later`."""
        with store_errors("request queue", "defer a message"):
            self._client.send_message(
                QueueUrl=self._picture_url if pictures else self._queue_url,
                MessageBody=message.body,
                DelaySeconds=delay_seconds,
                MessageAttributes=attributes_of(message, attributes),
                **group_of(message),
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
                MessageAttributes=attributes_of(message, cause),
                **group_of(message),
            )


class SqsInbox:
    """Implements `dispatch.ports.Inbox`. `source` is the ARN of the queue."""

    def __init__(self, client: Any, url: str, source: str) -> None:
        self._client = client
        self._url = url
        self._source = source

    def receive(self, most: int) -> Sequence[QueueMessage]:
        """See `dispatch.ports.Inbox.receive`."""
        with store_errors("request queue", "receive messages"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=0,  # who waits here is paid for, and Lambda waits for the same messages
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        return [received(each, self._source) for each in answer.get("Messages", ())]

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """See `dispatch.ports.Inbox.delete`."""
        entries = [{"Id": str(at), "ReceiptHandle": each.receipt_handle} for at, each in enumerate(messages)]
        with store_errors("request queue", "delete messages"):
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        if answer.get("Failed"):
            raise StoreUnavailable("request queue", "delete messages", str(answer["Failed"][0].get("Code")))


def received(given: Mapping[str, Any], source: str = "") -> QueueMessage:
    """Return a message that came with all its attributes; `source` is the ARN of its queue."""
    system, attributes = given["Attributes"], given.get("MessageAttributes", {})
    return QueueMessage(
        message_id=given["MessageId"],
        receipt_handle=given["ReceiptHandle"],
        body=given["Body"],
        sent_at=int(system["SentTimestamp"]),
        receive_count=int(system["ApproximateReceiveCount"]),
        attributes={name: each["StringValue"] for name, each in attributes.items() if each.get("StringValue")},
        group=system.get("MessageGroupId"),
        source=source,
    )


def group_of(message: QueueMessage) -> dict[str, str]:
    """Return what a copy of it is sent with, so that it stays in its fair share of the queue."""
    return {"MessageGroupId": message.group} if message.group else {}


def attributes_of(message: QueueMessage, ours: Mapping[str, str]) -> dict[str, Any]:
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
