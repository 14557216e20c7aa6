"""What the API takes and gives of dead letters."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from mediarelay.api.contract import Words
from mediarelay.vocabulary.model import Record


def _no_truth(value: object) -> object:
    """Refuse what pydantic would take for 0 or 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 # pydantic makes it a mistake of this field
    return value


Number = Annotated[int, BeforeValidator(_no_truth)]


class DeadLetter(Record):
    """One message."""

    request_id: str = Field(description="By which its job is known.")
    tenant: str | None = Field(default=None, description="Whose it is, where it was published with a tenant.")
    code: str = Field(description="Its error_code; none where no worker lived to say one.")
    message: str = Field(description="What was wrong with it.")
    published: float = Field(description="When it was first published, unix seconds.")


class DeadLetterClass(Record):
    """The messages that failed alike."""

    code: str = Field(description="Their error_code; none where no worker lived to say one.")
    count: int = Field(description="How many.")
    oldest: float = Field(description="When the oldest was first published, unix seconds.")
    first: str = Field(description="What was wrong with that one.")


class DeadLetterList(Record):
    """What is in the queue."""

    now: float = Field(description="When this was read.")
    looked_at: int = Field(description="How many messages.")
    at_least: bool = Field(description="Whether there may be more than were looked at.")
    classes: list[DeadLetterClass] = Field(description="The largest first.")
    letters: list[DeadLetter] = Field(
        default_factory=list, description="Those looked at, oldest first; only for operators."
    )


class RedriveOrder(BaseModel):
    """Which messages go back to the request queue."""

    model_config = ConfigDict(extra="forbid")

    code: Words | None = Field(default=None, description="Those with this error_code.")
    provider: Words | None = Field(default=None, description="Those that name this provider among their own.")
    older_than_seconds: Annotated[int, Field(ge=0), BeforeValidator(_no_truth)] | None = Field(
        default=None, description="Those first published so long ago."
    )
    limit: Number = Field(default=100, ge=1, le=100, description="How many messages are looked at.")
    renew: StrictBool = Field(default=False, description="Whether their deadlines begin anew.")
    dry_run: StrictBool = Field(default=True, description="Whether it is only told what would be moved.")
    reason: Words = Field(description="Why, for the audit.")


class Redriven(Record):
    """What was moved, or would be."""

    dry_run: bool = Field(description="Whether nothing was changed.")
    looked_at: int = Field(description="How many messages.")
    moved: list[str] = Field(description="Ids of those that were moved, or would be.")
    paid_already: list[str] = Field(
        description="Ids of those that stay, since something was bought for them or may be."
    )
