from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.vocabulary.backoff import Growth, full_jitter, half_jitter


def dice(seed: int = 1) -> Random:
    return Random(seed)


@pytest.mark.parametrize(("attempt", "seconds"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (5, 5.0)])
def test_a_wait_doubles_up_to_its_cap(attempt: int, seconds: float) -> None:
    assert seconds == Growth(base=0.5, cap=5.0).ceiling(attempt)


def test_a_huge_attempt_number_is_the_cap_and_no_overflow() -> None:
    assert Growth(base=0.5, cap=20.0).ceiling(100_000) == 20.0


@settings(deadline=None, max_examples=40)
@given(attempt=st.integers(0, 10_000), seed=st.integers())
def test_full_jitter_lies_between_zero_and_the_ceiling(attempt: int, seed: int) -> None:
    assert 0.0 <= full_jitter(attempt, base=0.5, cap=20.0, rng=dice(seed)) <= Growth(0.5, 20.0).ceiling(attempt)


def test_full_jitter_uses_the_whole_range() -> None:
    rng = dice(1)
    drawn = [full_jitter(3, base=1.0, cap=100.0, rng=rng) for _ in range(1000)]
    assert min(drawn) < 0.5
    assert max(drawn) > 7.5


def test_the_same_dice_give_the_same_wait() -> None:
    assert full_jitter(2, base=1.0, cap=9.0, rng=dice(7)) == full_jitter(2, base=1.0, cap=9.0, rng=dice(7))


@settings(deadline=None, max_examples=40)
@given(whole=st.floats(0, 1e6), seed=st.integers())
def test_half_jitter_never_falls_below_half(whole: float, seed: int) -> None:
    assert whole / 2 <= half_jitter(whole, rng=dice(seed)) <= whole
