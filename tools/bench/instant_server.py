"""A server that answers at once: the providers' speech, OpenAI's pictures, and the part of AWS that the workers use.

It keeps nothing but what `Seen` counts, so that what grows or costs time is on the caller's side. Run as a process of
its own, so that its CPU time and its memory are not the caller's: `with instant_server() as url: …`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
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
    "SendMessage": {"MessageId": "later"},
    "GetSecretValue": {"Name": "keys", "SecretString": json.dumps(KEYS)},
}
_PUBLISHED: Final = (
    '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Successful/><Failed/>'
    "</PublishBatchResult></PublishBatchResponse>"
)
SEEN: Final = "/seen"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PIECE: Final = base64.b64encode(bytes(192 * 1024))


@dataclass
class Seen:
    """What came, to be asked for at `SEEN`: calls for pictures, bytes that were stored by key, messages sent later."""

    calls: int = 0
    stored: dict[str, int] = field(default_factory=dict)
    later: list[dict[str, Any]] = field(default_factory=list)


_seen: Final = Seen()


@contextmanager
def instant_server() -> Iterator[str]:
    """Start the server in a process of its own; gives its URL."""
    with serving_apart("tools.bench.instant_server") as url:
        yield url


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    request = Request(scope, receive)
    if request.method == "PUT":
        _seen.stored[request.url.path] = sum([len(piece) async for piece in request.stream()])
        answer = Response(media_type="application/xml")
    elif request.url.path == SEEN:
        answer = Response(json.dumps(asdict(_seen)), media_type="application/json")
    elif request.url.path.endswith("/images/generations"):
        answer = StreamingResponse(_pictures(await request.json()), media_type="application/json")
    else:
        answer = _answer(request.headers, await request.body())
    await answer(scope, receive, send)


def _answer(headers: Any, body: bytes) -> Response:
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if operation == "BatchExecuteStatement":
        done: dict[str, Any] = {"Responses": [{} for _ in json.loads(body)["Statements"]]}
        return Response(json.dumps(done), media_type="application/x-amz-json-1.0")
    if operation == "SendMessage":
        _seen.later.append(json.loads(body))
    if operation:
        return Response(json.dumps(_AWS_ANSWERS[operation]), media_type="application/x-amz-json-1.0")
    if body.startswith(b"Action=PublishBatch"):
        return Response(_PUBLISHED, media_type="text/xml")
    if "x-amz-date" in headers:  # S3 says where it is by path, not by target
        return Response(media_type="application/xml")
    return Response(SPEECH, media_type="audio/mpeg")


async def _pictures(asked: dict[str, Any]) -> AsyncIterator[bytes]:
    """So many pictures, each of as many bytes as its prompt says: a PNG's first bytes, and nothing behind them."""
    _seen.calls += 1
    bytes_each = int(asked["prompt"])
    for number in range(asked["n"]):
        yield b'{"created": 1, "data": [{"b64_json": "' if number == 0 else b', {"b64_json": "'
        yield base64.b64encode(_PNG.ljust(9, b"\0"))
        whole, rest = divmod(bytes_each - 9, 192 * 1024)
        for _ in range(whole):
            yield _PIECE
        yield base64.b64encode(bytes(rest))
        yield b'"}'
    yield b"]}"


if __name__ == "__main__":
    run(app)
