"""Telemetry stream -> health records: count a batch of attempt metrics, judge the providers in it."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.aggregate import AggregateSettings, build_aggregate
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.health.aggregate import AggregateService
from mediarelay.metrics.stream import first_number, metric_batch
from mediarelay.vocabulary.errors import StoreUnavailable

logger = package_logger()


@functools.cache
def service() -> AggregateService:
    """One per worker."""
    return build_aggregate(AggregateSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's signature
    """Entry point. The batch is counted as a whole; the answer names where the stream must go on, if not at its end."""
    records, failed = metric_batch(event)
    try:
        service().aggregate(records)
    except StoreUnavailable as error:
        logger.warning("batch not counted", extra={"store": error.store, "reason": error.reason})
        failed = first_number(event)
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


if inside_lambda():
    service()
