"""Budgets as the API shows them."""

from __future__ import annotations

import pytest

from mediarelay.api.operating.budget_views import budget_view
from mediarelay.budgets.ports import Allowance, BudgetState, Entry
from mediarelay.budgets.windows import level, nanos, next_day, next_month, window_at
from tests.doubles.clock import EPOCH


def test_what_is_spent_reserved_and_left_by_provider() -> None:
    state = BudgetState(
        "tenant:acme",
        "2026-08",
        used=nanos(7),
        days={1: nanos(3)},
        spent={"openai-tts": nanos(4), "fal-kling": nanos(1)},
        entries={"job-1": Entry(1, nanos(2), "mark", "fal-kling")},
        allowance=Allowance(day=None, month=nanos(10)),
    )
    view = budget_view(state, 1)
    assert (view.spent_usd, view.reserved_usd, view.month_left_usd) == (5, 2, 3)
    assert (view.day_usd, view.day_used_usd, view.day_left_usd) == (None, 3, None)
    shown = [(each.provider, each.spent_usd, each.reserved_usd) for each in view.providers]
    assert shown == [("fal-kling", 1, 2), ("openai-tts", 4, 0)]


def test_windows_are_utc() -> None:
    assert window_at(EPOCH) == ("2026-08", 1)
    assert window_at(next_day(EPOCH)) == ("2026-08", 2)
    assert window_at(next_day(EPOCH) - 1) == ("2026-08", 1)
    assert window_at(next_month(EPOCH)) == ("2026-09", 1)


@pytest.mark.parametrize(
    ("used", "reached"), [(nanos(5) - 1, None), (nanos(5), 50), (nanos(8), 80), (nanos(10) - 1, 80), (nanos(10), 100)]
)
def test_a_level_is_reached_when_just_so_much_is_used(used: int, reached: int | None) -> None:
    assert level(used, nanos(10)) == reached
