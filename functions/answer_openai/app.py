"""Function URL -> speech, pictures and clips for the official OpenAI SDKs: published, waited for, answered by links."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.api.access import Caller
from mediarelay.api.authorizing import AuthorizeService
from mediarelay.api.openai.answers import response
from mediarelay.api.openai.reading import Sent, sent
from mediarelay.api.openai.serving import OpenAiService
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.bootstrap.web.authorize import build_authorize
from mediarelay.bootstrap.web.openai import OpenAiSettings, build_openai
from mediarelay.vocabulary.errors import StoreUnavailable

logger = package_logger()


@functools.cache
def service() -> OpenAiService:
    """One per worker."""
    return build_openai(OpenAiSettings.from_env())


@functools.cache
def tokens() -> AuthorizeService:
    """The same check of tokens as the API's; one per worker."""
    return build_authorize(OpenAiSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    request = sent(event)
    return response(service().answer(request, _caller(request)), context.aws_request_id)


def _caller(request: Sent) -> Caller | None:
    try:
        holder = tokens().holder(request.headers.get("authorization"))
    except StoreUnavailable as error:
        logger.warning("nobody is let in", extra={"store": error.store, "reason": error.reason})
        return None
    return Caller(holder.name, holder.role, holder.tenant) if holder else None


if inside_lambda():
    service()
    tokens()
