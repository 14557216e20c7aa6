"""The public keys of a vendor whose webhooks this process signs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tools.localaws.ports import LOOPBACK
from tools.simulator import webhook


class _KeySet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(webhook.key_set()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def served_key_set() -> Iterator[str]:
    """The URL under which a function finds what it checks `webhook.signature` with."""
    with ThreadingHTTPServer((LOOPBACK, 0), _KeySet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_address[1]}/jwks.json"
        server.shutdown()
