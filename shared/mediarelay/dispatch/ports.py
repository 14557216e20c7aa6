"""The request queue, as a port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from mediarelay.vocabulary.frozen import frozen


@frozen
class QueueMessage:
    """One message of the request queue.

    Attributes:
        message_id: SQS's id.
        receipt_handle: For changing its visibility.
        body: As published.
        sent_at: When it was published, unix ms.
        receive_count: How often it has been received, this time included.
        attributes: String message attributes by name.
        group: The message group, by which fair queues tell tenants apart.
        source: ARN of the queue that it comes from.
    """

    message_id: str
    receipt_handle: str
    body: str
    sent_at: int
    receive_count: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    source: str = ""


class RequestQueue(Protocol):
    """The request queue, its DLQ, and the queue of lost requests. All raise `StoreUnavailable`."""

    def send_later(self, message: QueueMessage, *, delay_seconds: int, attributes: Mapping[str, str]) -> None:
        """Publish a copy that becomes visible after the delay (at most 900 s), with these attributes added."""

    def park(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """Send the original to the DLQ, in its group, with `error_code` and `error_message`."""

    def give_up(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """Send the original to the queue of lost requests in the same way: its end is still to be recorded."""
