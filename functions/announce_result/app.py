"""Jobs stream -> MediaResults: announce every job that has just settled."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap import build_announce
from mediarelay.contracts.job import JobRecord
from mediarelay.observability import package_logger
from mediarelay.services.announcing import AnnounceService
from mediarelay.settings import AnnounceSettings, inside_lambda

logger = package_logger()
processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)


@functools.cache
def service() -> AnnounceService:
    """One per worker."""
    return build_announce(AnnounceSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    return dict(process_partial_response(event, on_record, processor, context))


def on_record(record: DynamoDBRecord) -> None:
    """One change of one job."""
    images = record.dynamodb
    if images is None or not images.new_image:
        return
    before = JobRecord.model_validate(images.old_image) if images.old_image else None
    service().announce(before, JobRecord.model_validate(images.new_image))


if inside_lambda():
    service()
