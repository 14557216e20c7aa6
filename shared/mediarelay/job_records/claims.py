"""The writes of a job, as values: a claim with its answers, a settlement, a rejection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final

from mediarelay.vocabulary.frozen import frozen

# Only for annotations: these values bring no contract and no provider along.
if TYPE_CHECKING:
    from mediarelay.job_records.contract import AttemptSummary, Earmark, Interruption, JobError, Output, Spending
    from mediarelay.job_records.ports import Purse
    from mediarelay.vocabulary.kinds import JobStatus, Kind


# The code of the error with which a cancelled job ends.
CANCELLED: Final = "cancelled"

# --- jobs ---------------------------------------------------------------------------------------------------------


@frozen
class Claim:
    """A worker's claim of a job. Moments as in `JobRecord`.

    `known` says that an earlier delivery probably claimed the job already: a hint that saves a write, nothing more.
    `purchase` is what the worker is about to make: should it die, the record says what that may have cost. `asked` is
    what the record keeps of the request, by its field.
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
    purchase: Spending | None = None
    earmark: Earmark | None = None
    message_id: str | None = None
    client: str | None = None
    reply_to: str | None = None
    asked: Mapping[str, str] | None = None
    callback_url: str | None = None
    callback_body: str | None = None


@frozen
class Claimed:
    """The job is ours until the lease ends.

    Attributes:
        received_at: When the job was first received (unix ms); a duplicate's own time does not count.
        interruptions: Earlier workers that never settled it, the newest last; a paid call of theirs may exist.
        interrupted: Whether this very claim took over from a worker that never settled.
        attempts: What earlier deliveries tried before they deferred the job.
        purchases: What earlier deliveries bought, or may have bought.
        earmark: What is set aside for it, by its record.
        purse: What is set aside for it, where budgets are set.
        history: What the record tells of earlier deliveries.
    """

    received_at: int
    interruptions: tuple[Interruption, ...] = ()
    interrupted: bool = False
    attempts: tuple[AttemptSummary, ...] = ()
    purchases: tuple[Spending, ...] = ()
    earmark: Earmark | None = None
    purse: Purse | None = None
    history: tuple[tuple[int, str, str], ...] = ()


@frozen
class AlreadySettled:
    """The job is settled: nothing to do."""

    status: JobStatus


@frozen
class Held:
    """Another worker holds the lease until then (unix ms)."""

    lease_until: int


@frozen
class Conflict:
    """The id belongs to a job with another content."""


@frozen
class Cancelled:
    """Its publisher cancelled the job while nobody served it: nothing is bought, and whoever is told so ends it.

    `purchases` is what earlier deliveries bought.
    """

    purchases: tuple[Spending, ...] = ()


ClaimAnswer = Claimed | AlreadySettled | Held | Conflict | Cancelled


@frozen
class Settlement:
    """How a job ended; `earmark` is what was set aside for it."""

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
    purchases: Sequence[Spending] = ()
    error: JobError | None = None
    warnings: Sequence[str] = ()
    interruptions: Sequence[Interruption] = ()
    voice: str | None = None
    voice_substituted: bool = False
    cached: bool = False
    earmark: Earmark | None = None

    @property
    def cancelled(self) -> bool:
        """Whether its publisher cancelled the job."""
        return self.error is not None and self.error.code == CANCELLED


@frozen
class Group:
    """The jobs of one request with strategy `all`, by whose id none of them goes. `branches` names their providers.

    `opened_at` is the moment at which its id is to be taken (unix ms).
    """

    request_id: str
    kind: Kind
    fingerprint: str
    received_at: int
    expires_at: int
    ttl: int
    branches: Sequence[str]
    tenant: str | None = None
    opened_at: int = 0


@frozen
class Rejection:
    """A message that can never be served. `published_id` is its own id where that is of another job."""

    request_id: str
    received_at: int
    settled_at: int
    error: JobError
    ttl: int
    kind: Kind | None = None
    tenant: str | None = None
    published_id: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    message_id: str | None = None
    client: str | None = None
    reply_to: str | None = None
    callback_url: str | None = None
    callback_body: str | None = None


# By these a publisher knows its own. A rejection has those of a request that may be another one by now.
OF_PUBLISHER: Final = ("metadata", "message_id", "client", "reply_to", "callback_url", "callback_body")


def absent(given: Claim | Rejection) -> list[str]:
    """Return which of the fields of `OF_PUBLISHER` are to be removed, as they are not given."""
    return [name for name in OF_PUBLISHER if not getattr(given, name)]
