"""Where a queue begins and ends, to the moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.limits.fairness import newcomer_phase
from mediarelay.limits.gcra import Acquire, Granted, LimitState, acquire
from mediarelay.vocabulary.limit import Limit
from tests.doubles.clock import EPOCH

# Two seconds a permit: a line of four seconds is none yet.
SLOW = Limit(0.5, burst=1)
BURSTS = Limit(10.0, burst=8)
NEW = LimitState()


def ask(state: LimitState, count: int = 1, **fields: Any) -> Acquire:
    given: dict[str, Any] = {"owner": "acme", "key_id": "k1", "limit": BURSTS, "seen": state, **fields}
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
    assert LimitState(slots={"0": EPOCH + until}).free_slots(Limit(1.0, slots=1), EPOCH) == free
