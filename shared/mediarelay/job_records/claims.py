"""What the services need of the world. Adapters implement these; tests hold fakes to the same contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

# Only for annotations: whoever uses a port imports no contract or provider that it does not use itself.
if TYPE_CHECKING:
    from mediarelay.contracts.job import AttemptSummary, Interruption, JobError, JobRecord, Output
    from mediarelay.contracts.keys import ApiKey
    from mediarelay.contracts.kinds import JobStatus, Kind
    from mediarelay.contracts.metric import AttemptMetric
    from mediarelay.contracts.result import ResultEvent
    from mediarelay.core.key_state import KeyVerdict
    from mediarelay.providers.base import HttpRequest


class Clock(Protocol):
    """Time. Unix seconds."""

    def now(self) -> float:
        """The moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


# --- jobs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's wish to serve a job. Moments as in `JobRecord`.

    `known` says that an earlier delivery probably claimed the job already: a hint that saves a write, nothing more.
    """

    request_id: str
    claim_id: str
    kind: Kind
    fingerprint: str
    received_at: int
    claimed_at: int
    lease_until: int
    expires_at: int
    ttl: int
    tenant: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    known: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The job is ours until the lease ends.

    Attributes:
        received_at: When the job was first received (unix ms); a duplicate's own time does not count.
        interruptions: Earlier workers that never settled it, the newest last; a paid call of theirs may exist.
        interrupted: Whether this very claim took over from a worker that never settled.
        attempts: What earlier deliveries tried before they deferred the job.
    """

    received_at: int
    interruptions: tuple[Interruption, ...] = ()
    interrupted: bool = False
    attempts: tuple[AttemptSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class AlreadySettled:
    """Somebody settled it: nothing to do."""

    status: JobStatus


@dataclass(frozen=True, slots=True)
class Held:
    """Another worker holds the lease until then (unix ms)."""

    lease_until: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The id belongs to a job with another content."""


ClaimAnswer = Claimed | AlreadySettled | Held | Conflict


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a job ended."""

    request_id: str
    claim_id: str
    status: JobStatus
    settled_at: int
    latency_ms: int
    queue_ms: int
    provider: str | None = None
    model: str | None = None
    attempts: Sequence[AttemptSummary] = ()
    outputs: Sequence[Output] = ()
    cost_usd: float = 0.0
    error: JobError | None = None
    warnings: Sequence[str] = ()
    interruptions: Sequence[Interruption] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that can never be served."""

    request_id: str
    received_at: int
    settled_at: int
    error: JobError
    ttl: int
    kind: Kind | None = None
    tenant: str | None = None


class JobStore(Protocol):
    """The Jobs table. Every method raises `StoreUnavailable` when the table cannot be reached."""

    def claim(self, claim: Claim) -> ClaimAnswer:
        """Take the job by one conditional write, unless it is settled, held, or another content's.

        A rejected job may be claimed: nothing was bought for it, and a publisher who mends a request keeps its id.
        """

    def settle(self, settlement: Settlement) -> bool:
        """Write the end; False when the claim is no longer ours, in which case nothing is written."""

    def defer(self, request_id: str, claim_id: str, *, until: int, attempts: Sequence[AttemptSummary]) -> bool:
        """Give the claim back until then (unix ms); False when it is no longer ours."""

    def reject(self, rejection: Rejection) -> bool:
        """Record a rejection; False when the id belongs to a job that was not rejected, which then stays as it is."""

    def get(self, request_id: str) -> JobRecord | None:
        """Read one record, for operators and tests; the dispatcher never reads."""


# --- keys ---------------------------------------------------------------------------------------------------------


class KeySource(Protocol):
    """Where the keys come from."""

    def load(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """The keys by vendor, cached for a while. Raises `StoreUnavailable` or `InvalidKeys`."""


class KeyStates(Protocol):
    """Key verdicts of all workers, in the Telemetry table. Both raise `StoreUnavailable`."""

    def load(self, vendor: str) -> Sequence[KeyVerdict]:
        """What the workers know of this vendor's keys."""

    def save(self, verdict: KeyVerdict) -> None:
        """Publish a verdict unless a newer one is there."""


class MetricSink(Protocol):
    """Where attempt metrics go."""

    def write(self, metrics: Sequence[AttemptMetric]) -> None:
        """Write them in as few calls as possible. Raises `StoreUnavailable`."""


# --- media --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object found in the results bucket."""

    output: Output
    facts: Mapping[str, str]


class MediaStore(Protocol):
    """The results bucket. Both raise `StoreUnavailable`."""

    def put(self, output: Output, body: IO[bytes], facts: Mapping[str, str]) -> None:
        """Store one file; the store verifies its checksum. *facts* are kept as object metadata."""

    def find(self, prefix: str) -> Sequence[StoredObject]:
        """Everything below a prefix, with its facts."""


class HttpResponse(Protocol):
    """An answer whose body has not been read."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """With lower-case names."""

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes; raises `Unreachable` when it breaks off or runs past the deadline."""

    def read(self, limit: int) -> bytes:
        """The whole body; raises `Unreachable` (`too_large`) beyond *limit* bytes."""


class HttpClient(Protocol):
    """The wire. Raises `Unreachable`, which tells whether the request may have been sent."""

    def send(
        self, base_url: str, request: HttpRequest, auth: Mapping[str, str], *, deadline: float
    ) -> AbstractContextManager[HttpResponse]:
        """Make the call; *deadline* (unix seconds) bounds it as a whole."""

    def fetch(self, url: str, *, deadline: float) -> AbstractContextManager[HttpResponse]:
        """GET a media file, without credentials."""


# --- messages -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message of the request queue.

    Attributes:
        message_id: SQS's.
        receipt_handle: For changing its visibility.
        body: As published.
        sent_at: When it was published, unix ms.
        receive_count: How often it has been received, this time included.
        attributes: String message attributes by name.
        group: The message group, by which fair queues tell tenants apart.
    """

    message_id: str
    receipt_handle: str
    body: str
    sent_at: int
    receive_count: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None


class RequestQueue(Protocol):
    """The request queue and its DLQ. All raise `StoreUnavailable`."""

    def send_later(self, message: QueueMessage, *, delay_seconds: int, attributes: Mapping[str, str]) -> None:
        """Publish a copy that becomes visible after the delay (at most 900 s), with these attributes added."""

    def park(self, message: QueueMessage, *, code: str, reason: str) -> None:
        """Send the original to the DLQ with `error_code` and `error_message`."""


class ResultTopic(Protocol):
    """MediaResults."""

    def publish(self, events: Sequence[ResultEvent]) -> None:
        """Publish them in as few calls as possible. Raises `Unpublished`, which tells how many went out."""


class LinkSigner(Protocol):
    """Presigned links to outputs."""

    def sign(self, key: str) -> tuple[str, str]:
        """(s3 URI, presigned URL) of an object."""


class Telemetry(Protocol):
    """Fire-and-forget writes that never delay a result."""

    def metric(self, metric: AttemptMetric, *, urgent: bool = False) -> None:
        """Buffer one attempt; an urgent one is written soon, with what is buffered."""

    def verdicts(self, verdicts: Iterable[KeyVerdict]) -> None:
        """Publish key verdicts soon."""
