"""The dead-letter queue of requests, as a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.dispatch.ports import QueueMessage


class DeadLetterQueue(Protocol):
    """The dead-letter queue, and the request queue behind it. All raise `StoreUnavailable`."""

    def look(self, most: int) -> Sequence[QueueMessage]:
        """Receive so many at most; nobody else sees them until they are released, or for two minutes."""

    def release(self, messages: Sequence[QueueMessage]) -> None:
        """Let them be seen again at once."""

    def drop(self, message: QueueMessage) -> None:
        """Delete it for good."""

    def move(self, message: QueueMessage, attributes: Mapping[str, str]) -> None:
        """Send it to the request queue, with its attributes as many as fit beside these, and then delete it: it may be
        twice there, never lost.
        """
