"""What telling once more takes and gives."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mediarelay.api.contract import Words
from mediarelay.vocabulary.model import Record


class TellOrder(BaseModel):
    """Who is told once more how a job ended."""

    model_config = ConfigDict(extra="forbid")

    whom: Literal["subscribers", "callback"] = Field(
        description="The subscribers of MediaResults, or the publisher's server."
    )
    reason: Words = Field(description="Why, for the audit.")


class ToldAgain(Record):
    """What is told once more."""

    event_ids: list[str] = Field(description="As they were told the first time: of strategy all one for each provider.")
