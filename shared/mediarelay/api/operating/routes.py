"""The routes of what operators look at and force."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import StringConstraints

from mediarelay.api.access import Caller
from mediarelay.api.contract import (
    AuditList,
    BudgetList,
    HealthOverview,
    IncidentList,
    KeyList,
    OverrideList,
    OverrideOrder,
    ProviderDetail,
    Words,
)
from mediarelay.api.operations import OperationsService
from mediarelay.api.routes import ANYWHERE, MISSING, PROBLEM, Name, RequestId, ok, route_of
from mediarelay.health.contract import Override
from mediarelay.usage.contract import UsageReport
from mediarelay.usage.usage import DIMENSIONS, as_csv

router: Any = Router()  # its decorators are not typed
LATEST: Final = 10**11  # unix seconds: the key of a moment has room for no more
_REFUSED: Final[dict[int, Any]] = {409: {"description": "That cannot be forced on it", "content": PROBLEM}}
CSV: Final = "text/csv"
ALL_OF_THEM: Final = ",".join(DIMENSIONS)
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_EITHER: Final = "|".join(DIMENSIONS)
Dimensions = Annotated[str, StringConstraints(pattern=rf"^({_EITHER})(,({_EITHER})){{0,3}}$")]
Format = Literal["json", "csv"]


@route_of(router, "GET /providers/health", summary="Every provider", responses=ok("Records and statuses"))
def providers_health() -> HealthOverview:
    """The health record of every provider, and the status that routing goes by."""
    return _service().health()


@route_of(
    router,
    "GET /providers/<provider>/health",
    summary="One provider with its history",
    responses={**ok("Its record and buckets"), **MISSING},
)
def provider_health(
    provider: Annotated[Name, Path(description="Its name, such as openai-tts.")],
    seconds: Annotated[int, Query(ge=10, le=3600, description="How far back the history reaches.")] = 300,
) -> ProviderDetail:
    """Its record, and ten-second buckets as history."""
    return _service().provider_health(provider, seconds=seconds)


@route_of(router, "GET /keys", summary="Every key", responses=ok("Ids and states, never keys"))
def keys() -> KeyList:
    """Every key by its id, with what is known of it and of the limits it draws on."""
    return _service().keys_and_limits()


@route_of(
    router,
    "GET /usage",
    summary="What was used, and what it cost",
    responses={
        200: {
            "description": "Totals of settled jobs",
            "content": {"application/json": {"model": UsageReport}, "text/csv": {"schema": {"type": "string"}}},
        },
        **ANYWHERE,
        409: {"description": "The days make no range of at most 93", "content": PROBLEM},
    },
)
def usage(
    first: Annotated[Day | None, Query(alias="from", description="The first day (UTC), six before the last.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day (UTC); today, when absent.")] = None,
    by: Annotated[Dimensions, Query(description="What the totals are told apart by.")] = ALL_OF_THEM,
    format_: Annotated[Format, Query(alias="format", description="As `Accept: text/csv` asks for it.")] = "json",
) -> Response[str]:
    """Settled jobs and their cost by day, tenant, provider and model; of at most 93 days."""
    found = _service().usage(first, last, by, tenant=_caller().tenant)
    accepted = str((router.current_event.headers or {}).get("accept", ""))
    if format_ == "csv" or accepted.partition(";")[0].strip().lower() == CSV:
        return Response(HTTPStatus.OK, CSV, as_csv(found))
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, found.model_dump_json(exclude_none=True))


@route_of(router, "GET /incidents", summary="The newest alerts", responses=ok("Newest first"))
def incidents() -> IncidentList:
    """What was sent to ProviderAlerts."""
    return _service().incidents()


@route_of(router, "GET /budgets", summary="What is spent of budgets", responses=ok("By payer and provider"))
def budgets() -> BudgetList:
    """What of this month's budgets is spent, reserved and left; those of which anything was set aside."""
    return _service().budgets(_caller().tenant)


@route_of(router, "GET /overrides", summary="What is forced", responses=ok("Those that hold now"))
def overrides() -> OverrideList:
    """What operators have forced, and until when."""
    return _service().overrides()


@route_of(
    router,
    "POST /overrides",
    summary="Force a provider or disable a key",
    responses={**ok("As it holds now"), **MISSING, **_REFUSED},
)
def force(order: OverrideOrder) -> Override:
    """Replaces what was forced on the same subject."""
    return _service().force(order, _caller().name)


@route_of(
    router,
    "DELETE /overrides/<subject>",
    summary="Take it back",
    responses={204: {"description": "It is released"}, **ANYWHERE, **MISSING},
)
def release(
    subject: Annotated[RequestId, Path(description="As it was forced.")],
    reason: Annotated[Words | None, Query(description="Why, for the audit.")] = None,
) -> Response[None]:
    """End an override before its time."""
    _service().release(unquote(subject), _caller().name, reason)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@route_of(router, "GET /audit", summary="What operators have done", responses=ok("Newest first"))
def audit(
    since: Annotated[float, Query(ge=0, le=LATEST, description="Not what was done before, unix seconds.")] = 0.0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> AuditList:
    """Who changed what, why, and from what to what; kept for 90 days."""
    return _service().audit(since, limit)


def _caller() -> Caller:
    who: Caller = router.context["caller"]
    return who


def _service() -> OperationsService:
    service: OperationsService = router.context["services"].operations()
    return service
