"""HTTP API -> the jobs of a request, once they have changed: people and pages do not stand in line behind who waits."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.api.waiting.waiting import WaitService
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.bootstrap.web.waiting import WaitSettings, build_waiting

logger = package_logger()


@functools.cache
def service() -> WaitService:
    """One per worker."""
    return build_waiting(WaitSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's signature
    """Entry point."""
    return service().answer(event)


if inside_lambda():
    service()
