"""Callback queue -> the publishers' servers: tell how a job ended those who asked to be told, ten at once."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.bootstrap.telling.callbacks import CallbackSettings, build_callbacks
from mediarelay.callbacks.deliver import CallbackService
from mediarelay.callbacks.sqs import messages_of

logger = package_logger()


@functools.cache
def service() -> CallbackService:
    """One per worker, with its connections and what it knows of hosts that fail."""
    return build_callbacks(CallbackSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's signature
    """Entry point."""
    again = service().deliver(messages_of(event))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


if inside_lambda():
    service()
