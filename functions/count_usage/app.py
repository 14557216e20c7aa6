"""Jobs stream -> usage: add what settled jobs have cost to the totals of their day."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.announce import UsageSettings, build_usage
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.usage.dynamodb_changes import first_number, job_changes, shard_of
from mediarelay.usage.usage import UsageCounter
from mediarelay.vocabulary.errors import StoreUnavailable

logger = package_logger()


@functools.cache
def service() -> UsageCounter:
    """One per worker."""
    return build_usage(UsageSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's signature
    """Entry point. The batch is counted as a whole; the window that names the stream's shard has no state."""
    failed = []
    try:
        service().count(shard_of(event), job_changes(event))
    except StoreUnavailable as error:
        logger.warning("batch not counted", extra={"store": error.store, "reason": error.reason})
        failed = [{"itemIdentifier": first_number(event)}]
    return {"state": {}, "batchItemFailures": failed}


if inside_lambda():
    service()
