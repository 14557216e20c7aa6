"""The result event: what a subscriber of MediaResults receives, once a job has settled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from mediarelay.contracts.job import AttemptSummary, JobError, Record
from mediarelay.contracts.kinds import JobStatus, Kind


class ResultOutput(Record):
    """One stored file, with a link that works for a while."""

    s3_uri: str
    url: str = Field(description="Presigned; works until url_expires_at of the event.")
    content_type: str
    bytes: int
    sha256: str


class ResultEvent(Record):
    """Exactly one per settled job; SNS may deliver it more than once, always with the same event_id."""

    version: Literal["1"] = "1"
    event_id: str
    request_id: str
    job_id: str = Field(description="request_id, with #provider for each branch of strategy all.")
    kind: Kind | None
    status: JobStatus
    provider: str | None
    model: str | None
    tenant: str | None
    outputs: list[ResultOutput]
    url_expires_at: int | None = Field(description="Unix seconds.")
    attempts: list[AttemptSummary]
    key_rotations: int = Field(description="How often another key of the same provider was taken after a failure.")
    latency_ms: int | None = Field(description="From claim to settled.")
    queue_ms: int | None = Field(description="From published to claimed.")
    cost_usd: float
    error: JobError | None
    warnings: list[str]
    metadata: dict[str, JsonValue]
    settled_at: int = Field(description="Unix milliseconds.")
