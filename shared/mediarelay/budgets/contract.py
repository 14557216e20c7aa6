"""The budgets that an operator writes, as JSON in a parameter that is changed without a deploy."""

from __future__ import annotations

import json
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from mediarelay.budgets.ports import Allowance, Payer
from mediarelay.budgets.windows import nanos
from mediarelay.vocabulary.errors import MediaRelayError
from mediarelay.vocabulary.model import Record

STAGE: Final = "stage"
EVERY_OTHER: Final = "*"


class InvalidBudgets(MediaRelayError):
    """The parameter is no document of budgets."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _WrittenBudget(_Written):
    day_usd: PositiveFloat | None = Field(default=None, description="US dollars a day, UTC; no bound when absent.")
    month_usd: PositiveFloat | None = Field(default=None, description="US dollars a month, UTC; no bound when absent.")

    def allowance(self) -> Allowance | None:
        if self.day_usd is None and self.month_usd is None:
            return None
        return Allowance(
            day=None if self.day_usd is None else nanos(self.day_usd),
            month=None if self.month_usd is None else nanos(self.month_usd),
        )


class BudgetPlan(_Written):
    """Who may spend what."""

    stage: _WrittenBudget | None = Field(default=None, description="All requests together.")
    tenants: dict[str, _WrittenBudget] = Field(
        default_factory=dict, description="By tenant; * for each that is not named."
    )

    def payers(self, tenant: str | None) -> list[Payer]:
        """Return who pays for a request of the tenant, each with what it may spend; nobody where no budget is set."""
        found = [("stage", self.stage)] if self.stage else []
        own = (self.tenants.get(tenant) or self.tenants.get(EVERY_OTHER)) if tenant is not None else None
        named = [(f"tenant:{tenant}", own)] if own is not None else []
        return [Payer(name, allowed) for name, each in (*named, *found) if (allowed := each.allowance()) is not None]


def parse_plan(text: str) -> BudgetPlan:
    """Read the document. Raises `InvalidBudgets` with the field that is wrong."""
    try:
        return BudgetPlan.model_validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise InvalidBudgets(f"{where}: {first['msg']}") from None


def changed(
    text: str, payer: str, day_usd: float | None, month_usd: float | None
) -> tuple[str, str | None, str | None]:
    """Return the document with what a payer may spend, and in words what it might before and may then.

    Raises `InvalidBudgets` where the document is none.
    """
    written = parse_plan(text).model_dump(exclude_none=True, exclude_defaults=True)
    amounts = {name: usd for name, usd in (("day_usd", day_usd), ("month_usd", month_usd)) if usd is not None}
    kind, _, tenant = payer.partition(":")
    place, name = (written.setdefault("tenants", {}), tenant) if kind == "tenant" else (written, STAGE)
    before = place.pop(name, None)
    # A tenant that is not named has the bound of all others: one without any is named with none.
    if amounts or (place is not written and name != EVERY_OTHER and EVERY_OTHER in place):
        place[name] = amounts
    whole = json.dumps({part: value for part, value in written.items() if value}, ensure_ascii=False)
    parse_plan(whole)
    return whole, _in_words(before), _in_words(amounts)


def _in_words(amounts: dict[str, float] | None) -> str | None:
    return ", ".join(f"${usd:g} a {name.removesuffix('_usd')}" for name, usd in (amounts or {}).items()) or None


class BudgetLevel(Record):
    """A part of a budget that is used up for the first time in its window."""

    payer: str = Field(description="stage, or tenant: and its name.")
    window: str = Field(description="The day or month, such as 2026-11-28.")
    level: int = Field(description="50, 80 or 100 per cent.")
    used_usd: float = Field(description="Spent and set aside, US dollars.")
    most_usd: float = Field(description="The budget, US dollars.")
    at: float = Field(description="Unix seconds.")
