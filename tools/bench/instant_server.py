"""A server that answers at once: the providers' speech, and the part of AWS that the workers use.

It keeps nothing, so that what grows or costs time is on the caller's side. Run as a process of its own, so that its CPU
time is not the caller's: `with InstantServer() as url: …`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Final

from tools.local.project import ROOT
from tools.localaws.ports import LOOPBACK
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


class InstantServer:
    """The server in a process of its own; a context manager that gives its URL."""

    def __enter__(self) -> str:
        command = [sys.executable, "-m", "tools.bench.instant_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 # ours
        assert self._process.stdout is not None  # noqa: S101 # a pipe was asked for
        return f"http://{LOOPBACK}:{int(self._process.stdout.readline())}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()


class _Connection(asyncio.Protocol):
    """Just enough of HTTP/1.1 for clients that send a length and keep the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""
        self._continued = False

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._taken()) is not None:
            self._transport.write(_answer(*request))  # type: ignore[attr-defined] # a transport of a TCP server writes

    def _taken(self) -> tuple[dict[str, str], bytes] | None:
        """Headers and body of one request that has come whole; it leaves the buffer."""
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if headers.get("expect") == "100-continue" and not self._continued:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[attr-defined] # as above
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return None
        self._buffer, self._continued = rest[length:], False
        return headers, rest[:length]


def _answer(headers: dict[str, str], body: bytes) -> bytes:
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if operation == "BatchExecuteStatement":
        done: dict[str, Any] = {"Responses": [{} for _ in json.loads(body)["Statements"]]}
        return _response(json.dumps(done).encode(), "application/x-amz-json-1.0")
    if operation:
        return _response(json.dumps(_AWS_ANSWERS[operation]).encode(), "application/x-amz-json-1.0")
    if "x-amz-date" in headers:  # S3 says where it is by path, not by target
        return _response(b"", "application/xml")
    return _response(SPEECH, "audio/mpeg")


def _response(body: bytes, content_type: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, LOOPBACK, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
