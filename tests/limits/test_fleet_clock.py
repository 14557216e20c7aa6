from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.local_view import FleetClock
from tests.doubles.clock import EPOCH

moments = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=40)


def observe(fleet: FleetClock, skew: float, at: float, trip: float = 0.004) -> None:
    """An answer at a true moment, to a worker whose clock is wrong by the skew."""
    sent = EPOCH + at
    fleet.observe(math.floor(sent + trip / 2), sent=sent + skew, received=sent + trip + skew)


@given(moments, st.floats(-0.001, 0.001))
def test_a_clock_that_is_right_is_not_touched(pauses: list[float], skew: float) -> None:
    fleet, at = FleetClock(), 0.0
    for pause in pauses:
        at += pause
        observe(fleet, skew, at)
    assert abs(fleet.offset) <= 0.003


@given(moments, st.floats(-2.0, 2.0))
def test_a_wrong_clock_is_set_to_within_a_second_at_once_and_better_with_time(pauses: list[float], skew: float) -> None:
    fleet, at = FleetClock(), 0.0
    observe(fleet, skew, at)
    assert abs(fleet.offset + skew) <= 1.01
    for pause in [*pauses, *[0.137] * 60]:
        at += pause
        observe(fleet, skew, at)
    assert abs(fleet.offset + skew) <= 0.03


def test_a_clock_that_was_set_is_learned_anew() -> None:
    fleet = FleetClock()
    for number in range(20):
        observe(fleet, 1.5, number * 0.3)
    observe(fleet, -1.5, 10.0)
    assert abs(fleet.offset - 1.5) <= 1.01
