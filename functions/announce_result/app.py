"""Jobs stream -> MediaResults: announce every job that has just settled."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap_announce import build_announce
from mediarelay.observability import package_logger
from mediarelay.services.announcing import AnnounceService
from mediarelay.settings import AnnounceSettings, inside_lambda
from mediarelay.streams import StreamProcessor, job_change

logger = package_logger()
processor = StreamProcessor()


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
    before, after = job_change(record.raw_event)
    if after is not None:
        service().announce(before, after)


if inside_lambda():
    service()
