"""The route by which a job's end is told once more."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from mediarelay.api.routes import MISSING, PROBLEM, RequestId, Tenant, ok, route_of
from mediarelay.api.telling.contract import TellOrder, ToldAgain
from mediarelay.api.telling.telling import TellingService

router: Any = Router()  # its decorators are not typed


@route_of(
    router,
    "POST /jobs/<request_id>/tell",
    summary="Tell of a job's end once more",
    responses={
        **ok("The events that are told", ToldAgain),
        **MISSING,
        409: {"description": "It has not ended, or nobody may be called back", "content": PROBLEM},
    },
)
def tell(
    request_id: Annotated[RequestId, Path(description="As published.")],
    order: TellOrder,
    tenant: Annotated[Tenant | None, Query(description="Whose it is, where it was published with a tenant.")] = None,
) -> ToldAgain:
    """To subscribers under the event's own id, or to the publisher's server, whose tries begin anew."""
    service: TellingService = router.context["services"].telling()
    return service.tell(unquote(request_id), tenant, order, router.context["caller"])
