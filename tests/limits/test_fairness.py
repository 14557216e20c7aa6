"""How far ahead a request may reserve, among others that have less time left, or more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.fairness import lifetime_mark, reach
from tests.doubles.clock import EPOCH

lefts = st.floats(1.0, 4000.0)
marks = st.dictionaries(st.sampled_from(["within16", "within32", "within64", "within512"]), st.floats(-5.0, 60.0))


@pytest.mark.parametrize(
    ("seconds", "mark"),
    [
        (0.5, "within16"),
        (16.0, "within16"),
        (16.1, "within32"),
        (300.0, "within512"),
        (512.0, "within512"),
        (513, None),
    ],
)
def test_a_lifetime_leaves_the_mark_of_the_next_step_and_a_long_one_none(seconds: float, mark: str | None) -> None:
    assert lifetime_mark(seconds) == mark


def test_without_others_a_request_reserves_as_far_as_it_lives() -> None:
    assert reach(300.0, {}, EPOCH) == 300.0
    assert reach(300.0, {"7": EPOCH + 9.0, "within32": EPOCH - 1.0}, EPOCH) == 300.0


@pytest.mark.parametrize(
    ("left", "ahead"), [(20.0, 20.0), (32.0, 32.0), (64.0, 16.0), (90.0, 1024 / 90), (300.0, 32 / 3), (3600.0, 32 / 3)]
)
def test_beside_a_shorter_lifetime_it_reserves_the_less_far_the_more_time_it_has(left: float, ahead: float) -> None:
    assert reach(left, {"within32": EPOCH + 1.0, "within256": EPOCH + 1.0}, EPOCH) == pytest.approx(ahead)


@given(lefts, lefts, marks)
def test_of_two_the_one_with_less_time_reaches_farther_or_to_its_end(
    one: float, other: float, ahead: dict[str, float]
) -> None:
    queued = {mark: EPOCH + seconds for mark, seconds in ahead.items()}
    less, more = sorted((one, other))
    assert reach(less, queued, EPOCH) <= less
    assert reach(less, queued, EPOCH) >= min(less, reach(more, queued, EPOCH)) or not any(
        until > EPOCH for until in queued.values()
    )
