"""HTTP API -> may this request pass? A Lambda authorizer for bearer tokens."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.api.authorizing import AuthorizeService
from mediarelay.api.tokens import Token
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.bootstrap.web.authorize import AuthorizeSettings, build_authorize
from mediarelay.vocabulary.errors import StoreUnavailable

logger = package_logger()


class Unauthorized(Exception):
    """API Gateway answers 401 to an authorizer that fails with just this word; a denial would be a 403."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@functools.cache
def service() -> AuthorizeService:
    """One per worker."""
    return build_authorize(AuthorizeSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's signature
    """Entry point."""
    holder = _holder(event.get("headers", {}).get("authorization"))
    if holder is None:
        raise Unauthorized
    whose = {"token": holder.name, "role": holder.role.value}
    return {"isAuthorized": True, "context": whose | ({"tenant": holder.tenant} if holder.tenant else {})}


def _holder(authorization: str | None) -> Token | None:
    try:
        return service().holder(authorization)
    except StoreUnavailable as error:
        logger.warning("nobody is let in", extra={"store": error.store, "reason": error.reason})
        return None


if inside_lambda():
    service()
