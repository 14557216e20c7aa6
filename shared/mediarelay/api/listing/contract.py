"""What listing jobs over HTTP gives. Moments are unix milliseconds, as in the job record."""

from __future__ import annotations

from pydantic import Field

from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.kinds import JobStatus, Kind
from mediarelay.vocabulary.model import Record


class ListedJob(Record):
    """A job as far as a list shows it."""

    request_id: str = Field(description="The publisher's id, or the SQS message id.")
    job: str = Field(description="The record's key: after the tenant, and before the provider of strategy all.")
    status: JobStatus = Field(description="Where the job stands.")
    received_at: int = Field(description="When the message was published.")
    kind: Kind | None = Field(default=None, description="Absent when the request could not be read.")
    tenant: str | None = Field(default=None, description="As published.")
    provider: str | None = Field(default=None, description="Who delivered, or was tried last.")
    model: str | None = Field(default=None, description="The model that delivered.")
    cost_usd: float = Field(default=0.0, description="What the vendors charge for it, US dollars.")
    cost_certain: bool = Field(default=True, description="Whether that is certain.")
    settled_at: int | None = Field(default=None, description="When it ended.")
    error_code: str | None = Field(default=None, description="Why it did not succeed.")
    queue_ms: int | None = Field(default=None, description="Milliseconds from published to claimed.")
    latency_ms: int | None = Field(default=None, description="Milliseconds from claimed to settled.")


class ListedJobs(Record):
    """A page of jobs."""

    items: list[ListedJob] = Field(description="Newest first. There may be few or none though there are more.")
    next_cursor: str | None = Field(default=None, description="Where the next page begins; null on the last one.")
    has_more: bool = Field(description="Whether there may be more.")


def shown(record: JobRecord) -> ListedJob:
    """Return a record as a list shows it."""
    known = record.model_dump(include=set(ListedJob.model_fields) - {"request_id"})
    code = record.error.code if record.error else None
    return ListedJob(request_id=record.publisher_request_id, job=record.request_id, error_code=code, **known)
