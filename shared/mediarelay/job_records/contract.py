"""The job record: one media request from received to settled, as the Jobs table keeps it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, JsonValue

from mediarelay.request.bounds import plain_key
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState, SubmitState
from mediarelay.vocabulary.model import Record
from mediarelay.vocabulary.outcome import Outcome

# Stands in the id of a part between the id of the whole job and what is the part's own; no publisher's id has one.
PART: Final = "/"


class AttemptSummary(Record):
    """One call to one provider with one key."""

    provider: str = Field(description="Who was called.")
    key_id: str = Field(description="With which key: the first 12 hexadecimal digits of its SHA-256.")
    outcome: Outcome = Field(description="What the call came to.")
    latency_ms: int = Field(description="Milliseconds from the call to the stored output, or to its failure.")
    started_at: int | None = Field(default=None, description="When the call was made, unix milliseconds.")
    status: int | None = Field(default=None, description="HTTP status; absent when no answer came.")
    code: str | None = Field(default=None, description="The vendor's or our own name for the failure; stable.")
    cost_usd: float | None = Field(
        default=None,
        description="Of a paid answer that could not be used: what the vendor probably charges, US dollars.",
    )
    of_account: bool | None = Field(
        default=None,
        description="Of a refusal: whether another account of the vendor may have what this one lacks: a voice, say.",
    )


class Output(Record):
    """One stored file."""

    key: str = Field(description="Its key in the results bucket.")
    content_type: str = Field(description="Media type, such as audio/mpeg.")
    bytes: int = Field(description="Its size.")
    sha256: str = Field(description="Checksum of its content, hexadecimal.")
    transcoded_from: str | None = Field(
        default=None, description="The format that the provider made, of which this one was made; absent where it did."
    )


class JobError(Record):
    """Why a job did not succeed."""

    code: str = Field(description="Stable, such as invalid_request; meant for programs.")
    message: str = Field(description="For people: what is wrong and, where that helps, what is allowed.")
    retryable: bool = Field(description="Whether publishing the same request again may help.")
    would_take_seconds: float | None = Field(
        default=None, description="Of would_expire: in how many seconds the request could have been served."
    )


class Interruption(Record):
    """A worker that claimed the job and never settled it. A paid call of its may have been lost."""

    claim_id: str = Field(description="The claim it held.")
    claimed_at: int = Field(description="Unix milliseconds.")
    lease_until: int = Field(description="Unix milliseconds after which others could take over.")
    adopted: bool = Field(
        default=False, description="Whether its result was found in the bucket, so that nothing was bought again."
    )


class Uncollected(Record):
    """A finished result at its vendor's, paid for and still to be fetched."""

    urls: list[str] = Field(description="Its files.")
    format: str = Field(description="What they are to be.")
    tries: int = Field(default=0, description="How many deliveries could neither fetch nor store it.")


class Spending(Record):
    """One purchase: written before the call that may cost money, and again when it is known what came of it."""

    provider: str = Field(description="Who is asked; before a key is taken, who will be asked first.")
    key_id: str | None = Field(default=None, description="With which key; absent before one is taken.")
    model: str = Field(description="For which model.")
    estimate_usd: float = Field(description="What it costs at most, as far as is known before the call, US dollars.")
    state: SpendingState = Field(
        description="sending: the call may be under way. charged: it is paid for. not_charged: the vendor charges "
        "nothing. unknown: it may have been charged, and counts with its estimate."
    )
    cost_usd: float | None = Field(default=None, description="Of a charged one: what the vendor charges, US dollars.")
    at: int = Field(default=0, description="When the call was about to be made, unix milliseconds.")
    uncollected: Uncollected | None = Field(
        default=None, description="Of a charged one whose files are not in the bucket, where they are kept elsewhere."
    )


class Earmark(Record):
    """What is set aside of budgets for a job until it ends."""

    payers: list[str] = Field(description="Whose budgets: tenant: and its name, and stage.")
    month: str = Field(description="In which month it counts, such as 2026-11, UTC.")
    day: int = Field(description="On which of its days.")
    amount: int = Field(description="Billionths of a US dollar.")
    mark: str = Field(description="Tells it from another one of the same job.")
    provider: str = Field(description="Who would probably be asked.")

    @property
    def usd(self) -> float:
        """The amount in US dollars."""
        return self.amount / 1_000_000_000


class Submission(Record):
    """The newest submit of a video or audio job: written before the call and after it."""

    state: SubmitState = Field(
        description="not_sent: nothing was taken. sent_unknown: it may have been. accepted: the vendor has the job."
    )
    provider: str = Field(description="Who was asked.")
    model: str = Field(description="For which model.")
    key_id: str = Field(description="With which key; polls, fetches and cancels use the same.")
    account: str = Field(description="Whose concurrency slot it holds.")
    sent_at: int = Field(description="When the request was about to leave, unix milliseconds.")
    lease_until: int = Field(description="When its sender must have ended, unix milliseconds.")
    answered_at: int | None = Field(default=None, description="When the vendor took the job, unix milliseconds.")
    task: dict[str, str] = Field(default_factory=dict, description="The vendor's references to the job, once accepted.")
    absences: int = Field(default=0, description="How often a look-up found no such job.")


class CallbackTries(Record):
    """What has come of calling a job's publisher back. Noted from the first try on that failed."""

    state: Literal["waiting", "delivered", "failed", "gone"] = Field(
        description="waiting: it is tried again. delivered: the receiver has taken it. failed: it was given up. "
        "gone: the receiver said that it wants no more of it."
    )
    tries: int = Field(description="How many there have been, since it was last replayed.")
    last_status: int | None = Field(default=None, description="HTTP status of the last one; absent without an answer.")
    last_fault: str | None = Field(default=None, description="Why the last one failed; stable.")
    next_at: int | None = Field(default=None, description="When the next one is due, unix ms; absent after the last.")
    settled_at: int = Field(default=0, description="Of which end: an id may be used again after a rejection; unix ms.")
    replayed_at: int = Field(default=0, description="When an operator last had it tried anew, unix ms; 0 for never.")

    @property
    def round(self) -> tuple[int, int]:
        """Which tries these are: later ones are greater."""
        return self.settled_at, self.replayed_at


class JobRecord(Record):
    """One item of the Jobs table. Absent fields have their default."""

    request_id: str = Field(
        description="The table's key: the publisher's id or the SQS message id, after the tenant and ! where there "
        "is one, followed by #provider for each branch of a request with strategy all, and by / and what names a part "
        "of a long text."
    )
    status: JobStatus = Field(description="Where the job stands.")
    published_id: str | None = Field(
        default=None, description="The publisher's id of a refused message, where that is the id of another job."
    )
    branches: list[str] = Field(
        default_factory=list,
        description="Of a request with strategy all: the providers whose jobs have records of their own. This one "
        "keeps the id from being used for anything else; it stays queued.",
    )
    kind: Kind | None = Field(default=None, description="Absent when the request could not be read.")
    fingerprint: str | None = Field(
        default=None, description="16 hexadecimal digits over what was asked; tells a duplicate from a reused id."
    )
    received_at: int = Field(description="When the message was published, unix milliseconds.")
    expires_at: int | None = Field(default=None, description="The job's deadline, unix seconds.")
    claim_id: str | None = Field(default=None, description="The claim of the worker that serves it, or did last.")
    claimed_at: int | None = Field(default=None, description="Unix milliseconds.")
    lease_until: int | None = Field(default=None, description="When that claim ends, unix milliseconds.")
    claims: int = Field(default=0, description="How often it was claimed.")
    deferrals: int = Field(default=0, description="How often it was put off.")
    deferred_until: int | None = Field(default=None, description="Unix milliseconds.")
    history: list[tuple[int, str, str]] = Field(
        default_factory=list,
        description="What the other fields forget of a job that was deferred, the newest forty, oldest first: unix "
        "milliseconds, claimed or deferred, and until when (unix milliseconds).",
    )
    excerpt: str | None = Field(
        default=None, description="How what was asked begins, in 200 characters; where KeepRequests is excerpt."
    )
    request: str | None = Field(
        default=None, description="The whole request as JSON; where KeepRequests is full, and it has 64 KB at most."
    )
    cancelled_at: int | None = Field(
        default=None,
        description="When its publisher cancelled it, unix milliseconds. A record with little else waits for a request "
        "that was cancelled before it came.",
    )
    submit: Submission | None = Field(default=None, description="The newest submit; video and audio only.")
    parts_total: int | None = Field(
        default=None, description="Into how many parts a long text was split; absent where it is spoken at once."
    )
    parts_done: int | None = Field(default=None, description="How many of them are spoken.")
    parts_spoken: list[int] = Field(default_factory=list, description="Their numbers, in the order of their ends.")
    stopped_at: int | None = Field(
        default=None, description="Since when no further part is bought, until it is decided how to go on; unix ms."
    )
    interruptions: list[Interruption] = Field(
        default_factory=list, description="Workers that never settled it, the newest last."
    )
    tenant: str | None = Field(default=None, description="As published.")
    metadata: dict[str, JsonValue] = Field(default_factory=dict, description="As published.")
    message_id: str | None = Field(default=None, description="SQS's id of the message, as it was first published.")
    client: str | None = Field(default=None, description="As published.")
    reply_to: str | None = Field(default=None, description="As published.")
    callback_url: str | None = Field(default=None, description="As published: who is told how it ended.")
    callback_body: Literal["full", "thin"] | None = Field(default=None, description="As published.")
    callback: CallbackTries | None = Field(
        default=None, description="What has come of telling it; absent while nothing has failed."
    )
    provider: str | None = Field(default=None, description="Who delivered, or was tried last.")
    model: str | None = Field(default=None, description="The model that delivered.")
    voice: str | None = Field(default=None, description="The vendor's id of the voice that speaks; speech only.")
    voice_substituted: bool = Field(
        default=False, description="Whether that is an equivalent of the voice that was asked for by name."
    )
    attempts: list[AttemptSummary] = Field(default_factory=list, description="The newest calls, in order.")
    outputs: list[Output] = Field(default_factory=list, description="What was delivered, in order.")
    cached: bool = Field(
        default=False, description="Whether it was answered with the file of an earlier, identical job."
    )
    purchases: list[Spending] = Field(
        default_factory=list, description="What was bought for it: all that may be charged, and the newest that is not."
    )
    cost_usd: float = Field(default=0.0, description="What the vendors charge for it, US dollars.")
    cost_certain: bool = Field(
        default=True, description="Whether that is certain; false where a purchase counts with its estimate."
    )
    earmark: Earmark | None = Field(
        default=None, description="What is set aside of budgets for it until it ends; absent where none is set."
    )
    warnings: list[str] = Field(default_factory=list, description="For people, such as a model's coming retirement.")
    error: JobError | None = Field(default=None, description="Present unless the job succeeded or still runs.")
    queue_ms: int | None = Field(default=None, description="Milliseconds from published to claimed.")
    latency_ms: int | None = Field(default=None, description="Milliseconds from claimed to settled.")
    settled_at: int | None = Field(default=None, description="Unix milliseconds.")
    ttl: int | None = Field(default=None, description="When DynamoDB may delete the record, unix seconds.")

    @property
    def publisher_request_id(self) -> str:
        """The id that the publisher knows: without the tenant, and the provider of strategy `all`."""
        return self.published_id or plain_key(self.request_id).partition("#")[0]

    @property
    def awaits_request(self) -> bool:
        """Whether it only says that a request was cancelled which has not come."""
        return self.cancelled_at is not None and self.fingerprint is None

    @property
    def noted(self) -> bool:
        """Whether it only says that a request is on the queue: nobody has begun it."""
        return self.status is JobStatus.QUEUED and self.claimed_at is None and not self.branches

    @property
    def part(self) -> bool:
        """Whether it is a part of another job, which tells its publisher all there is to know."""
        return PART in self.request_id
