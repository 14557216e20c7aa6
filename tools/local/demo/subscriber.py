"""Receives result events as any consumer would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mediarelay.announce.contract import ResultEvent
from tools.local.outage.inbox import Inbox


class Subscriber:
    """An SQS queue of its own behind MediaResults."""

    def __init__(self, sqs: Any, sns: Any, topic_arn: str, name: str) -> None:
        self._inbox = Inbox(sqs, sns, topic_arn, name)

    def receive(self) -> Iterator[ResultEvent]:
        """The events of one receive call; none when nothing came within a second."""
        for body in self._inbox.receive():
            yield ResultEvent.model_validate_json(body)
