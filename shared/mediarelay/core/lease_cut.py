"""What a refusal for the rate does to the state that all workers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from mediarelay.core.lease import ABOUT_TO_SECONDS, LeaseState
from mediarelay.core.lease_limit import Limit
from mediarelay.core.pace import Pace

# The bucket is left to gain so many permits.
REST_PERMITS: Final = 3.0
_NOBODY: Final[Mapping[str, float]] = MappingProxyType({})


def cut(state: LeaseState, pace: Pace, limit: Limit | None, *, now: float, wait: float) -> LeaseState:
    """The state after the vendor refused for the rate: its bucket is empty, and every promise is void.

    Calls that are about to be made will be made all the same, by workers who cannot know: new permits come after them,
    and after the bucket has gained what makes up for their uneven moments. Nothing is lost: it keeps its tokens.
    """
    tolerance = limit.tolerance if limit else 0.0
    last = min(state.tat - tolerance, now + ABOUT_TO_SECONDS)
    start = max(now + wait, last + REST_PERMITS / pace.base)
    return replace(
        state, tat=start + tolerance, lane=None, epoch=state.epoch + 1, queued=_NOBODY, pace=pace, throttled_at=now
    )
