"""The callback queue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mediarelay.aws.stores import store_errors
from mediarelay.callbacks.ports import CallbackMessage

_STORE: Final = "callback queue"
REPLAYED_ATTRIBUTE: Final = "replayed_at"
BODY_ATTRIBUTE: Final = "callback"


class SqsCallbacks:
    """Implements `callbacks.ports.CallbackQueue`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def hide(self, message: CallbackMessage, seconds: float) -> None:
        """See `callbacks.ports.CallbackQueue.hide`."""
        with store_errors(_STORE, "put a callback off"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.receipt_handle, VisibilityTimeout=max(1, round(seconds))
            )

    def replay(self, event: str, *, thin: bool, at: int) -> None:
        """See `callbacks.ports.CallbackQueue.replay`."""
        said = {BODY_ATTRIBUTE: "thin" if thin else "full", REPLAYED_ATTRIBUTE: str(at)}
        with store_errors(_STORE, "replay a callback"):
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=event,
                MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in said.items()},
            )


class SqsGivenUp:
    """Implements `callbacks.ports.GivenUpTopic`: the queue of what is sent on to a bus."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def tell(self, event: Mapping[str, Any]) -> None:
        """See `callbacks.ports.GivenUpTopic.tell`."""
        with store_errors("events' queue", "tell of a callback"):
            self._client.send_message(QueueUrl=self._url, MessageBody=json.dumps(event))


def messages_of(event: Mapping[str, Any]) -> Iterable[CallbackMessage]:
    """Yield what Lambda delivers of the queue."""
    for record in event["Records"]:
        said = {name: each.get("stringValue", "") for name, each in record.get("messageAttributes", {}).items()}
        replayed = said.get(REPLAYED_ATTRIBUTE, "")
        yield CallbackMessage(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            sent_at=int(record["attributes"]["SentTimestamp"]),
            thin=said.get(BODY_ATTRIBUTE) == "thin",
            replayed_at=int(replayed) if replayed.isdecimal() else 0,
        )
