"""Where a queue begins and ends, to the moment."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.fairness import newcomer_phase
from mediarelay.limits.gcra import Acquire, Granted, LimitState, acquire
from mediarelay.limits.planning import Owner, from_tail
from mediarelay.vocabulary.limit import Limit
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH

# Two seconds a permit: a line of four seconds is none yet.
SLOW = Limit(0.5, burst=1)
BURSTS = Limit(10.0, burst=8)
NEW = LimitState()


# A newcomer share is opened by a call whose tenant is named.
TENANT: Any = {"buckets": ("7",)}


def ask(state: LimitState, count: int = 1, **fields: Any) -> Acquire:
    given: dict[str, Any] = {"owner": "acme", "key_id": "k1", "limit": BURSTS, "seen": state, **TENANT, **fields}
    return Acquire(count=count, now=EPOCH, not_after=EPOCH + 600.0, **given)


@pytest.mark.parametrize(("seconds", "queues"), [(4.0, False), (4.001, True)])
def test_a_line_is_a_queue_when_it_is_longer_than_the_longest_that_is_none(seconds: float, *, queues: bool) -> None:
    assert LimitState(tat=EPOCH + seconds).queueing(SLOW, EPOCH) is queues


@pytest.mark.parametrize(("ahead", "queues"), [(0.0, False), (0.001, True)])
def test_a_lane_is_closed_from_the_moment_at_which_nobody_waits(ahead: float, *, queues: bool) -> None:
    state = LimitState(tat=EPOCH + BURSTS.tolerance + ahead, newcomer_tat=EPOCH)
    assert state.queueing(BURSTS, EPOCH) is queues


def test_a_lane_that_was_open_before_nobody_waited_begins_anew_with_the_next_queue() -> None:
    over = LimitState(tat=EPOCH + BURSTS.tolerance, newcomer_tat=EPOCH - 99.0)
    answer = acquire(over, ask(over, 20))
    assert isinstance(answer, Granted)
    assert answer.state.newcomer_tat is not None
    assert answer.state.newcomer_tat > EPOCH
    fresh = acquire(replace(over, newcomer_tat=None), ask(replace(over, newcomer_tat=None), 20))
    assert answer.state == fresh.state


def test_an_owner_without_a_burst_has_no_lane_to_pay_for() -> None:
    single = Limit(10.0, burst=1)
    opening = ask(NEW, 20, limit=single)
    answer = acquire(NEW, opening)
    assert isinstance(answer, Granted)
    assert newcomer_phase(opening.owner) > 0.0
    assert answer.state.tat - EPOCH == pytest.approx(20 * single.interval)
    assert list(answer.starts) == pytest.approx([EPOCH + number * single.interval for number in range(20)])


@pytest.mark.parametrize(("until", "free"), [(0.0, ["0"]), (0.001, [])])
def test_a_concurrency_slot_is_free_from_the_moment_at_which_it_lapses(until: float, free: list[str]) -> None:
    assert list(LimitState(slots={"0": EPOCH + until}).free_slots(Limit(1.0, slots=1), EPOCH)) == free


@given(st.integers(1, 40), st.dictionaries(st.integers(0, 50), st.booleans(), max_size=30))
def test_the_free_slots_are_those_below_the_limit_that_nobody_holds(limit: int, holders: dict[int, bool]) -> None:
    state = LimitState(slots={str(number): EPOCH + 9.0 * held for number, held in holders.items()})
    found = state.free_slots(Limit(1.0, slots=limit), EPOCH)
    free = [str(number) for number in range(limit) if not holders.get(number)]
    assert (list(found), len(found), list(found[1:3]), bool(found)) == (free, len(free), free[1:3], bool(free))


def test_a_look_at_an_account_of_ten_million_slots_names_none_that_it_does_not_take() -> None:
    owner = Owner("acme", ("k1",), Limit(math.inf, slots=10_000_000), LimitState(slots={"3": EPOCH + 9.0}), EPOCH)
    tracemalloc.start()
    parts = from_tail(4, [owner], not_after=EPOCH + 1, rng=dice(1))
    taken = dice(1).sample(owner.free_slots or [], 4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (sum(part.count for part in parts), len({*taken, "3"})) == (4, 5)
    assert peak < 1_000_000
