"""A publisher's server on loopback: it keeps what it is told, and answers as a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
HOST = "hooks.example.com"


@dataclass(frozen=True)
class Told:
    """One call: its path, its headers and its body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class CallbackReceiver:
    """Answers with the statuses given, the last of them for good, and not before it may.

    Attributes:
        url: Where it listens.
        told: What it was told, in order.
    """

    url: str = ""
    told: list[Told] = field(default_factory=list)
    _statuses: list[int] = field(default_factory=lambda: [204])
    _open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Answer at once, until told otherwise."""
        self._open.set()

    def answers(self, *statuses: int, held: bool = False) -> None:
        """From now on answer so; where `held`, not before `let_go`."""
        self._statuses = list(statuses)
        (self._open.clear if held else self._open.set)()

    def let_go(self) -> None:
        """Answer whoever waits, and all that come."""
        self._open.set()

    def status(self, told: Told) -> int:
        """Keep a call. Returns what to answer, once that may be."""
        self.told.append(told)
        self._open.wait()
        return self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]


@contextmanager
def callback_receiver() -> Iterator[CallbackReceiver]:
    """A receiver for as long as the block lasts."""
    receiver = CallbackReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.status(Told(self.path, headers, body)))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.let_go()
        server.shutdown()
        server.server_close()
