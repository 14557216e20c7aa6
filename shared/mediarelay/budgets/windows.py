"""Days and months of budgets, UTC; and amounts of money as whole numbers of billionths of a dollar."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

NANOS: Final = 1_000_000_000
LEVELS: Final = (50, 80, 100)


class Window(NamedTuple):
    """The month and the day in which money is set aside; what was set aside is spent in the same."""

    month: str
    day: int


def nanos(usd: float, *, up: bool = False) -> int:
    """Return an amount in billionths of a dollar, rounded; never down where *up*."""
    exact = usd * NANOS
    return math.ceil(exact - 1e-3) if up else round(exact)


def dollars(amount: int) -> float:
    """Return an amount in US dollars."""
    return amount / NANOS


def window_at(now: float) -> Window:
    """Return the window of a moment, unix seconds."""
    at = datetime.fromtimestamp(now, UTC)
    return Window(f"{at:%Y-%m}", at.day)


def next_day(now: float) -> float:
    """Return when the next day begins."""
    at = datetime.fromtimestamp(now, UTC) + timedelta(days=1)
    return at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def next_month(now: float) -> float:
    """Return when the next month begins."""
    at = datetime.fromtimestamp(now, UTC).replace(day=1) + timedelta(days=32)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def level(used: int, most: int) -> int | None:
    """Return the highest level that is reached; None below the first."""
    return max((each for each in LEVELS if used * 100 >= most * each), default=None)
