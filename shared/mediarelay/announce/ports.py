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
