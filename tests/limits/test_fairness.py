"""What a limit keeps for newcomers; how far ahead a request may reserve, among others with less time left, or more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.fairness import Line, NewcomerShare, lifetime_mark, newcomer_opening, newcomer_share, reach
from mediarelay.vocabulary.limit import Limit
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
    assert reach(300.0, {"7": EPOCH + 9.0, "within32": EPOCH - 1.0, "within64": EPOCH}, EPOCH) == 300.0


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


@pytest.mark.parametrize(
    ("limit", "burst", "interval", "queue_interval", "queue_seconds", "grace"),
    [
        (Limit(10.0, 20), 3, 1.0, 1 / 9, 1.0, 1.4),
        (Limit(2.0, 8), 3, 5.0, 5 / 9, 1.0, 1.8),
        (Limit(0.5, 6), 3, 20.0, 20 / 9, 4.0, 3.8),
        (Limit(10.0, 5), 3, 1.0, 1 / 9, 1.0, 0.06),
        (Limit(10.0, 4), 3, 1.0, 1 / 9, 1.0, 0.0),
        (Limit(0.1, 2), 1, 100.0, 100 / 9, 20.0, 0.0),
        (Limit(10.0, 1), 0, 1.0, 0.1, 1.0, 0.0),
    ],
)
def test_what_a_limit_keeps_for_newcomers(
    limit: Limit, burst: int, interval: float, queue_interval: float, queue_seconds: float, grace: float
) -> None:
    share = newcomer_share(limit)
    assert share.burst == burst
    found = (share.interval, share.queue_interval, share.queue_seconds, share.grace)
    assert found == pytest.approx((interval, queue_interval, queue_seconds, grace))


def test_others_leave_the_shares_last_permit_unless_it_holds_but_one() -> None:
    def leaves(burst: int, line: Line) -> int:
        return NewcomerShare(burst, 1.0, 1.0, 1.0, 0.0).leaves(line)

    assert [leaves(burst, Line.SURPLUS) for burst in (1, 2, 3)] == [0, 1, 1]
    assert [leaves(burst, Line.NEWCOMER) for burst in (1, 2, 3)] == [0, 0, 0]
    full = NewcomerShare(3, 2.0, 1.0, 1.0, 0.0)
    assert [full.latest_tat(1, line, EPOCH) - EPOCH for line in (Line.NEWCOMER, Line.SURPLUS)] == [4.0, 2.0]


def test_a_share_begins_behind_what_was_reserved_and_when_it_is_paid_for() -> None:
    limit = Limit(5.0, 20)
    fresh = newcomer_opening("a", limit, due=EPOCH - 9.0, paid=0.0, now=EPOCH)
    later = newcomer_opening("a", limit, due=EPOCH + 50.0, paid=0.0, now=EPOCH)
    paid = newcomer_opening("a", limit, due=EPOCH + 50.0, paid=30.0, now=EPOCH)
    assert 4.0 < fresh - EPOCH <= 6.0
    assert later - fresh == pytest.approx(50.0)
    assert paid - EPOCH == pytest.approx(50.0 + 30.0 + 4.0)
