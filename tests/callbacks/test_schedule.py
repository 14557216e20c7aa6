from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.callbacks.schedule import (
    DELAYS_SECONDS,
    FAILURES_TO_REST,
    Reception,
    Rests,
    delay_after,
)

FAILED = Reception(500)
spreads = st.floats(0, 1)


def test_there_are_eight_tries_in_a_day_and_a_bit() -> None:
    planned = [delay_after(tries, FAILED, 0.5) for tries in range(1, 9)]
    assert planned == [*map(pytest.approx, DELAYS_SECONDS), None]
    assert [round(at / 3600, 1) for at in accumulate(DELAYS_SECONDS)][-1] == 27.6


@given(tries=st.integers(1, 7), spread=spreads)
def test_a_wait_is_within_a_fifth_of_its_plan_and_of_what_sqs_hides(tries: int, spread: float) -> None:
    wait = delay_after(tries, FAILED, spread)
    planned = DELAYS_SECONDS[tries - 1]
    assert wait is not None
    assert 0.8 * planned <= wait <= min(1.2 * planned, 43_080) + 1e-6


@given(tries=st.integers(1, 20), spread=spreads)
def test_who_wants_no_more_of_it_gets_no_more(tries: int, spread: float) -> None:
    assert delay_after(tries, Reception(410, "5"), spread) is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("said", "seconds"), [("120", 120), ("90000", 3600), ("0", 5), ("", 5), ("soon", 5), ("²", 5)])
def test_who_says_when_is_called_then_but_within_the_hour(status: int, said: str, seconds: float) -> None:
    wait = delay_after(1, Reception(status, said), 0.5)
    assert wait == pytest.approx(seconds, rel=0.11)
    assert wait >= seconds


def test_a_receiver_that_asks_for_a_second_has_its_time_all_the_same() -> None:
    assert delay_after(4, Reception(503, "1"), 0.5) == 7200


def test_what_another_answer_says_of_when_does_not_count() -> None:
    assert delay_after(1, Reception(500, "3600"), 0.5) == 5


def test_a_host_rests_after_five_failures_in_a_row_and_one_more_is_enough_then() -> None:
    rests = Rests()
    for _ in range(FAILURES_TO_REST - 1):
        rests.note("a", 0.0, taken=False)
    rests.note("a", 0.0, taken=True)
    for _ in range(FAILURES_TO_REST - 1):
        rests.note("a", 0.0, taken=False)
    assert rests.wait("a", 0.0, 0.0, 0.0) is None
    rests.note("a", 0.0, taken=False)
    assert rests.wait("a", 1.0, 0.0, 0.0) == 60.0
    assert rests.wait("b", 1.0, 0.0, 0.0) is None
    assert rests.wait("a", 60.0, 0.0, 0.0) is None
    rests.note("a", 60.0, taken=False)
    assert rests.wait("a", 61.0, 0.0, 0.0) == 60.0


def test_what_waits_for_a_resting_host_spends_fewer_receives_than_sqs_allows_it() -> None:
    """Were it skipped each time until its tries would be over."""
    rests, age, receives = Rests(), 0.0, 0
    while age < 36 * 3600:
        for _ in range(FAILURES_TO_REST):
            rests.note("a", age, taken=False)
        age += rests.wait("a", age, age, 0.0) or 0.0
        receives += 1
    assert receives + len(DELAYS_SECONDS) < 60
