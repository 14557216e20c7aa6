"""Events' queue -> a bus, a chat, PagerDuty: what the topics told, for others' systems."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.bootstrap.telling.events import EventSettings, build_forwarding
from mediarelay.events.forwarding import ForwardingService
from mediarelay.events.sqs import messages_of

logger = package_logger()


@functools.cache
def service() -> ForwardingService:
    """One per worker."""
    return build_forwarding(EventSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's signature
    """Entry point."""
    again = service().forward(list(messages_of(event)))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


if inside_lambda():
    service()
