"""The depths of the queues, as a port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.api.overview.contract import QueueDepth


class Queues(Protocol):
    """The queues of requests and their dead-letter queue."""

    def depth(self) -> QueueDepth:
        """Count their messages. Raises `StoreUnavailable`."""
