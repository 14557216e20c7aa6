"""A real HTTP subscriber: a small server on loopback that confirms its subscription and keeps what it is sent."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any, Self

from mediarelay.alerts.contract import Alert
from tools.localaws.ports import LOOPBACK

CONFIRM_SECONDS = 15.0


class NotConfirmed(Exception):
    """No message that asks for a confirmation came."""


class HttpInbox:
    """`with HttpInbox(sns, topic) as inbox:` is subscribed; the server ends with the block."""

    def __init__(self, sns: Any, topic_arn: str) -> None:
        self._sns = sns
        self._topic = topic_arn
        self._messages: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}/alerts"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="http subscriber", daemon=True).start()
        try:
            self._sns.subscribe(TopicArn=self._topic, Protocol="http", Endpoint=self.url)
            self._confirm()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def alerts(self) -> list[Alert]:
        """The alerts that came since the last look; alarms are left out."""
        found: list[Alert] = []
        while True:
            try:
                text = str(self._messages.get_nowait()["Message"])
            except Empty:
                return found
            if text.startswith('{"version"'):
                found.append(Alert.model_validate_json(text))

    def _confirm(self) -> None:
        """Answer the topic's question, as a subscriber must before it is sent anything."""
        try:
            asked = self._messages.get(timeout=CONFIRM_SECONDS)
        except Empty:
            raise NotConfirmed(f"nothing came from {self._topic} in {CONFIRM_SECONDS:g} s") from None
        self._sns.confirm_subscription(TopicArn=self._topic, Token=asked["Token"])

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        messages = self._messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                messages.put(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing: the story is told elsewhere."""

        return Handler
