"""The request queues, as ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: most messages need neither.
if TYPE_CHECKING:
    from mediarelay.dispatch.reusing import ReusingServer
    from mediarelay.long_jobs.cancel import JobCanceller
    from mediarelay.long_jobs.start import JobStarter
    from mediarelay.request.model import MediaRequest


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

    def send_later(
        self, message: QueueMessage, *, delay_seconds: int, attributes: Mapping[str, str], pictures: bool = False
    ) -> None:
        """Publish a copy that becomes visible after the delay (at most 900 s), with these attributes added.

        A copy that is of *pictures* goes to their queue, where they have one.
        """

    def park(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """Send the original to the DLQ, in its group, with `error_code` and `error_message`."""

    def give_up(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """Send the original to the queue of lost requests in the same way: its end is still to be recorded."""


class Inbox(Protocol):
    """A queue from which a worker takes further messages. Both raise `StoreUnavailable`.

    What is not deleted comes again when its visibility timeout is over, as what Lambda delivers does.
    """

    def receive(self, most: int) -> Sequence[QueueMessage]:
        """Receive what is there at once, at most so many; ten at most."""

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete these, ten at most."""


class Seldom(NamedTuple):
    """What not every message needs.

    Attributes:
        starter: Of jobs that take minutes. Made, and its code imported, when it is first asked for; so are `canceller`
            and `reusing`.
        counters: Told how old a message is that is deferred.
        lost_queue: The name of the queue of lost requests.
        front_queue: The name of the one that pictures are passed on from; empty where they have no queue of their own.
        keep: What the records keep of a request; None of nothing.
        callback_hosts: Who may be called back.
    """

    starter: Callable[[], JobStarter]
    canceller: Callable[[], JobCanceller]
    reusing: Callable[[], ReusingServer]
    counters: Counters
    lost_queue: str
    front_queue: str = ""
    keep: Callable[[MediaRequest], Mapping[str, str]] | None = None
    callback_hosts: Sequence[str] = ()
