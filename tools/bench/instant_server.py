"""A server that answers at once: the providers' speech, and the part of AWS that the workers use.

It keeps nothing, so that what grows or costs time is on the caller's side. Run as a process of its own, so that its CPU
time is not the caller's: `with instant_server() as url: …`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tools.http_server import run, serving_apart
from tools.simulator.media.catalogue import speech

SPEECH: Final = speech("an instant answer", "mp3", 24000)
KEYS: Final = {
    "OPENAI_API_KEYS": ",".join(f"instant-openai-key-{number}" for number in range(5)),
}
# The answers of AWS's JSON protocols, by the operation that the header X-Amz-Target names.
_AWS_ANSWERS: Final = {
    "UpdateItem": {},
    "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    "BatchWriteItem": {"UnprocessedItems": {}},
    "GetSecretValue": {"Name": "keys", "SecretString": json.dumps(KEYS)},
}


@contextmanager
def instant_server() -> Iterator[str]:
    """Start the server in a process of its own; gives its URL."""
    with serving_apart("tools.bench.instant_server") as url:
        yield url


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    await _answer(request.headers, await request.body())(scope, receive, send)


def _answer(headers: Any, body: bytes) -> Response:
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if operation == "BatchExecuteStatement":
        done: dict[str, Any] = {"Responses": [{} for _ in json.loads(body)["Statements"]]}
        return Response(json.dumps(done), media_type="application/x-amz-json-1.0")
    if operation:
        return Response(json.dumps(_AWS_ANSWERS[operation]), media_type="application/x-amz-json-1.0")
    if "x-amz-date" in headers:  # S3 says where it is by path, not by target
        return Response(media_type="application/xml")
    return Response(SPEECH, media_type="audio/mpeg")


if __name__ == "__main__":
    run(_app)
