"""The dead-letter queue of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mediarelay.aws.stores import store_errors
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.dispatch.sqs import attributes_of, group_of, received

_STORE: Final = "dead-letter queue"
_BATCH: Final = 10
# Longer than the function that looks may run.
HIDDEN_SECONDS: Final = 120


class SqsDeadLetters:
    """Implements `api.dead_letters.ports.DeadLetterQueue`."""

    def __init__(self, client: Any, dlq_url: str, queue_url: str) -> None:
        self._client = client
        self._dlq_url = dlq_url
        self._queue_url = queue_url

    def look(self, most: int) -> Sequence[QueueMessage]:
        """See `api.dead_letters.ports.DeadLetterQueue.look`."""
        found: list[QueueMessage] = []
        while len(found) < most:
            with store_errors(_STORE, "be read"):
                answer = self._client.receive_message(
                    QueueUrl=self._dlq_url,
                    MaxNumberOfMessages=min(_BATCH, most - len(found)),
                    VisibilityTimeout=HIDDEN_SECONDS,
                    WaitTimeSeconds=1,  # a long poll asks every server of the queue
                    MessageSystemAttributeNames=["All"],
                    MessageAttributeNames=["All"],
                )
            if not answer.get("Messages"):
                break
            found += [received(each) for each in answer["Messages"]]
        return found

    def release(self, messages: Sequence[QueueMessage]) -> None:
        """See `api.dead_letters.ports.DeadLetterQueue.release`."""
        for first in range(0, len(messages), _BATCH):
            entries = [
                {"Id": str(at), "ReceiptHandle": each.receipt_handle, "VisibilityTimeout": 0}
                for at, each in enumerate(messages[first : first + _BATCH])
            ]
            with store_errors(_STORE, "release messages"):
                self._client.change_message_visibility_batch(QueueUrl=self._dlq_url, Entries=entries)

    def move(self, message: QueueMessage, attributes: Mapping[str, str]) -> None:
        """See `api.dead_letters.ports.DeadLetterQueue.move`."""
        with store_errors("request queue", "take a message back"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=message.body,
                MessageAttributes=attributes_of(message, attributes),
                **group_of(message),
            )
        self.drop(message)

    def drop(self, message: QueueMessage) -> None:
        """See `api.dead_letters.ports.DeadLetterQueue.drop`."""
        with store_errors(_STORE, "delete a message"):
            self._client.delete_message(QueueUrl=self._dlq_url, ReceiptHandle=message.receipt_handle)
