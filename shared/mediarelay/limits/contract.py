"""Where vendors give less than was declared, as the minute sweep sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mediarelay.vocabulary.model import Record


class LowerLimit(Record):
    """One limit that was measured well below what was declared."""

    account: str = Field(description="Whose; * where it is one limit above all accounts.")
    declared_per_minute: float = Field(description="Calls a minute as declared; of * the sum of all accounts.")
    measured_per_minute: float = Field(description="Calls a minute that the vendor was measured to allow.")


class LimitReport(Record):
    """Written when it changes; alerts are made from the stream of these writes. Moments are unix seconds."""

    provider: str = Field(description="Whose limits.")
    vendor: str = Field(description="Whose keys.")
    status: Literal["as_declared", "limit_lower_than_declared"] = Field(
        description="limit_lower_than_declared: at least one measured limit is well below what was declared."
    )
    since: float = Field(description="Since when it is lower; of one as declared: since when before that.")
    at: float = Field(description="When this was written.")
    lower: list[LowerLimit] = Field(default_factory=list, description="The limits that are lower.")
    reason: str = Field(default="", description="Of one as declared: why it is that again.")
