"""How long a model's jobs usually take, learned from the newest of them.

A short window of durations, newest last. Its quantiles follow a vendor that becomes slower within a few dozen jobs, and
need no assumption about the shape of the distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

KEPT: Final = 64
# With fewer, a quantile says more about luck than about the vendor.
ENOUGH: Final = 5


def remembered(durations: Sequence[float], newest: float) -> tuple[float, ...]:
    """The window after one more job; seconds."""
    return (*durations, newest)[-KEPT:]


def quantile(durations: Sequence[float], share: float) -> float:
    """The duration that this share of the jobs do not exceed, interpolated; there is at least one."""
    ordered = sorted(durations)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def midpoint(elapsed: float, growth: float) -> float:
    """What a job probably took that was seen finished after so many seconds, and not yet at the poll before that.

    Without it the history could only ever grow: no job can be seen finished before it is first asked about.
    """
    return elapsed * (1.0 + 1.0 / (1.0 + growth)) / 2.0
