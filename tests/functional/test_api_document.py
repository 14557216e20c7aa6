"""The API against its own OpenAPI document, by schemathesis: what the document says is what is served."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from functions.serve_api import app
from mediarelay.api.routes import build_api, openapi
from tests.harness.functions import Context, Deployed


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The function behind a web server: requests become API Gateway's events."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    query = environ.get("QUERY_STRING", "")
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": {
            name: ",".join(values) for name, values in parse_qs(query, keep_blank_values=True).items()
        },
        "headers": {"content-type": environ.get("CONTENT_TYPE", "")},
        "requestContext": {
            "http": {"method": environ["REQUEST_METHOD"], "path": path},
            "stage": "$default",
            "authorizer": {"lambda": {"token": "ann", "role": "operator"}},
        },
        "body": environ["wsgi.input"].read(size).decode("utf-8", "replace") if size else None,
        "isBase64Encoded": False,
    }
    answer = app.handler(event, Context())
    body = answer.get("body") or ""
    headers = {**answer.get("headers", {}), **{n: v[0] for n, v in answer.get("multiValueHeaders", {}).items()}}
    start_response(f"{int(answer['statusCode'])} x", [(name, str(value)) for name, value in headers.items()])
    return [base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()]


class _Nothing:
    """Enough of services to describe the API."""


_NO_SERVICES: Any = _Nothing()
document = schemathesis.openapi.from_dict(json.loads(openapi(build_api(_NO_SERVICES))))
document.app = wsgi


@document.parametrize()
@settings(max_examples=settings.default.max_examples // 10, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_is_as_its_document_says(deployed: Deployed, case: Any) -> None:
    assert deployed.aws.dynamodb
    app.application.cache_clear()
    # The document does not repeat what a media request is: it is refused in the words of the queue.
    by_the_queue = [positive_data_acceptance] if case.path == "/api/v1/requests" else []
    case.call_and_validate(excluded_checks=by_the_queue)
