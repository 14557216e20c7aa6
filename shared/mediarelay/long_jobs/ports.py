"""The Jobs table, the state machine and the slots of accounts, as ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mediarelay.job_records.claims import AlreadySettled, Cancelled, Conflict
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: an import of a port brings no contract along.
if TYPE_CHECKING:
    from mediarelay.job_records.claims import Claim, Settlement
    from mediarelay.job_records.contract import JobError, JobRecord, Spending, Submission

# --- jobs ---------------------------------------------------------------------------------------------------------


@frozen
class Opened:
    """The job is open and needs an execution; `again` when it was open before.

    Attributes:
        received_at: When it was first received, unix ms.
        opened_at: When it was first opened, unix ms.
    """

    received_at: int
    opened_at: int
    again: bool


OpenAnswer = Opened | AlreadySettled | Conflict | Cancelled


class MediaJobStore(Protocol):
    """The Jobs table, as an execution uses it. Every method raises `StoreUnavailable`."""

    def open(self, claim: Claim) -> OpenAnswer:
        """Make the record, status `queued`, unless it is there or was cancelled; a rejected one may be opened."""

    def end_unserved(self, claim: Claim, error: JobError) -> bool:
        """See `job_records.ports.JobStore.end_unserved`."""

    def get(self, request_id: str) -> JobRecord | None:
        """Read one record, consistently."""

    def note_submit(
        self, request_id: str, after: Submission, *, before: Submission | None, purchases: Sequence[Spending]
    ) -> bool:
        """Write what is known of the submit, if the record says *before* and the job is neither settled nor cancelled.

        All that was bought for the job is written with it.

        The status follows: `polling` once accepted, `running` before that.
        """

    def note_cancel(self, request_id: str, at: int) -> bool:
        """Record that its publisher cancelled it (unix ms). Returns False when it is settled, or a worker serves it."""

    def await_request(self, request_id: str, at: int, *, tenant: str | None, ttl: int) -> bool:
        """Record that a request was cancelled (unix ms) which has not come; it counts until then (unix seconds).

        Returns False when there is a record.
        """

    def settle_media(self, settlement: Settlement) -> bool:
        """Write the end. Returns False, and writes nothing, when the job is settled, or cancelled with another end."""


@frozen
class FoundExecution:
    """An execution, running or ended.

    Attributes:
        running: Whether it has not ended.
        state: What it was started with.
    """

    running: bool
    state: Mapping[str, Any]


class Executions(Protocol):
    """The state machine. Every method raises `StoreUnavailable`."""

    def start(self, name: str, state: Mapping[str, object]) -> bool:
        """Start an execution of that name. Returns False when there is or was one."""

    def find(self, name: str) -> FoundExecution | None:
        """Find the execution of that name; None when there is none, or it ended too long ago to be known."""

    def stop(self, name: str, *, error: str, cause: str) -> bool:
        """Stop it. Returns False when none is running."""


# --- accounts -----------------------------------------------------------------------------------------------------


class SlotStore(Protocol):
    """Concurrency slots of vendor accounts, held across workers. Every method raises `StoreUnavailable`."""

    def take(self, vendor: str, account: str, job_id: str, *, limit: int, until: int, now: int) -> bool:
        """Hold one slot for the job until then at the latest (unix seconds); True also when it holds one already."""

    def release(self, vendor: str, account: str, job_id: str) -> bool:
        """Return the slot. Returns False when the job holds none."""

    def shorten(self, vendor: str, account: str, job_id: str, *, until: int) -> None:
        """Let the slot lapse then: the job is over for us, but goes on at the vendor."""
