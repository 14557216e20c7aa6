"""HTTP API -> health, keys, jobs, incidents and overrides, requests for the queue; and the console."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.api.routes import build_api
from mediarelay.bootstrap.api import ApiSettings, build_services
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda

logger = package_logger()


@functools.cache
def application() -> APIGatewayHttpResolver:
    """One per worker."""
    return build_api(build_services(ApiSettings.from_env()))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    return application().resolve(event, context)


if inside_lambda():
    application()
