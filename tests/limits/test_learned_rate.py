from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.learned_rate import (
    HOLD_SECONDS,
    TEST_SECONDS,
    LearnedRate,
    first_learned_rate,
)
from tests.doubles.clock import EPOCH

MEASURED = LearnedRate(9.4, EPOCH, 10.0, 100, EPOCH)


def test_what_was_served_between_two_refusals_is_the_limit() -> None:
    after = LearnedRate(12.0, EPOCH, 12.0, 100, EPOCH).refused(EPOCH + 10.0, 200)
    assert after.ceiling == pytest.approx(9.7)
    assert after.base == pytest.approx(0.94 * 9.7)
    assert (after.mark, after.marked_at) == (200, EPOCH + 10.0)


def test_a_refusal_before_that_can_be_measured_cuts() -> None:
    after = MEASURED.refused(EPOCH + 0.5, 104)
    assert after.base == pytest.approx(0.7 * MEASURED.rate(EPOCH + 0.5))
    assert after.ceiling is not None
    assert after.ceiling <= 10.0


def test_a_limit_that_fell_is_reached_in_a_few_cuts() -> None:
    pace, now, cuts = MEASURED, EPOCH, 0
    while pace.rate(now) > 5.0:
        now += 0.3
        pace, cuts = pace.refused(now, 100), cuts + 1
    assert cuts <= 3


def test_a_measured_pace_recovers_is_held_and_then_doubles() -> None:
    moments = [EPOCH + 3.0, EPOCH + 11.0, EPOCH + 17.5]
    assert [MEASURED.rate(at) for at in moments] == pytest.approx([10.0, 10.0, 20.0])


def test_a_guess_is_kept_for_a_moment_and_then_doubles() -> None:
    pace = first_learned_rate(2.0, EPOCH, 0)
    assert pace.rate(EPOCH + 1.5) == 2.0
    assert pace.rate(EPOCH + 60.0) == 4.0


def test_only_use_keeps_a_pace_growing() -> None:
    pace = first_learned_rate(2.0, EPOCH, 0)
    assert pace.rebased(EPOCH + 1.0, 100) is None
    assert pace.rebased(EPOCH + 60.0, 10) is None
    grown = pace.rebased(EPOCH + 5.0, 20)
    assert grown is not None
    assert (grown.base, grown.mark, grown.marked_at) == (4.0, 0, EPOCH)


def test_a_pace_beyond_twice_its_use_is_not_taken_for_proven() -> None:
    age = HOLD_SECONDS + TEST_SECONDS
    assert MEASURED.rebased(EPOCH + age, 100 + round(0.9 * MEASURED.base * age)) is None
    assert MEASURED.rebased(EPOCH + age, 100 + round(1.1 * MEASURED.base * age)) is not None


@given(st.floats(0.1, 1000.0), st.floats(0.0, 100.0), st.integers(0, 10_000))
def test_no_refusal_raises_a_pace_or_stops_it(base: float, age: float, calls: int) -> None:
    pace = LearnedRate(base, EPOCH, base, 0, EPOCH)
    now = EPOCH + age
    after = pace.refused(now, calls)
    assert 0.09 <= after.rate(now) <= max(pace.rate(now), 0.1)
