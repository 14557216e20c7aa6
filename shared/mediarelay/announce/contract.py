"""The result event: what a subscriber of MediaResults receives, once a job has settled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from mediarelay.job_records.contract import AttemptSummary, JobError
from mediarelay.vocabulary.kinds import JobStatus, Kind
from mediarelay.vocabulary.model import Record


class ResultOutput(Record):
    """One stored file, with a link that works for a while."""

    s3_uri: str = Field(description="Where it lies: s3://bucket/key.")
    url: str = Field(description="Presigned HTTPS link; works until url_expires_at of the event.")
    content_type: str = Field(description="Media type, such as audio/mpeg.")
    bytes: int = Field(description="Its size.")
    sha256: str = Field(description="Checksum of its content, hexadecimal.")
    transcoded_from: str | None = Field(
        default=None, description="The format that the provider made, of which this one was made; null where it did."
    )


class ResultEvent(Record):
    """Exactly one per settled job; SNS may deliver it more than once, always with the same event_id."""

    version: Literal["1"] = Field(default="1", description="Of this contract. New fields may come without a new one.")
    event_id: str = Field(description="The same for every delivery of one event; drop those already seen.")
    request_id: str = Field(description="The publisher's id, or the SQS message id of a request without one.")
    job_id: str = Field(description="request_id, with #provider for each branch of strategy all.")
    kind: Kind | None = Field(description="What was asked for; null when the request could not be read.")
    status: JobStatus = Field(description="How it ended: succeeded, failed, rejected or expired.")
    provider: str | None = Field(description="Who delivered, or was tried last; null when nobody was called.")
    model: str | None = Field(description="The model that delivered; null when none did.")
    voice: str | None = Field(default=None, description="The vendor's id of the voice that speaks; speech only.")
    voice_substituted: bool = Field(
        default=False, description="Whether that is an equivalent of the voice that was asked for by name."
    )
    tenant: str | None = Field(description="As published.")
    outputs: list[ResultOutput] = Field(description="What was delivered, in order; empty unless succeeded.")
    url_expires_at: int | None = Field(description="When the links end, unix seconds; null without outputs.")
    attempts: list[AttemptSummary] = Field(description="The newest calls made for it, in order.")
    key_rotations: int = Field(description="How often another key of the same provider was taken after a failure.")
    latency_ms: int | None = Field(description="Milliseconds from claimed to settled; null when rejected.")
    queue_ms: int | None = Field(description="Milliseconds from published to claimed; null when rejected.")
    cost_usd: float = Field(description="What the vendors charge for it, US dollars.")
    cost_certain: bool = Field(
        default=True, description="Whether that is certain; false where something may have been charged besides."
    )
    cached: bool = Field(
        default=False, description="Whether the files are those of an earlier, identical job, at no cost."
    )
    error: JobError | None = Field(description="Why it did not succeed; null when it did.")
    warnings: list[str] = Field(description="For people, such as a model's coming retirement.")
    metadata: dict[str, JsonValue] = Field(
        description="As published; of a rejected request where it could be read, else empty."
    )
    message_id: str | None = Field(
        default=None,
        description="SQS's id of the message, as it was first published; null of jobs begun before there was one.",
    )
    client: str | None = Field(default=None, description="As published.")
    reply_to: str | None = Field(default=None, description="As published: the queue that was sent this event besides.")
    callback: Literal["full", "thin"] | None = Field(
        default=None, description="Whether its publisher's server is told as well, of all of it or of its ids."
    )
    settled_at: int = Field(description="Unix milliseconds.")
