"""The routes of the HTTP API.

Powertools checks what comes in, and makes the OpenAPI document from the same signatures.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import StringConstraints

from mediarelay.api.access import ACCESS, FORBIDDEN, NOT_FOUND, PREFIX, Caller, caller_of, roles_of
from mediarelay.api.console import console
from mediarelay.api.problem import Problem
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: see below.
if TYPE_CHECKING:
    from mediarelay.api.dead_letters.redriving import RedriveService
    from mediarelay.api.job_views import JobReader
    from mediarelay.api.listing.listing import ListingService
    from mediarelay.api.operations import OperationsService
    from mediarelay.api.orders.ordering import BudgetOrders
    from mediarelay.api.overview.overview import OverviewService
    from mediarelay.api.publishing.publishing import PublishingService
    from mediarelay.api.telling.telling import TellingService

TITLE: Final = "mediarelay"
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

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Tenant = Annotated[str, StringConstraints(min_length=1, max_length=64)]
RequestId = Annotated[str, StringConstraints(min_length=1, max_length=128)]

# Where routes are, by what their paths begin with, and by the method where that makes a difference: imported when one
# of them is first asked for.
ROUTERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("providers", "keys", "usage", "incidents", "GET budgets", "overrides", "audit"), ("operating",)
        ),
        "POST budgets": ("orders",),
        "GET jobs": ("listing",),
        "POST jobs": ("publishing", "telling"),
        "DELETE jobs": ("publishing",),
        "requests": ("publishing",),
        "dlq": ("dead_letters",),
        "models": ("catalogue",),
        "voices": ("catalogue",),
        "overview": ("overview",),
    }
)


@frozen
class Services:
    """What is asked of the API; each is made, and its code imported, when it is first used."""

    operations: Callable[[], OperationsService]
    jobs: Callable[[], JobReader]
    publishing: Callable[[], PublishingService]
    dead_letters: Callable[[], RedriveService]
    overview: Callable[[], OverviewService]
    listing: Callable[[], ListingService]
    telling: Callable[[], TellingService]
    budget_orders: Callable[[], BudgetOrders]
    results_origin: Callable[[], str]


def route_of(of: Any, name: str, **facts: Any) -> Any:
    """Return the decorator of a route of this router, with who may use it."""
    method, path = name.split(" ")
    return of.route(f"{PREFIX}{path}", method=method, openapi_extensions={"x-roles": sorted(ACCESS[name])}, **facts)


def ok(description: str, model: Any = None) -> dict[int, Any]:
    """Return the descriptions of what a route answers, and of what any route may."""
    content = {"content": {"application/json": {"model": model}}} if model else {}
    return {200: {"description": description, **content}, **ANYWHERE}


class JsonApi(APIGatewayHttpResolver):
    """Lets in whom the table of routes lets in, before anything of a request is read.

    Accepts only JSON bodies: Powertools would try to read others, and fail.
    """

    def __init__(self) -> None:
        """It has no routes yet."""
        super().__init__(enable_validation=True)
        self._included: set[str] = set()

    def include(self, names: Iterable[str]) -> None:
        """Add the routes of these modules, where they are not there yet."""
        for name in names:
            if name not in self._included:
                self._included.add(name)
                self.include_router(import_module(f"mediarelay.api.{name}.routes").router)

    def complete(self) -> None:
        """Add all routes."""
        self.include(name for names in ROUTERS.values() for name in names)

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        """See `APIGatewayHttpResolver.resolve`."""
        http = event["requestContext"]["http"]
        if http["path"].startswith(f"{PREFIX}/"):
            begins = http["path"].removeprefix(f"{PREFIX}/").partition("/")[0]
            self.include(ROUTERS.get(begins) or ROUTERS.get(f"{http['method']} {begins}", ()))
        roles = roles_of(http["method"], http["path"])
        if roles is not None and _caller_of(event).role not in roles:
            return _bare(HTTPStatus.FORBIDDEN, FORBIDDEN, f"this takes the role {' or '.join(sorted(roles))}")
        sent = str((event.get("headers") or {}).get("content-type", ""))
        if event.get("body") and sent.partition(";")[0].strip().lower() != content_types.APPLICATION_JSON:
            return _bare(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", "the body must be application/json")
        return super().resolve(event, context)


def build_api(services: Services) -> APIGatewayHttpResolver:
    """Build the application over what makes its services when they are asked for."""
    app: Any = JsonApi()

    def provide(application: Any, following: Any) -> Any:
        event = application.current_event
        who = _caller_of(event.raw_event)
        # Once more, by what Powertools went by: it takes a path that ends a line for one of its routes.
        if event.path.startswith(PREFIX) and who.role not in (roles_of(event.http_method, event.path) or ()):
            return nowhere(RequestRejected(NOT_FOUND, event.path))
        # Powertools forgets it after each request.
        application.append_context(services=services, caller=who)
        return following(application)

    app.use(middlewares=[provide])

    @app.get("/", include_in_schema=False, compress=True)
    def page() -> Response[str | None]:
        return _page(services.results_origin(), (app.current_event.headers or {}).get("if-none-match"))

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
