"""How many messages wait in queues."""

from __future__ import annotations

from typing import Any, Final

from mediarelay.aws.stores import store_errors

_COUNTS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")


def queued(client: Any, *queue_urls: str) -> int:
    """Count the messages that are visible or delayed. Raises `StoreUnavailable`."""
    with store_errors("request queue", "count its messages"):
        answers = [client.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS)) for url in queue_urls]
    return sum(int(answer["Attributes"].get(name, 0)) for answer in answers for name in _COUNTS)
