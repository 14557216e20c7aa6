"""How long a model's jobs usually take, learned from the newest of them.

A short window of durations, newest last. Its quantiles follow a vendor that becomes slower within a few dozen jobs, and
need no assumption about the shape of the distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

KEPT: Final = 32
# With fewer, a quantile says more about luck than about the vendor.
ENOUGH: Final = 5


def remembered(durations: Sequence[float], newest: float) -> tuple[float, ...]:
    """Return the window after one more job; seconds."""
    return (*durations, newest)[-KEPT:]


def quantile(durations: Sequence[float], share: float) -> float:
    """Return the duration that this share of the jobs do not exceed, interpolated; there is at least one."""
    ordered = sorted(durations)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


# A job that was finished at its first poll may have been so for long: most of that time is as good a guess as any, and
# lets the history shrink when a vendor becomes quicker.
_DONE_AT_FIRST: Final = 0.75


def probable(elapsed: float, *, growth: float, first: bool) -> float:
    """Estimate how long a job took that was seen finished after so many seconds.

    Args:
        elapsed: From its acceptance to the poll that saw it finished, seconds.
        growth: By which share of the elapsed time the polls are apart.
        first: Whether that poll was the first one; otherwise it was still at work at the one before.
    """
    return elapsed * (_DONE_AT_FIRST if first else (1.0 + 1.0 / (1.0 + growth)) / 2.0)
