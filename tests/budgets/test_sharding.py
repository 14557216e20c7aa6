"""How a large budget is spread: the parts are the whole, and lending moves what is used without changing its sum."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediarelay.budgets.ports import Allowance
from mediarelay.budgets.sharding import (
    Use,
    after,
    allows,
    home_of,
    loan_for,
    loans_of_the_overdrawn,
    part_of,
    shards_for,
    total,
)

DOLLAR = 10**9
BOUNDS = st.none() | st.integers(0, 1000)
USES = st.lists(st.builds(Use, st.integers(-50, 200), st.integers(-50, 200)), min_size=2, max_size=130)


def dollars_a_day(usd: int) -> Allowance:
    return Allowance(usd * DOLLAR, None)


def test_small_budgets_are_one_item_and_large_ones_are_spread() -> None:
    assert shards_for(dollars_a_day(1)) == shards_for(dollars_a_day(499)) == 1
    assert shards_for(dollars_a_day(500)) == 2
    assert shards_for(Allowance(None, 15_000 * DOLLAR)) == 2
    assert shards_for(Allowance(10_000 * DOLLAR, 600 * DOLLAR)) == 1, "the smaller bound tells"
    assert shards_for(dollars_a_day(10**7)) == 256


def test_jobs_are_spread_evenly() -> None:
    homes = [home_of(f"order-{number}", 16) for number in range(16_000)]
    assert all(800 < homes.count(shard) < 1200 for shard in range(16))


@given(BOUNDS, BOUNDS, st.integers(1, 256))
def test_the_parts_together_are_the_whole(day: int | None, month: int | None, shards: int) -> None:
    parts = [part_of(Allowance(day, month), number, shards) for number in range(shards)]
    for whole, of_parts in ((day, [part.day for part in parts]), (month, [part.month for part in parts])):
        assert sum(part or 0 for part in of_parts) == (whole or 0)
        assert all((part is None) == (whole is None) for part in of_parts)


@given(USES, st.integers(0, 300), BOUNDS, BOUNDS)
def test_a_loan_takes_of_others_what_they_have_left_and_the_sum_stays(
    uses: list[Use], more: int, day: int | None, month: int | None
) -> None:
    allowance, borrower = Allowance(day, month), len(uses) - 1
    loan = loan_for(borrower, more, uses, allowance)
    if loan is None:
        return
    assert borrower not in loan.lent
    assert len(loan.lent) < 100, "a transaction has a hundred items at most"
    then = after(uses, loan)
    assert total(then) == total(uses)
    for number in loan.lent:
        part, before, left = part_of(allowance, number, len(uses)), uses[number], then[number]
        assert part.month is None or left.month == before.month or left.month <= part.month
        assert part.day is None or left.day == before.day or left.day <= part.day


@given(USES, st.integers(1, 300), BOUNDS, BOUNDS)
def test_what_the_whole_allows_can_be_borrowed_in_the_end(
    uses: list[Use], more: int, day: int | None, month: int | None
) -> None:
    allowance = Allowance(day, month)
    for loan in loans_of_the_overdrawn(uses, allowance):
        uses = after(uses, loan)
    borrower, part = 0, part_of(allowance, 0, len(uses))
    while (loan := loan_for(borrower, more, uses, allowance)) is not None:
        uses = after(uses, loan)
    assert allows(part, uses[borrower], more) or not allows(allowance, total(uses), more)


@given(USES, BOUNDS, BOUNDS)
def test_nobody_has_anything_left_while_another_is_overdrawn(
    uses: list[Use], day: int | None, month: int | None
) -> None:
    allowance = Allowance(day, month)
    for _ in range(3):  # a transaction has a hundred items
        for loan in loans_of_the_overdrawn(uses, allowance):
            uses = after(uses, loan)
    parts = [part_of(allowance, number, len(uses)) for number in range(len(uses))]
    for rests in (
        [part.month - use.month for part, use in zip(parts, uses, strict=True) if part.month is not None],
        [part.day - use.day for part, use in zip(parts, uses, strict=True) if part.day is not None],
    ):
        assert not rests or min(rests) >= 0 or max(rests) <= 0
