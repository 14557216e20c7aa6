"""What publishing needs of the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from mediarelay.job_records.contract import JobRecord


class Outgoing(NamedTuple):
    """A message for the request queue, and the tenant by which fair queues tell publishers apart."""

    body: str
    tenant: str | None


class Outbox(Protocol):
    """The request queue, as a publisher uses it."""

    def send(self, messages: Sequence[Outgoing]) -> Sequence[str | None]:
        """Send ten at most in one call. Returns the id of each; None of one that was refused.

        Raises `StoreUnavailable` where nothing is known of any.
        """


class JobNotes(Protocol):
    """The Jobs table. Both raise `StoreUnavailable`."""

    def note(self, record: JobRecord) -> bool:
        """Note that a request is on the queue. Returns False, and changes nothing, where there is a record."""

    def load(self, keys: Sequence[str], *, consistent: bool = False) -> Mapping[str, JobRecord]:
        """Read those that exist, a hundred in a call; as they are at this moment, or eventually consistent."""
