"""SQS -> providers: serve a batch of requests for pictures, all at once, each settled as it ends."""

from __future__ import annotations

import functools
import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.dispatch import DispatchSettings, build_batches
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.dispatch.batches import BatchService

logger = package_logger()


@functools.cache
def service() -> BatchService:
    """One per worker, with its key pools and connections."""
    return build_batches(DispatchSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000
    return service().serve(event, function_ends_at=ends_at)


if inside_lambda():
    service()
