"""Jobs stream -> MediaResults: announce the jobs that have just settled, as many as came together."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.announce.announcing import AnnounceService
from mediarelay.announce.contract import ResultEvent
from mediarelay.bootstrap.announce import AnnounceSettings, build_announce
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.job_records.stream import StreamProcessor, failed_records, job_change

logger = package_logger()
processor = StreamProcessor()


@functools.cache
def service() -> AnnounceService:
    """One per worker."""
    return build_announce(AnnounceSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    settled: dict[str, ResultEvent] = {}

    def on_record(record: DynamoDBRecord) -> None:
        before, after = job_change(record.raw_event)
        told = service().event_of(before, after) if after is not None else None
        if told is not None:
            settled[record.raw_event["dynamodb"]["SequenceNumber"]] = told

    unread = process_partial_response(event, on_record, processor, context)["batchItemFailures"]
    published = service().announce(list(settled.values()))
    return {"batchItemFailures": [*failed_records(list(settled)[published:]), *unread]}


if inside_lambda():
    service()
