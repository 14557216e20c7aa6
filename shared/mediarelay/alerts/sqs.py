"""How many messages wait in a queue."""

from __future__ import annotations

from typing import Any, Final

from mediarelay.aws.stores import store_errors

_COUNTS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")


def queued(client: Any, queue_url: str) -> int:
    """Count the messages that are visible or delayed. Raises `StoreUnavailable`."""
    with store_errors("request queue", "count its messages"):
        answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_COUNTS))
    return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)
