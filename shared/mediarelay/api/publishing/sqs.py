"""The request queue, as a publisher uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mediarelay.api.publishing.ports import Outgoing
from mediarelay.aws.stores import store_errors


class SqsOutbox:
    """Implements `api.publishing.ports.Outbox`."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, messages: Sequence[Outgoing]) -> Sequence[str | None]:
        """See `api.publishing.ports.Outbox.send`."""
        entries = [
            {"Id": str(at), "MessageBody": each.body, **({"MessageGroupId": each.tenant} if each.tenant else {})}
            for at, each in enumerate(messages)
        ]
        with store_errors("request queue", "take requests"):
            answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        sent = {each["Id"]: str(each["MessageId"]) for each in answer.get("Successful", ())}
        return [sent.get(entry["Id"]) for entry in entries]
