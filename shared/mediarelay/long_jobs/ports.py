"""What the services of video and audio jobs need of the world, beside `ports`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from mediarelay.ports import AlreadySettled, Conflict

# Only for annotations, as in `ports`.
if TYPE_CHECKING:
    from mediarelay.contracts.job import JobRecord, Submission
    from mediarelay.ports import Claim, Settlement

# --- jobs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """The job is there and an execution has to see to it; `again` when it was there before.

    Attributes:
        received_at: When it was first received, unix ms.
        opened_at: When it was first opened, unix ms.
    """

    received_at: int
    opened_at: int
    again: bool


OpenAnswer = Opened | AlreadySettled | Conflict


class MediaJobStore(Protocol):
    """The Jobs table, as an execution uses it. Every method raises `StoreUnavailable`."""

    def open(self, claim: Claim) -> OpenAnswer:
        """Make the record, status `queued`, unless it is there; a rejected one may be opened."""

    def get(self, request_id: str) -> JobRecord | None:
        """Read one record, consistently."""

    def note_submit(self, request_id: str, after: Submission, *, before: Submission | None) -> bool:
        """Write what is known of the submit, provided the record still says *before* and the job is not settled.

        The status follows: `polling` once accepted, `running` before that.
        """

    def note_cancel(self, request_id: str, at: int) -> bool:
        """Write that its publisher cancelled it (unix ms); False when it is settled."""

    def settle_media(self, settlement: Settlement) -> bool:
        """Write the end; False when the job is settled already, in which case nothing is written."""


@dataclass(frozen=True, slots=True)
class FoundExecution:
    """An execution that is or was.

    Attributes:
        running: Whether it is at work.
        state: What it was started with.
    """

    running: bool
    state: Mapping[str, Any]


class Executions(Protocol):
    """The state machine. Every method raises `StoreUnavailable`."""

    def start(self, name: str, state: Mapping[str, object]) -> bool:
        """Start an execution of that name; False when there is or was one."""

    def find(self, name: str) -> FoundExecution | None:
        """The execution of that name; None when there is none, or it ended too long ago to be known."""

    def stop(self, name: str, *, error: str, cause: str) -> bool:
        """Stop it; False when there is none at work."""


class WaitingTasks(Protocol):
    """Executions that wait to be told, by what the vendor calls the job. Both methods raise `StoreUnavailable`."""

    def token(self, request_id: str) -> str | None:
        """The task token of the one that waits for this job, or has waited; None when there never was one."""

    def wake(self, token: str) -> bool:
        """Let it go on; False when it waits no more, which is no error."""


# --- webhooks -----------------------------------------------------------------------------------------------------


class SignatureCheck(Protocol):
    """Ed25519."""

    def __call__(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the key's owner signed the message."""


# --- accounts -----------------------------------------------------------------------------------------------------


class SlotStore(Protocol):
    """Concurrency slots of vendor accounts, held across workers. Every method raises `StoreUnavailable`."""

    def take(self, vendor: str, account: str, job_id: str, *, limit: int, until: int, now: int) -> bool:
        """Hold one slot for the job until then at the latest (unix seconds); True also when it holds one already."""

    def release(self, vendor: str, account: str, job_id: str) -> bool:
        """Give it back; False when the job holds none."""

    def shorten(self, vendor: str, account: str, job_id: str, *, until: int) -> None:
        """Let it lapse then: the job is over for us, but goes on at the vendor's."""


class CompletionTimes(Protocol):
    """How long the newest jobs took, seconds by provider and model. Both raise `StoreUnavailable`."""

    def load(self, provider: str, model: str) -> Sequence[float]:
        """Newest last; empty when nothing is known."""

    def add(self, provider: str, model: str, seconds: float) -> None:
        """Remember one more; may be lost when two are added at once."""


# --- results ------------------------------------------------------------------------------------------------------


class MediaStream(Protocol):
    """A media file as it comes."""

    @property
    def offset(self) -> int:
        """Where in the file it begins: what was asked for, or 0 when the host does not resume."""

    @property
    def size(self) -> int | None:
        """Of the whole file in bytes, where the host says it."""

    @property
    def version(self) -> str:
        """What the host calls this content, to go on with the same; empty when it does not say."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes from `offset` on; raises `Unreachable` when they break off or run past the deadline."""


class MediaFetcher(Protocol):
    """Fetches results from media hosts, without credentials."""

    def open(
        self, url: str, *, hosts: Sequence[str], offset: int, version: str, deadline: float
    ) -> AbstractContextManager[MediaStream]:
        """GET, from *offset* on when *version* is still what the host has.

        Raises:
            Unreachable: The host or a redirect is not allowed, or gave no usable answer.
        """


class Upload(Protocol):
    """A file on its way into the bucket. Both raise `StoreUnavailable`."""

    def part(self, data: bytes) -> None:
        """The next piece: of `PART_BYTES`, but for the last."""

    def complete(self) -> None:
        """The file is whole."""

    def abort(self) -> None:
        """Forget what was uploaded."""


# More than the 5 MB that S3 asks of every part but the last, little enough to hold a few in a small worker.
PART_BYTES: Final = 8 * 1024 * 1024


class Uploads(Protocol):
    """The results bucket, for files of any size."""

    def begin(self, key: str, content_type: str, facts: Mapping[str, str]) -> Upload:
        """Raises `StoreUnavailable`."""
