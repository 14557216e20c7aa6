"""Between the functions and the local AWS: passes every call on, until it is told to make a store refuse.

A store is named by its service and by a piece of text that its calls carry, such as a table's name.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import unquote_to_bytes, urlsplit

import urllib3

from tools.localaws.ports import LOOPBACK

HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
Manner = Literal["refuse", "throttle", "slow"]
SLOW_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Call:
    """One call of AWS, as far as rules look at it."""

    service: str
    text: bytes

    @classmethod
    def of(cls, path: str, authorization: str, body: bytes) -> Call:
        """`Credential=KEY/20261124/us-east-1/SERVICE/aws4_request` names the service."""
        _, _, _, service, *_ = [*authorization.partition("Credential=")[2].split(",")[0].split("/"), "", "", "", ""]
        text = unquote_to_bytes(path.encode() + b"\n" + body)  # query protocols escape what they carry
        return cls(service, text)


@dataclass(frozen=True)
class Trouble:
    """A store in trouble."""

    service: str
    about: str
    manner: Manner

    def meets(self, call: Call) -> bool:
        """Whether this call is to that store."""
        return call.service == self.service and self.about.encode() in call.text


class AwsProxy:
    """Listens on loopback.

    Attributes:
        target: The local AWS, once it is known.
        troubled: Calls that met a store in trouble so far.
    """

    def __init__(self) -> None:
        self.target = ""
        self.troubled = 0
        self._troubles: list[Trouble] = []
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(maxsize=40, retries=False)
        self._server = _Server((LOOPBACK, 0), _handler_of(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """For AWS_ENDPOINT_URL."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    @contextmanager
    def trouble(self, service: str, about: str, manner: Manner = "refuse") -> Iterator[None]:
        """A store is in trouble until the block ends."""
        trouble = Trouble(service, about, manner)
        self._troubles.append(trouble)
        try:
            yield
        finally:
            self._troubles.remove(trouble)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """What the caller gets."""
        call = Call.of(path, headers.get("authorization", ""), body)
        for trouble in [trouble for trouble in list(self._troubles) if trouble.meets(call)]:
            with self._lock:
                self.troubled += 1
            if trouble.manner != "slow":
                return _refusal(call.service, trouble.manner)
            time.sleep(SLOW_SECONDS)
        return self._passed_on(method, path, headers, body)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._pool.clear()

    def _passed_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if not self.target:
            return _refusal("", "refuse")
        url = f"{self.target}{urlsplit(path)._replace(scheme='', netloc='').geturl()}"
        sent = {name: value for name, value in headers.items() if name not in HOP_BY_HOP - {"date"}}
        answer = self._pool.request(method, url, headers=sent, body=body, redirect=False, decode_content=False)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        if method == "HEAD" and "content-length" in answer.headers:
            kept["content-length"] = answer.headers["content-length"]
        return answer.status, kept, answer.data


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A worker that was killed breaks its connections: no news."""


def _handler_of(proxy: AwsProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            status, answered, content = proxy.answer(self.command, self.path, headers, body)
            with suppress(ConnectionError):
                self.send_response(status)
                for name, value in answered.items():
                    self.send_header(name, value)
                if "content-length" not in answered:
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815  (names that http.server looks up)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def _refusal(service: str, manner: Manner) -> tuple[int, dict[str, str], bytes]:
    """As each service says it: JSON with `__type`, or XML."""
    throttled = manner == "throttle"
    code = {True: "ThrottlingException", False: "ServiceUnavailable"}[throttled]
    status = 400 if throttled else 503
    if service in {"s3", "sns"}:
        error = f"<Error><Code>{'SlowDown' if throttled else code}</Code><Message>trouble</Message></Error>"
        xml = error if service == "s3" else f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
        return 503, {"content-type": "text/xml"}, xml.encode()
    body = json.dumps({"__type": code, "message": "trouble"}).encode()
    return status, {"content-type": "application/x-amz-json-1.0"}, body
