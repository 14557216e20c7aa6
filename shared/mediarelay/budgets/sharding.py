"""A large budget is spread over several items: how many, which of them a job's entry is in, and who lends to whom.

Theory of operation
- Each shard has its part of the budget as its own bound, so that the parts together never allow more than the whole.
- A job's entry is always in the same shard, by its id: set aside again it is found there, whoever asks.
- A shard whose part is used up borrows of others: what a lender counts as used more, the borrower counts as used less,
  in one transaction. The sum of what is used stays what it is, and nothing of a budget is out of reach.
- Over how many shards a budget is spread is settled when something is first set aside of it in a month, and stays so
  in that month. Where the budget is cut meanwhile, what some shards have used beyond their new part is borrowed of the
  others before anything else is set aside.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from mediarelay.budgets.ports import Allowance
from mediarelay.budgets.windows import NANOS

# So much of a day's budget has a shard of its own. Spent evenly on the cheapest speech that is five requests a second,
# whose dozen of open jobs keep the item within one write unit.
USD_A_SHARD: Final = 250
MOST_SHARDS: Final = 256
_DAYS: Final = 30
# A transaction has a hundred items at most; one of them borrows, and each bound may have lenders of its own.
_LENDERS: Final = 49


class Use(NamedTuple):
    """What is used of a month's and of a day's budget."""

    month: int
    day: int


class Loan(NamedTuple):
    """What a shard borrows of others, by their numbers."""

    borrower: int
    lent: Mapping[int, Use]


def shards_for(allowance: Allowance) -> int:
    """Return over how many items a budget is spread that begins with this allowance."""
    by_day = [allowance.day, None if allowance.month is None else allowance.month // _DAYS]
    least = min((each for each in by_day if each is not None), default=0)
    return max(1, min(MOST_SHARDS, least // (USD_A_SHARD * NANOS)))


def home_of(job_id: str, shards: int) -> int:
    """Return the shard of a job."""
    return zlib.crc32(job_id.encode()) % shards


def part_of(allowance: Allowance, number: int, shards: int) -> Allowance:
    """Return a shard's part of an allowance. All parts together are the whole."""

    def part(most: int | None) -> int | None:
        return None if most is None else most // shards + (number < most % shards)

    return Allowance(part(allowance.day), part(allowance.month))


def total(uses: Iterable[Use]) -> Use:
    """Return the sum."""
    found = list(uses)
    return Use(sum(each.month for each in found), sum(each.day for each in found))


def allows(allowance: Allowance, used: Use, more: int) -> bool:
    """Whether so much more may be used."""
    bounds = ((allowance.month, used.month), (allowance.day, used.day))
    return all(most is None or before + more <= most for most, before in bounds)


def loan_for(borrower: int, more: int, uses: Sequence[Use], allowance: Allowance) -> Loan | None:
    """Return what a shard borrows so as to have room for so much more, or as much of it as can be had at once; None
    where nothing is wanted, or nothing can be had.
    """
    parts = [part_of(allowance, number, len(uses)) for number in range(len(uses))]
    months = _lent(borrower, more, [_rest(part.month, use.month) for part, use in zip(parts, uses, strict=True)])
    days = _lent(borrower, more, [_rest(part.day, use.day) for part, use in zip(parts, uses, strict=True)])
    lent = {number: Use(months.get(number, 0), days.get(number, 0)) for number in sorted({*months, *days})}
    return Loan(borrower, lent) if lent else None


def after(uses: Sequence[Use], loan: Loan) -> list[Use]:
    """Return what is used once a loan is made."""
    whole = total(loan.lent.values())
    changes = {**loan.lent, loan.borrower: Use(-whole.month, -whole.day)}
    return [total((use, changes.get(number, Use(0, 0)))) for number, use in enumerate(uses)]


def loans_of_the_overdrawn(uses: Sequence[Use], allowance: Allowance) -> list[Loan]:
    """Return what those borrow that have used more than their part."""
    loans, left = [], list(uses)
    for number, use in enumerate(uses):
        if not allows(part_of(allowance, number, len(uses)), use, 0):
            loan = loan_for(number, 0, left, allowance)
            if loan is not None:
                loans.append(loan)
                left = after(left, loan)
    return loans


def _rest(part: int | None, used: int) -> int | None:
    return None if part is None else part - used


def _lent(borrower: int, more: int, rests: Sequence[int | None]) -> dict[int, int]:
    """Return who lends how much of one bound, the richest first. It lends half of what it has where that is more, so
    that the next one that comes need not borrow again.
    """
    has = rests[borrower]
    wanted = 0 if has is None else more - has
    others = [(rest, number) for number, rest in enumerate(rests) if rest is not None and number != borrower]
    lent: dict[int, int] = {}
    for rest, number in sorted(others, reverse=True)[:_LENDERS]:
        if wanted <= 0 or rest <= 0:
            break
        lent[number] = min(rest, max(wanted, rest // 2))
        wanted -= lent[number]
    return lent
