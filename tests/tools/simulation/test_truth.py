"""The limits of vendors against cases that can be computed by hand."""

from __future__ import annotations

import math

import pytest

from tools.simulation.scenario import Account, LimitKind, Pool, Scenario, TruthChange, VendorTruth
from tools.simulation.vendors.truth import Bucket, FixedWindow, Gauge, Owner, SlidingWindow, VendorState, changed


def admitted(gauge: Gauge, moments: list[float], cost: float = 1.0) -> list[float]:
    """The moments at which a call was admitted."""
    found = []
    for at in moments:
        if gauge.ready_at(at, cost) <= at:
            gauge.take(at, cost)
            found.append(at)
    return found


def states(vendor: VendorTruth, *accounts: Account) -> VendorState:
    return VendorState(Scenario(pools={"openai": Pool(accounts=[*accounts], vendor=vendor)}), "openai")


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(2.0, 3.0)
    assert admitted(bucket, [0.0] * 5) == [0.0] * 3
    assert bucket.ready_at(0.0, 1.0) == 0.5
    assert admitted(bucket, [0.4, 0.5, 0.6, 1.0]) == [0.5, 1.0]
    assert bucket.ready_at(1.0, 2.0) == 2.0
    assert len(admitted(bucket, [100.0] * 9)) == 3


def test_over_a_long_time_a_bucket_gives_what_it_should() -> None:
    every_millisecond = [number / 1000 for number in range(60_000)]
    assert len(admitted(Bucket(5.0, 20.0), every_millisecond)) == 20 + 5 * 60 - 1


def test_what_is_larger_than_the_bucket_waits_for_a_full_one() -> None:
    bucket = Bucket(10.0, 50.0)
    bucket.take(0.0, 80.0)
    assert bucket.ready_at(0.0, 80.0) == pytest.approx(8.0)


def test_a_changed_bucket_keeps_what_is_in_it() -> None:
    bucket = Bucket(1.0, 10.0)
    admitted(bucket, [0.0] * 4)
    bucket.become(0.0, 2.0, 4.0)
    assert len(admitted(bucket, [0.0] * 9)) == 4
    assert bucket.ready_at(0.0, 1.0) == 0.5


def test_a_fixed_window_begins_anew_at_each_full_minute() -> None:
    window = FixedWindow(0.05)
    assert admitted(window, [50.0, 51.0, 52.0, 53.0]) == [50.0, 51.0, 52.0]
    assert window.ready_at(53.0, 1.0) == 60.0
    assert admitted(window, [60.0, 60.0, 119.0, 119.5, 120.0]) == [60.0, 60.0, 119.0, 120.0]


def test_a_sliding_window_looks_back_sixty_seconds() -> None:
    window = SlidingWindow(0.05)
    assert admitted(window, [0.0, 10.0, 20.0, 30.0]) == [0.0, 10.0, 20.0]
    assert window.ready_at(30.0, 1.0) == 60.0
    assert window.ready_at(30.0, 2.0) == 70.0
    assert admitted(window, [59.9, 60.0, 65.0, 70.0]) == [60.0, 70.0]


def test_slots_are_free_again_when_their_calls_end() -> None:
    state = states(VendorTruth(limit=LimitKind.CONCURRENCY), Account(concurrency=2, repeat=1))
    (owner,) = state.owners
    for _ in range(2):
        assert owner.ready_at(0.0, 1.0) == 0.0
        owner.take(0.0, 1.0)
    assert math.isinf(owner.ready_at(0.0, 1.0))
    owner.release()
    assert owner.ready_at(5.0, 1.0) == 5.0


def test_what_is_not_said_is_what_the_account_declares() -> None:
    declared = VendorTruth(rate=None, burst=None)
    state = states(declared, Account(rpm=120, burst=7, repeat=1), Account(rpm=300, repeat=2))
    gauges = [owner.gauge for owner in state.owners]
    assert [(gauge.rate, gauge.burst) for gauge in gauges if isinstance(gauge, Bucket)] == [
        (2.0, 7.0),
        (5.0, 5.0),
        (5.0, 5.0),
    ]


def test_accounts_that_are_secretly_one_share_its_limit() -> None:
    state = states(VendorTruth(per="pool", rate=1.0, burst=1), Account(repeat=3))
    state.owners[0].take(0.0, 1.0)
    assert [owner.ready_at(0.0, 1.0) for owner in state.owners] == [1.0] * 3


def served_beside(outside: float) -> int:
    state = states(VendorTruth(rate=10.0, burst=10, outside=outside), Account(repeat=1))
    (owner,) = state.owners
    count = 0
    for number in range(200_000):
        now = number / 1000
        if owner.ready_at(now, 1.0) <= now:
            owner.take(now, 1.0)
            count += 1
    return count


def test_another_program_takes_its_part_and_no_more() -> None:
    assert served_beside(0.5) == pytest.approx(1000, rel=0.1)
    assert served_beside(0.0) == pytest.approx(2010, abs=2)


def test_a_change_replaces_what_it_names() -> None:
    state = states(VendorTruth(rate=5.0, burst=10), Account(repeat=2))
    after = changed(state.truth, TruthChange(rate=1.0))
    state.become(10.0, after, [Account(repeat=1)] * 2)
    assert (after.rate, after.burst) == (1.0, 10)
    gauges: list[Owner] = state.owners
    assert [owner.gauge.rate for owner in gauges if isinstance(owner.gauge, Bucket)] == [1.0, 1.0]
