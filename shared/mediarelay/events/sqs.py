"""The events' queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mediarelay.aws.stores import store_errors
from mediarelay.events.ports import ToldMessage

_STORE: Final = "events' queue"
LEFT_ATTRIBUTE: Final = "left"
TRIES_ATTRIBUTE: Final = "tries"


class SqsEvents:
    """Implements `events.ports.EventsQueue`."""

    def __init__(self, client: Any, url: str, dlq_url: str) -> None:
        self._client = client
        self._url = url
        self._dlq_url = dlq_url

    def again(self, message: ToldMessage, *, left: frozenset[str], seconds: int) -> None:
        """See `events.ports.EventsQueue.again`."""
        with store_errors(_STORE, "put an event off"):
            self._send(self._url, message, left, DelaySeconds=seconds)

    def park(self, message: ToldMessage, *, left: frozenset[str]) -> None:
        """See `events.ports.EventsQueue.park`."""
        with store_errors(_STORE, "park an event"):
            self._send(self._dlq_url, message, left)

    def _send(self, url: str, message: ToldMessage, left: frozenset[str], **how: Any) -> None:
        said = {LEFT_ATTRIBUTE: ",".join(sorted(left)), TRIES_ATTRIBUTE: str(message.tries + 1)}
        self._client.send_message(
            QueueUrl=url,
            MessageBody=message.body,
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in said.items()},
            **how,
        )


def messages_of(event: Mapping[str, Any]) -> Iterable[ToldMessage]:
    """Yield what Lambda delivers of the queue."""
    for record in event["Records"]:
        said = {name: each.get("stringValue", "") for name, each in record.get("messageAttributes", {}).items()}
        left, tries = said.get(LEFT_ATTRIBUTE, ""), said.get(TRIES_ATTRIBUTE, "")
        yield ToldMessage(
            message_id=record["messageId"],
            body=record["body"],
            left=frozenset(left.split(",")) if left else None,
            tries=int(tries) if tries.isdecimal() else 0,
        )
