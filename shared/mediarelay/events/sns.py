"""The topic that chats are fed from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mediarelay.aws.stores import store_errors


class SnsChat:
    """Implements `events.ports.ChatTopic`."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, message: Mapping[str, Any]) -> None:
        """See `events.ports.ChatTopic.publish`."""
        with store_errors("chat topic", "publish a message"):
            self._client.publish(TopicArn=self._topic_arn, Message=json.dumps(message))
