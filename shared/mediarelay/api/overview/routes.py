"""The route of the overview."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Header

from mediarelay.api.overview.contract import Overview
from mediarelay.api.overview.overview import OverviewService
from mediarelay.api.routes import ok, route_of

router: Any = Router()  # its decorators are not typed
_SEEN: Final[dict[int, Any]] = {304: {"description": "Nothing but the moment differs from what is known"}}


@route_of(
    router,
    "GET /overview",
    summary="What is going on, in one document",
    responses={**ok("At most two seconds old", Overview), **_SEEN},
    compress=True,
)
def overview(
    if_none_match: Annotated[str | None, Header(alias="if-none-match", description="The ETag that is known.")] = None,
) -> Response[str | None]:
    """Providers, keys, queues, incidents, overrides and today's money; what could not be read is in `warnings`."""
    found = _service().overview(router.context["caller"])
    # A weak one: two that differ in the moment alone say the same.
    said = found.model_dump_json(exclude={"now"})
    tag = f'W/"{hashlib.sha256(said.encode()).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if if_none_match == tag:
        return Response(HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, found.model_dump_json(), headers)


def _service() -> OverviewService:
    service: OverviewService = router.context["services"].overview()
    return service
