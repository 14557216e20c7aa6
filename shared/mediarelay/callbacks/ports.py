"""What delivering callbacks needs, as ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mediarelay.vocabulary.frozen import frozen

if TYPE_CHECKING:
    from mediarelay.job_records.contract import CallbackTries, JobRecord


@frozen
class CallbackMessage:
    """One message of the callback queue.

    Attributes:
        message_id: SQS's id.
        receipt_handle: For changing its visibility.
        body: The result event, as it was announced.
        sent_at: When it was sent to the queue, unix ms.
        thin: Whether its receiver wants the ids alone.
        replayed_at: When an operator asked for it once more, unix ms; 0 of what was announced.
    """

    message_id: str
    receipt_handle: str
    body: str
    sent_at: int
    thin: bool = False
    replayed_at: int = 0


class CallbackQueue(Protocol):
    """The callback queue. All raise `StoreUnavailable`."""

    def hide(self, message: CallbackMessage, seconds: float) -> None:
        """Have the message come again after so long, twelve hours at most."""

    def replay(self, event: str, *, thin: bool, at: int) -> None:
        """Send an event once more, by whose callback all is tried anew; *at* in unix ms."""


class GivenUpTopic(Protocol):
    """Who is told of callbacks that were given up."""

    def tell(self, event: Mapping[str, Any]) -> None:
        """Tell of one: the result event, with how it ended. Raises `StoreUnavailable`."""


class CallbackRecords(Protocol):
    """What the Jobs table has to do with callbacks. All raise `StoreUnavailable`."""

    def get(self, request_id: str) -> JobRecord | None:
        """Read a record by its key."""

    def note(self, request_id: str, tries: CallbackTries, *, before: CallbackTries | None) -> bool:
        """Write what has come of its callback. Returns False where something else is noted by now than *before*."""


class CallbackSecrets(Protocol):
    """The secrets of the receivers."""

    def load(self) -> Mapping[str, Sequence[bytes]]:
        """Return the keys of each host, the newest first. Raises `StoreUnavailable`."""
