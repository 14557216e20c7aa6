"""What operators order."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mediarelay.api.contract import Words
from mediarelay.vocabulary.model import Record

Budgeted = Annotated[str, StringConstraints(pattern=r"^(stage|tenant:[^\n]{1,64})$")]
# Strict: true is no dollar.
Dollars = Annotated[float, Field(strict=True, ge=0.01, le=10**9)]


class BudgetOrder(BaseModel):
    """What a payer may spend from now on, in place of what it might. Without an amount it has no bound."""

    model_config = ConfigDict(extra="forbid")

    payer: Budgeted = Field(description="stage, or tenant: and its name; tenant:* for each that is not named.")
    day_usd: Dollars | None = Field(default=None, description="US dollars a day, UTC.")
    month_usd: Dollars | None = Field(default=None, description="US dollars a month, UTC.")
    reason: Words = Field(description="Why, for the audit.")


class BudgetSet(Record):
    """What a payer may spend from now on; workers go by it within a minute."""

    payer: str = Field(description="As ordered.")
    day_usd: float | None = Field(description="US dollars a day; null for no bound.")
    month_usd: float | None = Field(description="US dollars a month; null for no bound.")
