"""A server on loopback that writes what a test tells it to, byte for byte."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Line:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._received = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        """Write all of it at once."""
        self._sock.sendall(data)

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._received.close()
        self._sock.close()

    def request(self) -> Any:
        """The body of the next request as JSON; None when the client has hung up."""
        size = 0
        while (line := self._received.readline()) not in {b"", b"\r\n"}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        return (json.loads(self._received.read(size)) if size else {}) if line else None


Answering = Callable[[Any, Line], None]


class RawServer:
    """Answers each request on each connection by what it was made with; `lines` are the connections so far."""

    def __init__(self, answer: Answering, tls: ssl.SSLContext | None) -> None:
        self._answer = answer
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.lines: list[Line] = []
        self._serving: list[threading.Thread] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_until_idle(self) -> None:
        """Wait until every client has hung up, or been hung up on."""
        for each in self._serving:
            each.join()

    def close(self) -> None:
        """Hang up on everybody."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for line in self.lines:
            line.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line = Line(self._tls.wrap_socket(sock, server_side=True) if self._tls else sock)
                self.lines.append(line)
                self._serving.append(threading.Thread(target=self._serve, args=(line,), daemon=True))
                self._serving[-1].start()

    def _serve(self, line: Line) -> None:
        with suppress(OSError, ValueError):
            while (request := line.request()) is not None:
                self._answer(request, line)
        line.close()


@contextmanager
def raw_server(answer: Answering, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """A server for as long as the block lasts."""
    server = RawServer(answer, tls)
    try:
        yield server
    finally:
        server.close()


def whole(body: bytes, *, status: str = "200 OK", head: bytes = b"") -> bytes:
    """An answer in order."""
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status.encode(), head, len(body), body)


def chunked(body: bytes, *, head: bytes = b"") -> bytes:
    """The same in two chunks."""
    middle = len(body) // 2
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:middle], body[middle:]))
    return b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (head, pieces)
