"""The result topic, as a port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.announce.contract import ResultEvent


class ResultTopic(Protocol):
    """MediaResults."""

    def publish(self, events: Sequence[ResultEvent]) -> None:
        """Publish them in as few calls as possible. Raises `Unpublished`, which tells how many were published."""


class Replies(Protocol):
    """The queues that requests name for their results."""

    def send(self, events: Sequence[ResultEvent]) -> None:
        """Send each event to the queue that it names, once; never fails. What is lost is counted."""
