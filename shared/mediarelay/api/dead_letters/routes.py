"""The routes of dead letters."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from mediarelay.api.dead_letters.contract import DeadLetterList, Redriven, RedriveOrder
from mediarelay.api.dead_letters.redriving import RedriveService
from mediarelay.api.routes import ok, route_of

router: Any = Router()  # its decorators are not typed


@route_of(router, "GET /dlq", summary="Dead letters by their code", responses=ok("Counts, of those looked at"))
def dead_letters(
    limit: Annotated[int, Query(ge=1, le=1000, description="How many messages are looked at.")] = 100,
) -> DeadLetterList:
    """What is in the dead-letter queue of requests, by class of failure."""
    return _service().classes(limit)


@route_of(router, "POST /dlq/redrive", summary="Move a class of them back", responses=ok("What was moved, or would be"))
def redrive(order: RedriveOrder) -> Redriven:
    """Back to the request queue, under their own ids; what something was bought for stays. Tells only, by default."""
    return _service().redrive(order, router.context["caller"])


def _service() -> RedriveService:
    service: RedriveService = router.context["services"].dead_letters()
    return service
