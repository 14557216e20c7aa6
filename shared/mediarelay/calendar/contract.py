"""Whether a kind of request will still be served in ninety days, as the minute sweep sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.model import Record


class CapabilityState(Record):
    """Written when it changes, and once a week while it is at risk; alerts are made from the stream of these writes."""

    kind: Kind = Field(description="What is made.")
    status: Literal["covered", "capability_at_risk"] = Field(
        description="capability_at_risk: some format or type of it has, or will have, fewer than two vendors with keys."
    )
    since: float = Field(
        description="Since when it is at risk; of a covered kind: since when it was before that. Unix seconds."
    )
    at: float = Field(description="When this was written, unix seconds.")
    forms: list[str] = Field(default_factory=list, description="The formats or types at risk.")
    reason: str = Field(default="", description="What ends, and when.")
    advice: str = Field(default="", description="What to configure.")
