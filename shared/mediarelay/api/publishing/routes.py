"""The routes by which requests are published, looked up and cancelled."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import Field, StringConstraints

from mediarelay.api.contract import Words
from mediarelay.api.publishing.contract import Ended, Found, Lookup, PublishedList, TakenRequest
from mediarelay.api.publishing.publishing import CONFLICT, PublishingService
from mediarelay.api.routes import MISSING, PROBLEM, RequestId, Tenant, bare_problem, ok, route_of
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay.vocabulary.kinds import JobStatus

router: Any = Router()  # its decorators are not typed
Key = Annotated[str, StringConstraints(min_length=1, max_length=255)]
MOST: Final = 10
Several = Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST)]
_REFUSED: Final[dict[int, Any]] = {
    400: {"description": "It can never be served; in the words of the queue", "content": PROBLEM},
    409: {"description": "The id is of another request", "content": PROBLEM},
    413: {"description": "Larger than what is taken here", "content": PROBLEM},
}


@route_of(
    router,
    "POST /requests",
    summary="Publish one request, or ten at most",
    responses={
        **ok("The job of an id that is settled", TakenRequest),
        202: {
            "description": "On the queue; of several, each by itself",
            "content": {"application/json": {"schema": {}}},
        },
        **_REFUSED,
    },
)
def publish(
    wanted: Annotated[dict[str, Any] | Several, Body(description="As docs/schemas/media-request.schema.json has it.")],
    idempotency_key: Annotated[Key | None, Header(alias="idempotency-key", description="Stands for an id.")] = None,
) -> Response[str]:
    """Put on the queue what is good: of several all or nothing. What is there already under its id is not repeated."""
    # As it was sent: of a list, Powertools hands the first on.
    sent = router.current_event.json_body if wanted is not None else None
    several = sent if isinstance(sent, list) else [sent]
    if len(several) > MOST or not all(isinstance(each, dict) for each in several):
        raise RequestRejected("invalid_request", f"the body must be a request, or a list of {MOST} at most")
    answers = _service().publish(several, _caller(), idempotency_key)
    if isinstance(sent, list):
        return _answer(HTTPStatus.ACCEPTED, PublishedList(items=list(answers)))
    (answer,) = answers
    if answer.error is not None:
        status = HTTPStatus.CONFLICT if answer.error.code == CONFLICT else HTTPStatus.SERVICE_UNAVAILABLE
        return bare_problem(status, answer.error)
    if answer.taken is None:
        raise TypeError("neither taken nor refused")
    settled = answer.taken.status.settled and answer.taken.status is not JobStatus.REJECTED
    response = _answer(HTTPStatus.OK if settled else HTTPStatus.ACCEPTED, answer.taken)
    response.headers["Location"] = answer.taken.links["self"]
    return response


@route_of(router, "POST /jobs/lookup", summary="Several requests at once", responses=ok("Records, and what is missing"))
def lookup(wanted: Annotated[Lookup, Body(description="Their ids.")]) -> Found:
    """What became of up to a hundred requests, in two reads."""
    return _service().lookup(wanted.ids, wanted.tenant, caller=_caller())


@route_of(
    router,
    "DELETE /jobs/<request_id>",
    summary="Cancel a request",
    responses={
        **ok("It had ended", Ended),
        202: {
            "description": "It will be ended, and an event says so",
            "content": {"application/json": {"model": Ended}},
        },
        **MISSING,
        409: {"description": "A worker serves it at this moment, or an operator does not say why", "content": PROBLEM},
    },
)
def cancel(
    request_id: Annotated[RequestId, Path(description="As published, or as answered.")],
    tenant: Annotated[Tenant | None, Query(description="Whose it is, where it was published with a tenant.")] = None,
    reason: Annotated[Words | None, Query(description="Why; an operator has to say.")] = None,
) -> Response[str]:
    """Have the jobs of a request end. What was bought by then counts."""
    asked, ended = _service().cancel(unquote(request_id), tenant, reason, _caller())
    return _answer(HTTPStatus.ACCEPTED if asked else HTTPStatus.OK, ended)


def _answer(status: HTTPStatus, body: Any) -> Response[str]:
    return Response(status, content_types.APPLICATION_JSON, body.model_dump_json())


def _caller() -> Any:
    return router.context["caller"]


def _service() -> PublishingService:
    service: PublishingService = router.context["services"].publishing()
    return service
