"""Midnight in California, without a database of time zones: layers and images may come without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_STANDARD: Final = timedelta(hours=-8)
_SUMMER: Final = timedelta(hours=-7)
_SUNDAY: Final = 6
_LAST_MOMENT: Final = 253_370_000_000.0  # early in the year 9999


def until_midnight(now: float) -> float:
    """Seconds from *now* (unix seconds) until the next midnight by Pacific time; about a day at most.

    Moments that no calendar has count as midnight just past.
    """
    if not 0.0 <= now <= _LAST_MOMENT:
        return 86400.0
    moment = datetime.fromtimestamp(now, UTC)
    local = moment + _offset(moment)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    # The clocks change at two in the morning: at midnight, the offset is that of the moment before.
    utc = midnight - _offset(midnight - _STANDARD)
    return (utc - moment).total_seconds()


def _offset(moment: datetime) -> timedelta:
    """Summer time is from the second Sunday of March to the first of November, at two by the clock that ends."""
    begins = _sunday(moment.year, 3, 2) + timedelta(hours=2) - _STANDARD
    ends = _sunday(moment.year, 11, 1) + timedelta(hours=2) - _SUMMER
    return _SUMMER if begins <= moment < ends else _STANDARD


def _sunday(year: int, month: int, which: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(_SUNDAY - first.weekday()) % 7 + 7 * (which - 1))
