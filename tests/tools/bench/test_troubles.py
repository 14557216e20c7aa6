"""What the bench of troubles measures against, and what it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.bench.overload.troubles import TROUBLES, Trouble
from tools.bench.overload.under_trouble import Row

HALF_GONE = Trouble("some keys gone", 2.0, at=18.0, until=28.0, keys_left=2)


def test_of_an_overload_the_keys_rates_are_possible_and_less_once_keys_are_gone() -> None:
    assert HALF_GONE.within(HALF_GONE.possible()) == pytest.approx(10 * 20 + 10 * 8, abs=2)


def test_below_capacity_what_is_asked_for_is_possible() -> None:
    gentle = replace(HALF_GONE, load=0.3)
    assert len(gentle.possible()) == pytest.approx(len(gentle.arrivals()), abs=1)
    served = zip(gentle.arrivals(), gentle.possible(), strict=False)
    assert all(arrival <= at < arrival + 0.5 for arrival, at in served)


def test_what_was_served_in_the_warm_up_or_after_the_end_is_not_measured() -> None:
    assert HALF_GONE.within([7.9, 8.0, 27.9, 28.0]) == 2


def test_every_bar_decides() -> None:
    row = Row("trouble", 1.2, goodput=0.96, waste=0.5, excess=1.0, unserved=0)
    assert row.holds
    misses = (replace(row, goodput=0.94), replace(row, excess=1.1), replace(row, unserved=1))
    assert not any(each.holds for each in misses)


def test_every_trouble_happens_while_it_is_measured() -> None:
    assert all(each.at < each.until and each.since < each.until for each in TROUBLES)
    assert len({each.slug for each in TROUBLES}) == len(TROUBLES)
