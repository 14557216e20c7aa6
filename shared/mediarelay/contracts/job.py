"""The job record: one media request from received to settled, as the Jobs table keeps it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from mediarelay.contracts.kinds import JobStatus, Kind
from mediarelay.core.outcome import Outcome


class Record(BaseModel):
    """What is read back from a table: newer fields of a newer writer are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AttemptSummary(Record):
    """One call to one provider with one key. `status` is the HTTP status, absent when no answer came."""

    provider: str
    key_id: str
    outcome: Outcome
    latency_ms: int
    status: int | None = None
    code: str | None = None


class Output(Record):
    """One stored file. `sha256` is hexadecimal; `key` lies in the results bucket."""

    key: str
    content_type: str
    bytes: int
    sha256: str


class JobError(Record):
    """Why a job did not succeed. `retryable`: whether publishing the same request again may help."""

    code: str
    message: str
    retryable: bool


class Interruption(Record):
    """A worker that claimed the job and never settled it. A paid call of its may have been lost.

    `adopted` tells that its result was found in the bucket, so nothing was bought again.
    """

    claim_id: str
    claimed_at: int
    lease_until: int
    adopted: bool = False


class JobRecord(Record):
    """One item of the Jobs table. Moments are unix milliseconds; `expires_at` and `ttl` are unix seconds.

    `request_id` is the table's key: the client's id or the SQS message id, followed by `#provider` for each branch of
    a request with strategy `all`.
    """

    request_id: str
    status: JobStatus
    kind: Kind | None = None
    fingerprint: str | None = None
    received_at: int
    expires_at: int | None = None
    claim_id: str | None = None
    claimed_at: int | None = None
    lease_until: int | None = None
    claims: int = 0
    deferrals: int = 0
    deferred_until: int | None = None
    interruptions: list[Interruption] = Field(default_factory=list)
    tenant: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    provider: str | None = None
    model: str | None = None
    attempts: list[AttemptSummary] = Field(default_factory=list)
    outputs: list[Output] = Field(default_factory=list)
    cost_usd: float = 0.0
    warnings: list[str] = Field(default_factory=list)
    error: JobError | None = None
    queue_ms: int | None = None
    latency_ms: int | None = None
    settled_at: int | None = None
    ttl: int | None = None

    @property
    def publisher_request_id(self) -> str:
        """The id the publisher knows: without the branch."""
        return self.request_id.partition("#")[0]
