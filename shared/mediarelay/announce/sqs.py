"""The queues that requests name for their results."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from mediarelay.announce.contract import ResultEvent
from mediarelay.aws.stores import store_errors
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# SQS's own maximum of a batch; the largest event is 30 KB, and a batch may have 1 MiB.
ENTRIES_LIMIT: Final = 10
# A batch of results is held up by its replies for so long at most: whoever hears nothing asks the API.
MOST_SECONDS: Final = 5.0
LOST_METRIC: Final = "RepliesLost"


class SqsReplies:
    """Implements `announce.ports.Replies`."""

    def __init__(self, client: Any, sibling_url: str, prefix: str, *, counters: Counters, clock: Clock) -> None:
        """Build it.

        Args:
            client: Gives up after a second, and tries nothing twice.
            sibling_url: Of any queue of the same account and region.
            prefix: What the names of such queues begin with; any other one is not sent to.
            counters: Told of each event that is lost.
            clock: The worker's.
        """
        self._client = client
        self._base = sibling_url.rpartition("/")[0]
        self._prefix = prefix
        self._counters = counters
        self._clock = clock

    def send(self, events: Sequence[ResultEvent]) -> None:
        """See `announce.ports.Replies.send`."""
        until = self._clock.now() + MOST_SECONDS
        for queue, group in groupby(sorted(events, key=_queue), key=_queue):
            batch = list(group)
            lost = len(batch) if self._clock.now() >= until else self._send(queue, batch)
            for _ in range(lost):
                self._counters.count(LOST_METRIC, {})

    def _send(self, queue: str, events: Sequence[ResultEvent]) -> int:
        """Returns how many are lost. A queue that refuses one batch is not asked again."""
        if not queue.startswith(self._prefix):
            logger.warning("no reply: not a queue of replies")
            return len(events)
        for first in range(0, len(events), ENTRIES_LIMIT):
            batch = events[first : first + ENTRIES_LIMIT]
            entries = [{"Id": str(at), "MessageBody": event.model_dump_json()} for at, event in enumerate(batch)]
            try:
                with store_errors("reply queue", "send results"):
                    answer = self._client.send_message_batch(QueueUrl=f"{self._base}/{queue}", Entries=entries)
            except StoreUnavailable as error:
                logger.warning("no reply: %s", error.reason)
                return len(events) - first
            if answer.get("Failed"):
                return len(answer["Failed"]) + max(0, len(events) - first - ENTRIES_LIMIT)
        return 0


def _queue(event: ResultEvent) -> str:
    return event.reply_to or ""
