"""The routes of dead letters."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from mediarelay.api.contract import Words
from mediarelay.api.dead_letters.contract import DeadLetterList, Redriven, RedriveOrder
from mediarelay.api.dead_letters.redriving import RedriveService
from mediarelay.api.routes import ANYWHERE, MISSING, PROBLEM, RequestId, Tenant, ok, route_of
from mediarelay.api.tokens import Role

router: Any = Router()  # its decorators are not typed


@route_of(router, "GET /dlq", summary="Dead letters by their code", responses=ok("Counts, of those looked at"))
def dead_letters(
    limit: Annotated[int, Query(ge=1, le=1000, description="How many messages are looked at.")] = 100,
) -> DeadLetterList:
    """What is in the dead-letter queue of requests, by class of failure; to operators each message as well."""
    return _service().classes(limit, each=router.context["caller"].role is Role.OPERATOR)


@route_of(router, "POST /dlq/redrive", summary="Move a class of them back", responses=ok("What was moved, or would be"))
def redrive(order: RedriveOrder) -> Redriven:
    """Back to the request queue, under their own ids; what something was bought for stays. Tells only, by default."""
    return _service().redrive(order, router.context["caller"])


@route_of(
    router,
    "DELETE /dlq/<request_id>",
    summary="Delete a dead letter",
    responses={
        204: {"description": "It is gone"},
        **ANYWHERE,
        **MISSING,
        409: {"description": "Several tenants have that id", "content": PROBLEM},
    },
)
def drop(
    request_id: Annotated[RequestId, Path(description="By which its job is known.")],
    reason: Annotated[Words, Query(description="Why, for the audit.")],
    tenant: Annotated[Tenant | None, Query(description="Whose it is, where several have the id.")] = None,
) -> Response[None]:
    """Delete the messages of a request for good; its record stays."""
    _service().drop(unquote(request_id), tenant, reason, router.context["caller"])
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _service() -> RedriveService:
    service: RedriveService = router.context["services"].dead_letters()
    return service
