from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.planning import (
    Prices,
    break_even_seconds,
    delay_seconds,
    lead_seconds,
    max_wait_seconds,
    unreserved,
)
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH


def test_the_break_even_is_where_a_trip_costs_as_much_as_the_wait() -> None:
    prices = Prices()
    assert break_even_seconds(1) * prices.worker_second == pytest.approx(prices.requeue)
    assert break_even_seconds(10) == pytest.approx(2.62, abs=0.01)


@given(st.integers(1, 10), st.floats(0.0, 10.0))
def test_what_a_batch_does_not_wait_for_can_be_reached_by_a_trip(waiting: int, beyond: float) -> None:
    ahead = max_wait_seconds(waiting) + beyond
    assert delay_seconds(EPOCH + ahead - lead_seconds(0.0), now=EPOCH) + 0.25 <= ahead + 1e-6
    assert max_wait_seconds(waiting) >= break_even_seconds(waiting)


@given(st.floats(1.5, 800.0), st.floats(0.0, 3.0))
def test_a_message_arrives_within_its_lead_and_grace(ahead: float, grace: float) -> None:
    lead = lead_seconds(grace)
    arrival = delay_seconds(EPOCH + ahead - lead, now=EPOCH)
    if ahead - lead >= 1.0:
        assert ahead - lead - 1e-6 <= arrival <= ahead + grace + 1e-6


def test_no_delay_is_shorter_or_longer_than_sqs_allows() -> None:
    assert delay_seconds(EPOCH - 5.0, now=EPOCH) == 1
    assert delay_seconds(EPOCH + 5000.0, now=EPOCH) == 900


@given(st.floats(-10.0, 100.0), st.floats(0.0, 100_000.0))
def test_what_has_no_reservation_comes_back_after_there_may_be_something(soonest: float, age: float) -> None:
    at = unreserved(EPOCH + soonest, now=EPOCH, age=age, rng=dice())
    assert max(0.0, soonest) < at - EPOCH <= max(0.0, soonest) + 300 + 1e-3
