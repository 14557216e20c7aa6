"""What one invocation is given: a thread for each message, and each is settled as it ends.

A full batch is the sign that more is waiting. The worker then takes further messages itself while its threads are free
and there is time (`dispatch.refilling`): it is paid for until the slowest of its messages has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import Inbox, QueueMessage
from mediarelay.vocabulary.clock import Clock

logger = logging.getLogger(__name__)

# More would make Lambda wait a second for every batch (Lambda guide, "Creating and configuring an Amazon SQS event
# source mapping": a batch size over 10 takes a batching window); it is also what SQS gives in one answer.
FULL: Final = 10
# What the runtime needs to return an answer and the telemetry flush to finish.
RESERVE_SECONDS: Final = 2.5
# The longest that receiving further messages may take: both attempts of the queue's client.
ANSWER_SECONDS: Final = 10.0


class BatchService:
    """Serves what invocations are given. One per worker; `service` brings each message to its end."""

    def __init__(
        self,
        service: DispatchService,
        inbox_of: Callable[[str], Inbox | None],
        clock: Clock,
        *,
        threads: int,
        message_seconds: float,
    ) -> None:
        """Build it.

        Args:
            service: Brings each message to its end.
            inbox_of: The queue by its ARN, where more may be taken from it.
            clock: The worker's.
            threads: How many messages are served at once.
            message_seconds: How long one may take; what is taken later than that before the function ends would be cut
                off.
        """
        self.service = service
        self._inbox_of = inbox_of
        self._clock = clock
        self._slots = threads
        self._message_seconds = message_seconds
        self._threads = ThreadPoolExecutor(max_workers=max(threads, FULL), thread_name_prefix="message")

    def serve(self, event: Mapping[str, Any], *, function_ends_at: float) -> dict[str, Any]:
        """Serve the event of an SQS source. Returns Lambda's partial answer: the messages that must come again."""
        messages = [self._message(record) for record in event["Records"]]
        self.service.begin_batch(len(messages))
        try:
            failed = self._unfinished(messages, function_ends_at - RESERVE_SECONDS)
        finally:
            self.service.end_batch(worker_ends_at=function_ends_at)
        return {"batchItemFailures": [{"itemIdentifier": each.message_id} for each in failed]}

    def _unfinished(self, messages: Sequence[QueueMessage], ends_at: float) -> Sequence[QueueMessage]:
        serve = partial(self._finished, ends_at=ends_at, company=len(messages) > 1)
        until = ends_at - self._message_seconds - ANSWER_SECONDS
        full = len(messages) >= FULL and self._slots > FULL and self._clock.now() < until
        inbox = self._inbox_of(messages[0].source) if full else None
        if inbox is None:
            finished = self._threads.map(serve, messages)
            return [message for message, done in zip(messages, finished, strict=True) if not done]
        # Imported here: a message that comes alone does without.
        from mediarelay.dispatch.refilling import Refilling  # noqa: PLC0415 # as above

        return Refilling(inbox, serve, self.service, self._threads, self._clock, slots=self._slots).run(
            messages, until=until
        )

    def _finished(self, message: QueueMessage, *, ends_at: float, company: bool) -> bool:
        """Bring it to its end; False when it must come again."""
        until = min(ends_at, self._clock.now() + self._message_seconds)
        try:
            self.service.handle(message, worker_ends_at=until, company=company)
        except Exception as error:  # noqa: BLE001 # whatever it is, it is this message's alone
            logger.warning(
                "message not finished", extra={"message_id": message.message_id, "error": type(error).__name__}
            )
            return False
        return True

    def _message(self, record: Mapping[str, Any]) -> QueueMessage:
        """Return a record of the event source as a message."""
        system, sent = record["attributes"], record["attributes"].get("SentTimestamp")
        attributes = {name: each.get("stringValue") for name, each in record["messageAttributes"].items()}
        return QueueMessage(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            sent_at=int(sent) if sent else round(self._clock.now() * 1000),
            receive_count=int(system.get("ApproximateReceiveCount") or 1),
            attributes={name: value for name, value in attributes.items() if value},
            group=system.get("MessageGroupId"),
            source=record["eventSourceARN"],
        )
