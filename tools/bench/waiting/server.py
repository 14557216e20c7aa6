"""The instant server with vendors that take their time, and a queue in which there is always more.

Its settings are those of the last POST to `SET`, which also forgets what was counted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tools.bench import instant_server
from tools.bench.lambda_events import asked
from tools.http_server import run

SET: Final = "/set"
COUNTED: Final = "/counted"


@dataclass
class Settings:
    """How long the vendors take, in seconds, and which part of the messages is for pictures."""

    speech_seconds: float = 0.0
    picture_seconds: float = 0.0
    pictures: float = 0.0
    made: int = 0
    counts: Counter[str] = field(default_factory=Counter)


_now = Settings()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    global _now  # noqa: PLW0603 # a process of its own
    request = Request(scope, receive)
    body = await request.body()
    operation = request.headers.get("x-amz-target", "")
    if request.url.path == SET:
        _now = Settings(**json.loads(body))
        answer = Response()
    elif request.url.path == COUNTED:
        answer = Response(json.dumps(_now.counts), media_type="application/json")
    elif operation.startswith("AmazonSQS."):
        answer = Response(json.dumps(_of_the_queue(operation, json.loads(body))), media_type="application/json")
    else:
        await asyncio.sleep(_seconds(request.url.path))
        await instant_server.app(scope, _again(body, receive), send)
        return
    await answer(scope, receive, send)


def _seconds(path: str) -> float:
    if path.endswith("/audio/speech"):
        return _now.speech_seconds
    return _now.picture_seconds if path.endswith("/images/generations") else 0.0


def _of_the_queue(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    name = operation.rpartition(".")[2]
    _now.counts[name] += 1
    if name == "ReceiveMessage":
        only_pictures = given["QueueUrl"].endswith("pictures")
        return {"Messages": [_message(only_pictures=only_pictures) for _ in range(given["MaxNumberOfMessages"])]}
    if name == "DeleteMessageBatch":
        return {"Successful": [{"Id": each["Id"]} for each in given["Entries"]], "Failed": []}
    if name == "SendMessageBatch":
        return {"Successful": [{"Id": each["Id"], **_sent(each)} for each in given["Entries"]], "Failed": []}
    return _sent(given)


def _sent(given: dict[str, Any]) -> dict[str, Any]:
    return {"MessageId": "sent", "MD5OfMessageBody": md5(given["MessageBody"].encode()).hexdigest()}  # noqa: S324 # SQS's


def _message(*, only_pictures: bool) -> dict[str, Any]:
    _now.made += 1
    share = 1.0 if only_pictures else _now.pictures
    picture = int(_now.made * share) > int((_now.made - 1) * share)
    body = json.dumps(asked("image" if picture else "tts", f"more-{_now.made}"))
    return {
        "MessageId": f"more-{_now.made}",
        "ReceiptHandle": f"more-{_now.made}",
        "Body": body,
        "MD5OfBody": md5(body.encode()).hexdigest(),  # noqa: S324 # SQS's
        "Attributes": {"SentTimestamp": str(round(time.time() * 1000)), "ApproximateReceiveCount": "1"},
    }


def _again(body: bytes, receive: Receive) -> Receive:
    """What was read once, to be read once more; what comes after it is the client's going."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return left.pop() if left else await receive()

    return received


if __name__ == "__main__":
    run(app)
