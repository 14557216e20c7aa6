"""Budgets as the API shows them."""

from __future__ import annotations

from collections import Counter

from mediarelay.api.contract import BudgetView, ProviderBudget
from mediarelay.budgets.ports import BudgetState
from mediarelay.budgets.windows import dollars


def budget_view(state: BudgetState, today: int) -> BudgetView:
    """Return one budget, with what is left of its month and of today."""
    reserved: Counter[str] = Counter()
    for entry in state.entries.values():
        reserved[entry.provider] += entry.amount
    most, day_used = state.allowance, state.days.get(today, 0)
    return BudgetView(
        payer=state.payer,
        month=state.month,
        spent_usd=dollars(state.used - sum(reserved.values())),
        reserved_usd=dollars(sum(reserved.values())),
        month_usd=_dollars(most.month),
        month_left_usd=_dollars(_left(most.month, state.used)),
        day_usd=_dollars(most.day),
        day_used_usd=dollars(day_used),
        day_left_usd=_dollars(_left(most.day, day_used)),
        providers=[
            ProviderBudget(
                provider=name, spent_usd=dollars(state.spent.get(name, 0)), reserved_usd=dollars(reserved[name])
            )
            for name in sorted({*state.spent, *reserved})
        ],
    )


def _left(most: int | None, used: int) -> int | None:
    return None if most is None else max(0, most - used)


def _dollars(amount: int | None) -> float | None:
    return None if amount is None else dollars(amount)
