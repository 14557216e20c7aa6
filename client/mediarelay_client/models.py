"""What is received. Written by tools.client_models from docs/schemas."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Received(BaseModel):
    """What a stack tells: fields of a newer stack are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class AttemptSummary(Received):
    """One call to one provider with one key."""

    provider: str
    """Who was called."""
    key_id: str
    """With which key: the first 12 hexadecimal digits of its SHA-256."""
    outcome: str
    """What the call came to."""
    latency_ms: int
    """Milliseconds from the call to the stored output, or to its failure."""
    started_at: int | None = None
    """When the call was made, unix milliseconds."""
    status: int | None = None
    """HTTP status; absent when no answer came."""
    code: str | None = None
    """The vendor's or our own name for the failure; stable."""
    cost_usd: float | None = None
    """Of a paid answer that could not be used: what the vendor probably charges, US dollars."""
    of_account: bool | None = None
    """Of a refusal: whether another account of the vendor may have what this one lacks: a voice, say."""


class CallbackTries(Received):
    """What has come of calling a job's publisher back. Noted from the first try on that failed."""

    state: str
    """waiting: it is tried again. delivered: the receiver has taken it. failed: it was given up. gone: the
    receiver said that it wants no more of it.
    """
    tries: int
    """How many there have been, since it was last replayed."""
    last_status: int | None = None
    """HTTP status of the last one; absent without an answer."""
    last_fault: str | None = None
    """Why the last one failed; stable."""
    next_at: int | None = None
    """When the next one is due, unix ms; absent after the last."""
    settled_at: int = 0
    """Of which end: an id may be used again after a rejection; unix ms."""
    replayed_at: int = 0
    """When an operator last had it tried anew, unix ms; 0 for never."""


class Earmark(Received):
    """What is set aside of budgets for a job until it ends."""

    payers: list[str]
    """Whose budgets: tenant: and its name, and stage."""
    month: str
    """In which month it counts, such as 2026-11, UTC."""
    day: int
    """On which of its days."""
    amount: int
    """Billionths of a US dollar."""
    mark: str
    """Tells it from another one of the same job."""
    provider: str
    """Who would probably be asked."""


class Interruption(Received):
    """A worker that claimed the job and never settled it. A paid call of its may have been lost."""

    claim_id: str
    """The claim it held."""
    claimed_at: int
    """Unix milliseconds."""
    lease_until: int
    """Unix milliseconds after which others could take over."""
    adopted: bool = False
    """Whether its result was found in the bucket, so that nothing was bought again."""


class JobError(Received):
    """Why a job did not succeed."""

    code: str
    """Stable, such as invalid_request; meant for programs."""
    message: str
    """For people: what is wrong and, where that helps, what is allowed."""
    retryable: bool
    """Whether publishing the same request again may help."""
    would_take_seconds: float | None = None
    """Of would_expire: in how many seconds the request could have been served."""


class Submission(Received):
    """The newest submit of a video or audio job: written before the call and after it."""

    state: str
    """not_sent: nothing was taken. sent_unknown: it may have been. accepted: the vendor has the job."""
    provider: str
    """Who was asked."""
    model: str
    """For which model."""
    key_id: str
    """With which key; polls, fetches and cancels use the same."""
    account: str
    """Whose concurrency slot it holds."""
    sent_at: int
    """When the request was about to leave, unix milliseconds."""
    lease_until: int
    """When its sender must have ended, unix milliseconds."""
    answered_at: int | None = None
    """When the vendor took the job, unix milliseconds."""
    task: dict[str, str] = Field(default_factory=dict)
    """The vendor's references to the job, once accepted."""
    absences: int = 0
    """How often a look-up found no such job."""


class Output(Received):
    """One stored file."""

    key: str
    """Its key in the results bucket."""
    content_type: str
    """Media type, such as audio/mpeg."""
    bytes: int
    """Its size."""
    sha256: str
    """Checksum of its content, hexadecimal."""
    transcoded_from: str | None = None
    """The format that the provider made, of which this one was made; absent where it did."""


class Uncollected(Received):
    """A finished result at its vendor's, paid for and still to be fetched."""

    urls: list[str]
    """Its files."""
    format: str
    """What they are to be."""
    tries: int = 0
    """How many deliveries could neither fetch nor store it."""


class Spending(Received):
    """One purchase: written before the call that may cost money, and again when it is known what came of it."""

    provider: str
    """Who is asked; before a key is taken, who will be asked first."""
    key_id: str | None = None
    """With which key; absent before one is taken."""
    model: str
    """For which model."""
    estimate_usd: float
    """What it costs at most, as far as is known before the call, US dollars."""
    state: str
    """sending: the call may be under way. charged: it is paid for. not_charged: the vendor charges nothing.
    unknown: it may have been charged, and counts with its estimate.
    """
    cost_usd: float | None = None
    """Of a charged one: what the vendor charges, US dollars."""
    at: int = 0
    """When the call was about to be made, unix milliseconds."""
    uncollected: Uncollected | None = None
    """Of a charged one whose files are not in the bucket, where they are kept elsewhere."""


class JobRecord(Received):
    """One item of the Jobs table. Absent fields have their default."""

    request_id: str
    """The table's key: the publisher's id or the SQS message id, after the tenant and ! where there is one,
    followed by #provider for each branch of a request with strategy all, and by / and what names a part of a
    long text.
    """
    status: str
    """Where the job stands."""
    published_id: str | None = None
    """The publisher's id of a refused message, where that is the id of another job."""
    branches: list[str] = Field(default_factory=list)
    """Of a request with strategy all: the providers whose jobs have records of their own. This one keeps the id
    from being used for anything else; it stays queued.
    """
    kind: str | None = None
    """Absent when the request could not be read."""
    fingerprint: str | None = None
    """16 hexadecimal digits over what was asked; tells a duplicate from a reused id."""
    received_at: int
    """When the message was published, unix milliseconds."""
    expires_at: int | None = None
    """The job's deadline, unix seconds."""
    claim_id: str | None = None
    """The claim of the worker that serves it, or did last."""
    claimed_at: int | None = None
    """Unix milliseconds."""
    lease_until: int | None = None
    """When that claim ends, unix milliseconds."""
    claims: int = 0
    """How often it was claimed."""
    deferrals: int = 0
    """How often it was put off."""
    deferred_until: int | None = None
    """Unix milliseconds."""
    history: list[tuple[int, str, str]] = Field(default_factory=list)
    """What the other fields forget of a job that was deferred, the newest forty, oldest first: unix milliseconds,
    claimed or deferred, and until when (unix milliseconds).
    """
    excerpt: str | None = None
    """How what was asked begins, in 200 characters; where KeepRequests is excerpt."""
    request: str | None = None
    """The whole request as JSON; where KeepRequests is full, and it has 64 KB at most."""
    cancelled_at: int | None = None
    """When its publisher cancelled it, unix milliseconds. A record with little else waits for a request that was
    cancelled before it came.
    """
    submit: Submission | None = None
    """The newest submit; video and audio only."""
    parts_total: int | None = None
    """Into how many parts a long text was split; absent where it is spoken at once."""
    parts_done: int | None = None
    """How many of them are spoken."""
    parts_spoken: list[int] = Field(default_factory=list)
    """Their numbers, in the order of their ends."""
    stopped_at: int | None = None
    """Since when no further part is bought, until it is decided how to go on; unix ms."""
    interruptions: list[Interruption] = Field(default_factory=list)
    """Workers that never settled it, the newest last."""
    tenant: str | None = None
    """As published."""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    """As published."""
    message_id: str | None = None
    """SQS's id of the message, as it was first published."""
    client: str | None = None
    """As published."""
    reply_to: str | None = None
    """As published."""
    callback_url: str | None = None
    """As published: who is told how it ended."""
    callback_body: str | None = None
    """As published."""
    callback: CallbackTries | None = None
    """What has come of telling it; absent while nothing has failed."""
    provider: str | None = None
    """Who delivered, or was tried last."""
    model: str | None = None
    """The model that delivered."""
    voice: str | None = None
    """The vendor's id of the voice that speaks; speech only."""
    voice_substituted: bool = False
    """Whether that is an equivalent of the voice that was asked for by name."""
    attempts: list[AttemptSummary] = Field(default_factory=list)
    """The newest calls, in order."""
    outputs: list[Output] = Field(default_factory=list)
    """What was delivered, in order."""
    cached: bool = False
    """Whether it was answered with the file of an earlier, identical job."""
    purchases: list[Spending] = Field(default_factory=list)
    """What was bought for it: all that may be charged, and the newest that is not."""
    cost_usd: float = 0.0
    """What the vendors charge for it, US dollars."""
    cost_certain: bool = True
    """Whether that is certain; false where a purchase counts with its estimate."""
    earmark: Earmark | None = None
    """What is set aside of budgets for it until it ends; absent where none is set."""
    warnings: list[str] = Field(default_factory=list)
    """For people, such as a model's coming retirement."""
    error: JobError | None = None
    """Present unless the job succeeded or still runs."""
    queue_ms: int | None = None
    """Milliseconds from published to claimed."""
    latency_ms: int | None = None
    """Milliseconds from claimed to settled."""
    settled_at: int | None = None
    """Unix milliseconds."""
    ttl: int | None = None
    """When DynamoDB may delete the record, unix seconds."""


class ResultOutput(Received):
    """One stored file, with a link that works for a while."""

    s3_uri: str
    """Where it lies: s3://bucket/key."""
    url: str
    """Presigned HTTPS link; works until url_expires_at of the event."""
    content_type: str
    """Media type, such as audio/mpeg."""
    bytes: int
    """Its size."""
    sha256: str
    """Checksum of its content, hexadecimal."""
    transcoded_from: str | None = None
    """The format that the provider made, of which this one was made; null where it did."""


class ResultEvent(Received):
    """Exactly one per settled job; SNS may deliver it more than once, always with the same event_id."""

    version: str = "1"
    """Of this contract. New fields may come without a new one."""
    event_id: str
    """The same for every delivery of one event; drop those already seen."""
    request_id: str
    """The publisher's id, or the SQS message id of a request without one."""
    job_id: str
    """request_id, with #provider for each branch of strategy all."""
    kind: str | None
    """What was asked for; null when the request could not be read."""
    status: str
    """How it ended: succeeded, failed, rejected or expired."""
    provider: str | None
    """Who delivered, or was tried last; null when nobody was called."""
    model: str | None
    """The model that delivered; null when none did."""
    voice: str | None = None
    """The vendor's id of the voice that speaks; speech only."""
    voice_substituted: bool = False
    """Whether that is an equivalent of the voice that was asked for by name."""
    tenant: str | None
    """As published."""
    outputs: list[ResultOutput]
    """What was delivered, in order; empty unless succeeded."""
    url_expires_at: int | None
    """When the links end, unix seconds; null without outputs."""
    attempts: list[AttemptSummary]
    """The newest calls made for it, in order."""
    key_rotations: int
    """How often another key of the same provider was taken after a failure."""
    latency_ms: int | None
    """Milliseconds from claimed to settled; null when rejected."""
    queue_ms: int | None
    """Milliseconds from published to claimed; null when rejected."""
    cost_usd: float
    """What the vendors charge for it, US dollars."""
    cost_certain: bool = True
    """Whether that is certain; false where something may have been charged besides."""
    cached: bool = False
    """Whether the files are those of an earlier, identical job, at no cost."""
    error: JobError | None
    """Why it did not succeed; null when it did."""
    warnings: list[str]
    """For people, such as a model's coming retirement."""
    metadata: dict[str, JsonValue]
    """As published; of a rejected request where it could be read, else empty."""
    message_id: str | None = None
    """SQS's id of the message, as it was first published; null of jobs begun before there was one."""
    client: str | None = None
    """As published."""
    reply_to: str | None = None
    """As published: the queue that was sent this event besides."""
    callback: str | None = None
    """Whether its publisher's server is told as well, of all of it or of its ids."""
    settled_at: int
    """Unix milliseconds."""
