"""SQS -> providers: serve a batch of media requests, all at once, each settled as it ends."""

from __future__ import annotations

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.dispatch import build_dispatch
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import DispatchSettings, inside_lambda
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import QueueMessage

# What the runtime needs to return an answer and the telemetry flush to finish.
RESERVE_SECONDS: Final = 2.5

logger = package_logger()
threads = ThreadPoolExecutor(max_workers=10, thread_name_prefix="message")  # a batch has at most ten


class ThreadedProcessor(BatchProcessor):
    """Powertools' processor, with a thread for each record; its own asyncio would only wait for such threads."""

    def process(self) -> list[Any]:
        """All records at once."""
        return list(threads.map(self._process_record, self.records))


# A failed record says by itself that it failed; raising for a whole batch would only add a useless function error.
processor = ThreadedProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@functools.cache
def service() -> DispatchService:
    """One per worker, with its key pools and connections."""
    return build_dispatch(DispatchSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS

    def on_record(record: SQSRecord) -> None:
        service().handle(_message(record), worker_ends_at=ends_at)

    service().begin_batch(len(event["Records"]))
    try:
        answer = process_partial_response(event, on_record, processor, context)
    finally:
        service().end_batch(worker_ends_at=ends_at + RESERVE_SECONDS)
    return dict(answer)


def _message(record: SQSRecord) -> QueueMessage:
    sent = record.attributes.sent_timestamp
    return QueueMessage(
        message_id=record.message_id,
        receipt_handle=record.receipt_handle,
        body=record.body,
        sent_at=int(sent) if sent else round(time.time() * 1000),
        receive_count=int(record.attributes.approximate_receive_count or 1),
        attributes={
            name: value.string_value for name, value in record.message_attributes.items() if value.string_value
        },
        group=record.attributes.message_group_id,
        source=record.event_source_arn,
    )


if inside_lambda():
    service()
