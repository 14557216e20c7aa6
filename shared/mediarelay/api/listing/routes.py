"""The routes by which jobs are listed and read."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import Field, StringConstraints

from mediarelay.api.access import Caller
from mediarelay.api.contract import JobList
from mediarelay.api.job_views import JobReader
from mediarelay.api.listing.contract import ListedJobs
from mediarelay.api.listing.listing import CURSOR, ListingService
from mediarelay.api.routes import MISSING, Name, RequestId, Tenant, ok, route_of
from mediarelay.api.waiting.waiting import LONGEST_WAIT
from mediarelay.vocabulary.kinds import JobStatus, Kind

router: Any = Router()  # its decorators are not typed
MOST: Final = 100
Moment = Annotated[int, Field(ge=0, le=10**14)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
Cursor = Annotated[str, StringConstraints(pattern=CURSOR)]


@route_of(router, "GET /jobs", summary="The newest jobs", responses=ok("A page, and where the next one begins"))
def listed_jobs(
    since: Annotated[Moment | None, Query(description="Unix milliseconds; by default a day ago.")] = None,
    until: Annotated[Moment | None, Query(description="Unix milliseconds; by default now.")] = None,
    status: Annotated[JobStatus | None, Query(description="Those that stand there.")] = None,
    kind: Annotated[Kind | None, Query(description="Those of a kind.")] = None,
    tenant: Annotated[Tenant | None, Query(description="A tenant's; a publisher sees no others.")] = None,
    provider: Annotated[Name | None, Query(description="Those that it delivered, or tried last.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most.")] = 50,
    cursor: Annotated[Cursor | None, Query(description="As the page before gave it, with the same filters.")] = None,
) -> ListedJobs:
    """Jobs by the moment they were received, the newest first; a page is stable while others come and change.

    Of strategy all the job of each provider; a long text is one job.
    """
    who: Caller = router.context["caller"]
    given = {"status": status, "kind": kind, "tenant": who.of_tenant(tenant), "provider": provider}
    wanted = {name: str(value) for name, value in given.items() if value is not None}
    return _service().page(wanted, since=since, until=until, limit=limit, cursor=cursor)


@route_of(
    router,
    "GET /jobs/<request_id>",
    summary="The jobs of a request",
    responses={**ok("Records with presigned links"), **MISSING},
)
def jobs(
    request_id: Annotated[RequestId, Path(description="The publisher's id, or the SQS message id.")],
    tenant: Annotated[Tenant | None, Query(description="Whose it is, where it was published with a tenant.")] = None,
) -> JobList:
    """What became of a request, with links to its results."""
    return _reader().find(unquote(request_id), tenant, router.context["caller"])


@route_of(
    router,
    "GET /jobs/<request_id>/wait",
    summary="The same, once it has changed",
    responses={
        **ok("Records that are another version than `after`, or have ended"),
        304: {"description": "Nothing has changed in the time"},
        **MISSING,
    },
)
def waited(
    request_id: Annotated[RequestId, Path(description="The publisher's id, or the SQS message id.")],
    after: Annotated[Version | None, Query(description="The version that is known.")] = None,  # noqa: ARG001 # as below
    seconds: Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="How long to wait.")] = LONGEST_WAIT,  # noqa: ARG001
    tenant: Annotated[Tenant | None, Query(description="Whose it is, where it was published with a tenant.")] = None,
) -> JobList:
    """A function of its own waits; this one, which people look at the API with, would answer at once."""
    return _reader().find(unquote(request_id), tenant, router.context["caller"])


def _reader() -> JobReader:
    reader: JobReader = router.context["services"].jobs()
    return reader


def _service() -> ListingService:
    service: ListingService = router.context["services"].listing()
    return service
