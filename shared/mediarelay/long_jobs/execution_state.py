"""The state that a Step Functions execution carries from one function to the next.

Media travels by reference and keys by their id. Everything the poll loop needs is here, its deadline included, so that
a poll reads nothing but the vendor.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import Field
from pydantic_core import to_json

from mediarelay.job_records.contract import AttemptSummary, JobError, Output, Spending
from mediarelay.request.model import MediaRequest
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.model import Record


class NextStep(StrEnum):
    """Where the state machine goes; its choice state knows exactly these words."""

    SUBMIT = "submit"
    WAIT_TO_SUBMIT = "wait_to_submit"
    WAIT_TO_POLL = "wait_to_poll"
    WAIT_TO_BE_TOLD = "wait_to_be_told"
    SETTLE = "settle"
    WAIT_TO_SETTLE = "wait_to_settle"
    DONE = "done"


class VendorJob(Record):
    """A job that a vendor has accepted."""

    provider: str
    model: str
    key_id: str
    account: str
    task: dict[str, str] = Field(default_factory=dict, description="The vendor's own references; never a key.")
    accepted_at: float = Field(description="Unix seconds.")
    polls: int = 0
    troubles: int = Field(default=0, description="Polls in a row that could not be answered.")
    absences: int = Field(default=0, description="Polls in a row answered with 'no such job'.")
    unrecorded: int | None = Field(
        default=None, description="`sent_at` of its submit, where the record could not be told that it was accepted."
    )


class HeldSlot(Record):
    """A slot that could not be returned at its time."""

    vendor: str
    account: str


class FoundResult(Record):
    """A finished result at the vendor, paid for and still to be fetched."""

    urls: list[str]
    formats: list[str]
    cost_usd: float
    found_at: float = Field(description="Unix seconds.")
    fetch_until: float = Field(description="When the vendor deletes it, or the record of the job would go.")
    tries: int = 0


class ExecutionEnd(Record):
    """How the job is to be settled."""

    status: JobStatus
    error: JobError | None = None
    outputs: list[Output] = Field(default_factory=list)
    cost_usd: float = Field(default=0.0, description="Of a result.")
    provider: str | None = None
    model: str | None = None


class ExecutionState(Record):
    """One execution's state."""

    request_id: str = Field(description="The key in the Jobs table.")
    request: MediaRequest
    providers: list[str] = Field(description="Who may still serve it, best first.")
    received_at: int = Field(description="Unix milliseconds.")
    opened_at: int = Field(description="When dispatch opened the job, unix milliseconds.")
    expires_at: int = Field(description="The deadline, unix seconds.")
    ttl: int = Field(description="When the record may go, unix seconds.")
    next: NextStep = NextStep.SUBMIT
    wait_seconds: int = 1
    attempts: list[AttemptSummary] = Field(default_factory=list)
    submits: int = Field(default=0, description="Visits to submit_job that had to wait.")
    webhook_url: str | None = Field(default=None, description="Where vendors that can are to say that it is over.")
    purchases: list[Spending] | None = Field(
        default=None, description="As far as the execution knows them; where the record knows more, that counts."
    )
    reuse_key: str | None = Field(default=None, description="By which identical requests find its result.")
    vendor: VendorJob | None = None
    result: FoundResult | None = None
    ending: ExecutionEnd | None = None
    outages: int | None = Field(default=None, description="Steps in a row that a store of ours did not answer.")
    caught: int | None = Field(default=None, description="How often the state machine caught an error of ours.")
    concluded: int | None = Field(
        default=None, description="`sent_at` of a submit that is over, where the record could not be told so."
    )
    held: list[HeldSlot] | None = Field(default=None, description="Slots to be returned at the end.")

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what an execution carries; strict like a message, since it is JSON like one."""
        return cls.model_validate_json(to_json(state["job"]))

    def to_state(self) -> dict[str, Any]:
        """Write the state that a function returns."""
        return {"job": self.model_dump(mode="json", exclude_none=True, exclude_defaults=False)}
