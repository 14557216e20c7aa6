"""A real HTTP subscriber: a small server on loopback that confirms its subscription and keeps what it is sent."""

from __future__ import annotations

import json
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mediarelay.alerts.contract import Alert
from tools.http_server import serving

CONFIRM_SECONDS = 120.0


class NotConfirmed(Exception):
    """No message that asks for a confirmation came."""


class HttpInbox:
    """`with HttpInbox(sns, topic) as inbox:` is subscribed; the server ends with the block.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, sns: Any, topic_arn: str) -> None:
        self._sns = sns
        self._topic = topic_arn
        self._messages: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._server = ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        with self._server:
            self.url = f"{self._server.enter_context(serving(self._receive))}/alerts"
            self._sns.subscribe(TopicArn=self._topic, Protocol="http", Endpoint=self.url)
            self._confirm()
            self._server = self._server.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

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

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._messages.put(json.loads(await Request(scope, receive).body()))
        await Response()(scope, receive, send)
