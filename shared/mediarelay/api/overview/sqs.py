"""How many messages are in the queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mediarelay.api.overview.contract import QueueDepth
from mediarelay.aws.stores import store_errors

_VISIBLE: Final = "ApproximateNumberOfMessages"
_DELAYED: Final = "ApproximateNumberOfMessagesDelayed"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
_COUNTS: Final = (_VISIBLE, _DELAYED, _IN_FLIGHT)


class SqsQueues:
    """Implements `api.overview.ports.Queues`."""

    def __init__(self, client: Any, queue_urls: Sequence[str], dlq_url: str) -> None:
        self._client = client
        self._queue_urls = queue_urls
        self._dlq_url = dlq_url

    def depth(self) -> QueueDepth:
        """See `api.overview.ports.Queues.depth`."""
        with store_errors("queues", "be counted"):
            found = [self._counts(url) for url in self._queue_urls]
            dead = self._counts(self._dlq_url)
        return QueueDepth(
            waiting=sum(counts[_VISIBLE] for counts in found),
            delayed=sum(counts[_DELAYED] for counts in found),
            in_flight=sum(counts[_IN_FLIGHT] for counts in found),
            dead=sum(dead.values()),
        )

    def _counts(self, url: str) -> Mapping[str, int]:
        answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        return {name: int(answer["Attributes"].get(name, 0)) for name in _COUNTS}
