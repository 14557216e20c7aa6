"""The state that an execution of a long text carries, and that of one part of it.

The text travels by reference: every part is a span of it. What was bought stands in the Jobs table, one record per
part, and nowhere else, so that an execution may be begun again at any step.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Self

from pydantic import Field
from pydantic_core import to_json

from mediarelay.job_records.contract import PART
from mediarelay.vocabulary.model import Record

# Of a fingerprint, in the id of a part: enough to tell the contents that one number may have had in one job.
_MARK_DIGITS: Final = 8


class SpeechStep(StrEnum):
    """Where the state machine goes; its choice state knows exactly these words."""

    SPEAK = "speak"
    WAIT_TO_SPEAK = "wait_to_speak"
    WAIT = "wait"
    DONE = "done"


class SpeechPart(Record):
    """One part of the text, and who is to speak it."""

    number: int = Field(description="Its own for ever; the order of the parts is that of their spans.")
    start: int
    end: int
    provider: str
    fingerprint: str = Field(description="Over what is asked for it.")
    tries: int = Field(default=0, description="How often it was given up before.")
    most_usd: float | None = Field(default=None, description="What it may cost, all that was bought for it included.")

    def job_id(self, request_id: str) -> str:
        """Returns the key of its record, by that of the whole: the same content is never bought twice."""
        again = f"-{self.tries}" if self.tries else ""
        return f"{request_id}{PART}{self.number:04d}-{self.fingerprint[:_MARK_DIGITS]}{again}"


class SpeechState(Record):
    """One execution's state."""

    request_id: str = Field(description="The key in the Jobs table.")
    original: str = Field(description="Where the request lies in the results bucket.")
    received_at: int = Field(description="Unix milliseconds.")
    opened_at: int = Field(description="When dispatch opened the job, unix milliseconds.")
    expires_at: int = Field(description="The deadline, unix seconds.")
    providers: list[str] = Field(description="Who may speak it, best first.")
    reuse_key: str | None = Field(default=None, description="By which identical requests find its result.")
    next: SpeechStep = SpeechStep.SPEAK
    wait_seconds: int = 1
    parts: list[SpeechPart] = Field(default_factory=list, description="In the order of the text.")
    missing: list[SpeechPart] = Field(default_factory=list, description="Those to be spoken now.")
    given_up: list[str] = Field(default_factory=list, description="Records of parts that were given up; they may cost.")
    failed: list[str] = Field(default_factory=list, description="Providers that were given up in this round of all.")
    refused: list[str] = Field(default_factory=list, description="Providers that would say the same to every try.")
    rounds: int = Field(default=0, description="How often in a row nothing came of it.")
    spoken: int = Field(default=0, description="How many parts were spoken when it was last decided how to go on.")
    outages: int | None = Field(default=None, description="Steps in a row that a store of ours did not answer.")
    caught: list[str] | None = Field(default=None, description="Errors of ours that the state machine caught.")

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what an execution carries; strict like a message, since it is JSON like one."""
        return cls.model_validate_json(to_json(state["job"]))

    def to_state(self) -> dict[str, Any]:
        """Write the state that a function returns."""
        return {"job": self.model_dump(mode="json", exclude_none=True)}


def going(state: SpeechState, step: SpeechStep, *, seconds: float = 1.0, rounds: int | None = None) -> SpeechState:
    """Returns the state with its next step, and the wait before that: whole seconds, at most an hour."""
    whole = max(1, min(3600, round(seconds + 0.5)))
    changes = {"next": step, "wait_seconds": whole, "rounds": state.rounds if rounds is None else rounds}
    return state.model_copy(update=changes)


class PartTask(Record):
    """One part, as the state machine hands it to `speak_part`, and takes it back."""

    request_id: str = Field(description="Of the whole.")
    original: str = Field(description="Where the request lies in the results bucket.")
    received_at: int = Field(description="Unix milliseconds.")
    expires_at: int = Field(description="Unix seconds.")
    providers: list[str] = Field(description="Who may speak the text: with more than one, none is waited for for long.")
    part: SpeechPart
    next: SpeechStep = SpeechStep.SPEAK
    wait_seconds: int = 1
    reservation: str | None = Field(default=None, description="The permit that is reserved for the next call.")
    waiting_since: float | None = Field(default=None, description="Unix seconds; absent while it is in line.")
    outages: int | None = Field(default=None, description="Visits in a row that a store of ours did not answer.")

    @property
    def job_id(self) -> str:
        """The key of the part's record."""
        return self.part.job_id(self.request_id)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what the state machine hands over."""
        return cls.model_validate_json(to_json(state))

    def to_state(self) -> dict[str, Any]:
        """Write what the state machine takes back."""
        return self.model_dump(mode="json", exclude_none=True)
