"""The routes of the HTTP API.

Powertools checks what comes in, and makes the OpenAPI document from the same signatures.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import StringConstraints

from mediarelay.api.access import ACCESS, FORBIDDEN, NOT_FOUND, PREFIX, Caller, caller_of, roles_of
from mediarelay.api.console import console
from mediarelay.api.contract import (
    AuditList,
    BudgetList,
    HealthOverview,
    IncidentList,
    JobList,
    KeyList,
    OverrideList,
    OverrideOrder,
    Problem,
    ProviderDetail,
    Words,
)
from mediarelay.api.operations import OperationsService, Services
from mediarelay.api.waiting.waiting import LONGEST_WAIT
from mediarelay.health.contract import Override
from mediarelay.usage.contract import UsageReport
from mediarelay.usage.usage import DIMENSIONS, as_csv
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable

TITLE: Final = "mediarelay"
LATEST: Final = 10**11  # unix seconds: the key of a moment has room for no more
VERSION: Final = "1"
PROBLEM: Final = {"application/json": {"model": Problem}}
ANYWHERE: Final[dict[int, Any]] = {
    401: {"description": "No token, a wrong or an expired one", "content": {"application/json": {"schema": {}}}},
    403: {"description": "The token's role may not do that", "content": PROBLEM},
    422: {"description": "The request is not as it must be", "content": PROBLEM},
    415: {"description": "The body is not JSON", "content": PROBLEM},
    503: {"description": "A store of ours is away; try again", "content": PROBLEM},
}
MISSING: Final[dict[int, Any]] = {404: {"description": "There is none", "content": PROBLEM}}
_REFUSED: Final[dict[int, Any]] = {409: {"description": "That cannot be forced on it", "content": PROBLEM}}

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Tenant = Annotated[str, StringConstraints(min_length=1, max_length=64)]
CSV: Final = "text/csv"
ALL_OF_THEM: Final = ",".join(DIMENSIONS)
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_EITHER: Final = "|".join(DIMENSIONS)
Dimensions = Annotated[str, StringConstraints(pattern=rf"^({_EITHER})(,({_EITHER})){{0,3}}$")]
Format = Literal["json", "csv"]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
RequestId = Annotated[str, StringConstraints(min_length=1, max_length=128)]

# By method, what the paths of routes begin with that few use.
NOWHERE: Final = ("\0",)
LISTING: Final = f"{PREFIX}/jobs"
LATER: Final = {
    "GET": (f"{PREFIX}/dlq", f"{PREFIX}/models", f"{PREFIX}/voices", f"{PREFIX}/overview"),
    "POST": (f"{PREFIX}/requests", f"{PREFIX}/jobs", f"{PREFIX}/dlq", f"{PREFIX}/budgets"),
    "DELETE": (f"{PREFIX}/jobs", f"{PREFIX}/dlq"),
}
router: Any = Router()  # its decorators are not typed


def route(name: str, **facts: Any) -> Any:
    """Return the decorator of a route, with who may use it."""
    return route_of(router, name, **facts)


def route_of(of: Any, name: str, **facts: Any) -> Any:
    """The same of another router."""
    method, path = name.split(" ")
    return of.route(f"{PREFIX}{path}", method=method, openapi_extensions={"x-roles": sorted(ACCESS[name])}, **facts)


def ok(description: str, model: Any = None) -> dict[int, Any]:
    """Return the descriptions of what a route answers, and of what any route may."""
    content = {"content": {"application/json": {"model": model}}} if model else {}
    return {200: {"description": description, **content}, **ANYWHERE}


@route("GET /providers/health", summary="Every provider", responses=ok("Records and statuses"))
def providers_health() -> HealthOverview:
    """The health record of every provider, and the status that routing goes by."""
    return _service().health()


@route(
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


@route("GET /keys", summary="Every key", responses=ok("Ids and states, never keys"))
def keys() -> KeyList:
    """Every key by its id, with what is known of it and of the limits it draws on."""
    return _service().keys_and_limits()


@route(
    "GET /jobs/<request_id>",
    summary="The jobs of a request",
    responses={**ok("Records with presigned links"), **MISSING},
)
def jobs(
    request_id: Annotated[RequestId, Path(description="The publisher's id, or the SQS message id.")],
    tenant: Annotated[Tenant | None, Query(description="Whose it is, where it was published with a tenant.")] = None,
) -> JobList:
    """What became of a request, with links to its results."""
    return _service().jobs.find(unquote(request_id), tenant, caller())


@route(
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
    return _service().jobs.find(unquote(request_id), tenant, caller())


@route(
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
    found = _service().usage(first, last, by, tenant=caller().tenant)
    accepted = str((router.current_event.headers or {}).get("accept", ""))
    if format_ == "csv" or accepted.partition(";")[0].strip().lower() == CSV:
        return Response(HTTPStatus.OK, CSV, as_csv(found))
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, found.model_dump_json(exclude_none=True))


@route("GET /incidents", summary="The newest alerts", responses=ok("Newest first"))
def incidents() -> IncidentList:
    """What was sent to ProviderAlerts."""
    return _service().incidents()


@route("GET /budgets", summary="What is spent of budgets", responses=ok("By payer and provider"))
def budgets() -> BudgetList:
    """What of this month's budgets is spent, reserved and left; those of which anything was set aside."""
    return _service().budgets(caller().tenant)


@route("GET /overrides", summary="What is forced", responses=ok("Those that hold now"))
def overrides() -> OverrideList:
    """What operators have forced, and until when."""
    return _service().overrides()


@route(
    "POST /overrides",
    summary="Force a provider or disable a key",
    responses={**ok("As it holds now"), **MISSING, **_REFUSED},
)
def force(order: OverrideOrder) -> Override:
    """Replaces what was forced on the same subject."""
    return _service().force(order, caller().name)


@route(
    "DELETE /overrides/<subject>",
    summary="Take it back",
    responses={204: {"description": "It is released"}, **ANYWHERE, **MISSING},
)
def release(
    subject: Annotated[RequestId, Path(description="As it was forced.")],
    reason: Annotated[Words | None, Query(description="Why, for the audit.")] = None,
) -> Response[None]:
    """End an override before its time."""
    _service().release(unquote(subject), caller().name, reason)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@route("GET /audit", summary="What operators have done", responses=ok("Newest first"))
def audit(
    since: Annotated[float, Query(ge=0, le=LATEST, description="Not what was done before, unix seconds.")] = 0.0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> AuditList:
    """Who changed what, why, and from what to what; kept for 90 days."""
    return _service().audit(since, limit)


class JsonApi(APIGatewayHttpResolver):
    """Lets in whom the table of routes lets in, before anything of a request is read.

    Accepts only JSON bodies: Powertools would try to read others, and fail. What few ask for is imported when they do.
    """

    _whole = False

    def complete(self) -> None:
        """Add the routes that few use."""
        if self._whole:
            return
        from mediarelay.api.catalogue.routes import router as catalogue  # noqa: PLC0415
        from mediarelay.api.dead_letters.routes import router as dead_letters  # noqa: PLC0415
        from mediarelay.api.listing.routes import router as listing  # noqa: PLC0415 # as above
        from mediarelay.api.orders.routes import router as orders  # noqa: PLC0415 # as above
        from mediarelay.api.overview.routes import router as overview  # noqa: PLC0415 # as above
        from mediarelay.api.publishing.routes import router as publishing  # noqa: PLC0415 # as above
        from mediarelay.api.telling.routes import router as telling  # noqa: PLC0415 # as above

        self._whole = True
        self.include_router(overview)
        self.include_router(catalogue)
        self.include_router(dead_letters)
        self.include_router(orders)
        self.include_router(listing)
        self.include_router(publishing)
        self.include_router(telling)

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        """See `APIGatewayHttpResolver.resolve`."""
        http = event["requestContext"]["http"]
        if http["path"] == LISTING or http["path"].startswith(LATER.get(http["method"], NOWHERE)):
            self.complete()
        roles = roles_of(http["method"], http["path"])
        if roles is not None and _caller_of(event).role not in roles:
            return _bare(HTTPStatus.FORBIDDEN, FORBIDDEN, f"this takes the role {' or '.join(sorted(roles))}")
        sent = str((event.get("headers") or {}).get("content-type", ""))
        if event.get("body") and sent.partition(";")[0].strip().lower() != content_types.APPLICATION_JSON:
            return _bare(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", "the body must be application/json")
        return super().resolve(event, context)


def build_api(service: OperationsService, services: Services | None = None) -> APIGatewayHttpResolver:
    """Build the application over a service, and over what makes the others when they are asked for."""
    app: Any = JsonApi(enable_validation=True)
    app.include_router(router)

    def provide(application: Any, following: Any) -> Any:
        event = application.current_event
        who = _caller_of(event.raw_event)
        # Once more, by what Powertools went by: it takes a path that ends a line for one of its routes.
        if event.path.startswith(PREFIX) and who.role not in (roles_of(event.http_method, event.path) or ()):
            return nowhere(RequestRejected(NOT_FOUND, event.path))
        # Powertools forgets it after each request.
        application.append_context(service=service, services=services, caller=who)
        return following(application)

    app.use(middlewares=[provide])

    @app.get("/", include_in_schema=False, compress=True)
    def page() -> Response[str | None]:
        return _page(service.results_origin, (app.current_event.headers or {}).get("if-none-match"))

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False)
    def document() -> Response[str]:
        return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, openapi(app))

    @app.exception_handler(RequestRejected)
    def refused(error: RequestRejected) -> Response[str]:
        return _problem(STATUSES.get(error.code, HTTPStatus.CONFLICT), error.code, error.message)

    @app.not_found
    def nowhere(_: Exception) -> Response[str]:
        allowed = _methods(app, app.current_event.path)
        if not allowed or app.current_event.http_method in allowed.split(", "):
            return _problem(HTTPStatus.NOT_FOUND, NOT_FOUND, "there is no such resource")
        refusal = _problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", f"allowed: {allowed}")
        refusal.headers["Allow"] = allowed
        return refusal

    @app.exception_handler(RequestValidationError)
    def invalid(error: RequestValidationError) -> Response[str]:
        reasons = (f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in error.errors())
        return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "; ".join(reasons))

    @app.exception_handler(StoreUnavailable)
    def away(error: StoreUnavailable) -> Response[str]:
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", f"{error.store} is away; try again")

    resolver: APIGatewayHttpResolver = app
    return resolver


def _page(results_origin: str, known: str | None) -> Response[str | None]:
    """Return the console; nothing to who has it."""
    text, headers = console(results_origin)
    if known == headers["ETag"]:
        return Response(HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(HTTPStatus.OK, content_types.TEXT_HTML, text, headers)


STATUSES: Final = {
    "invalid_request": HTTPStatus.BAD_REQUEST,
    "unknown_kind": HTTPStatus.BAD_REQUEST,
    "not_json": HTTPStatus.BAD_REQUEST,
    "callback_not_allowed": HTTPStatus.BAD_REQUEST,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NOT_FOUND: HTTPStatus.NOT_FOUND,
    FORBIDDEN: HTTPStatus.FORBIDDEN,
}


def openapi(app: APIGatewayHttpResolver) -> str:
    """Return the OpenAPI document of the application."""
    if isinstance(app, JsonApi):
        app.complete()
    return app.get_openapi_json_schema(
        title=TITLE,
        version=VERSION,
        description="Provider health, keys, jobs and overrides of one mediarelay stack.",
    )


def _methods(app: Any, path: str) -> str:
    """Return the methods that the document names for a path; empty when it names none."""
    paths: dict[str, dict[str, Any]] = json.loads(openapi(app))["paths"]
    if path in paths:
        return ", ".join(sorted(method.upper() for method in paths[path]))
    for template, operations in paths.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return ", ".join(sorted(method.upper() for method in operations))
    return ""


def caller() -> Caller:
    """Return whose request is being served."""
    who: Caller = router.context["caller"]
    return who


def _service() -> OperationsService:
    service: OperationsService = router.context["service"]
    return service


def _caller_of(event: Any) -> Caller:
    return caller_of((event["requestContext"].get("authorizer") or {}).get("lambda") or {})


def _bare(status: HTTPStatus, code: str, message: str) -> dict[str, Any]:
    """Return a refusal of what Powertools is not shown."""
    headers = {"content-type": content_types.APPLICATION_JSON}
    body = Problem(code=code, message=message).model_dump_json()
    return {"statusCode": int(status), "headers": headers, "body": body}


def _problem(status: HTTPStatus, code: str, message: str) -> Response[str]:
    again = status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
    return bare_problem(status, Problem(code=code, message=message, retryable=again))


def bare_problem(status: HTTPStatus, problem: Problem) -> Response[str]:
    """Return a refusal."""
    return Response(status, content_types.APPLICATION_JSON, problem.model_dump_json())
