"""HTTP API -> state machine: fal says that a job is over. Its signature is what lets it in; there is no token."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.bootstrap.web.webhook import WebhookSettings, build_webhooks
from mediarelay.long_jobs.webhooks.receive import WebhookService, WebhookVerdict
from mediarelay.vocabulary.errors import StoreUnavailable

logger = package_logger()


@functools.cache
def service() -> WebhookService:
    """One per worker, with the vendor's public keys."""
    return build_webhooks(WebhookSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's signature
    """Entry point."""
    return {"statusCode": _status(event)}


def _status(event: Mapping[str, Any]) -> int:
    try:
        return service().receive(event.get("headers", {}), _body(event)).value
    except StoreUnavailable as error:
        logger.warning("webhook not taken", extra={"store": error.store, "reason": error.reason})
        return 503  # fal delivers again, and the execution polls in any case
    except binascii.Error:
        return WebhookVerdict.REFUSED.value


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()


if inside_lambda():
    service()
