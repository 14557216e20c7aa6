"""serve_api behind a web server of this process: requests become API Gateway's events, tokens are callers."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from functions.serve_api import app
from tests.harness.functions import Context


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def api_server(callers: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Where it listens. *callers* are who the authorizer would let in, by token."""

    one_at_a_time = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        caller = callers.get(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer "))
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        if caller is None and path != "/":
            start_response("401 Unauthorized", [("content-type", "application/json")])
            return [b'{"message":"Unauthorized"}']
        with one_at_a_time:  # as a worker of Lambda
            found = app.handler(_event(environ, path, caller or {}), Context())
        body = found.get("body") or ""
        headers = {**found.get("headers", {}), **{n: v[0] for n, v in found.get("multiValueHeaders", {}).items()}}
        start_response(f"{int(found['statusCode'])} x", [(name, str(value)) for name, value in headers.items()])
        return [base64.b64decode(body) if found.get("isBase64Encoded") else body.encode()]

    app.application.cache_clear()
    server = make_server("127.0.0.1", 0, answer, _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _event(environ: Mapping[str, Any], path: str, caller: Mapping[str, str]) -> dict[str, Any]:
    size, query = int(environ.get("CONTENT_LENGTH") or 0), environ.get("QUERY_STRING", "")
    given = {name[5:].replace("_", "-").lower(): text for name, text in environ.items() if name.startswith("HTTP_")}
    asked = parse_qs(query, keep_blank_values=True)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": {name: ",".join(values) for name, values in asked.items()},
        "headers": {**given, "content-type": environ.get("CONTENT_TYPE", "")},
        "requestContext": {
            "http": {"method": environ["REQUEST_METHOD"], "path": unquote(path)},
            "stage": "$default",
            "authorizer": {"lambda": dict(caller)},
        },
        "body": environ["wsgi.input"].read(size).decode() if size else None,
        "isBase64Encoded": False,
    }
