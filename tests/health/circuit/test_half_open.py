"""What a fleet shares of one provider: strikes, permits, and what clears them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.health.circuit.half_open import NEWS_FAULTS, HalfOpenPermit, is_news, pause
from mediarelay.health.local import STRIKES_TO_TRIP, Suspicion

T0 = 1_000_000.0
STRUCK = HalfOpenPermit().met(T0, started=T0 - 1)


def test_one_fault_makes_suspect_for_all_and_the_next_permit_comes_soon() -> None:
    assert STRUCK is not None
    assert STRUCK.suspicion(T0) is Suspicion.SUSPECT
    assert STRUCK.refuses(T0) == T0 + 0.5
    assert STRUCK.refuses(T0 + 0.5) is None
    assert STRUCK.suspicion(T0 + 60.0) is Suspicion.CLEAR


def test_a_call_that_was_under_way_proves_nothing_new() -> None:
    assert STRUCK is not None
    assert STRUCK.met(T0 + 1, started=T0 - 0.1) is None
    again = STRUCK.met(T0 + 1, started=T0)
    assert again is not None
    assert (again.strikes, again.struck_at) == (2, T0 + 1)


def test_a_fault_of_somebody_else_leaves_the_permit_with_its_holder() -> None:
    assert STRUCK is not None
    after = STRUCK.taken("me", until=T0 + 60).met(T0 + 1, started=T0)
    assert after is not None
    assert (after.holder, after.taken_until, after.strikes) == ("me", T0 + 60, 2)


def test_the_fourth_strike_trips_it_for_all_and_no_more_are_counted() -> None:
    trial, now = HalfOpenPermit(), T0
    for _ in range(STRIKES_TO_TRIP):
        trial = trial.taken("me", until=now + 60).failed(now, shared=True)
        now = trial.taken_until
    assert trial.suspicion(trial.struck_at) is Suspicion.TRIPPED
    assert trial.trips_until == trial.taken_until == trial.struck_at + 30.0
    assert trial.met(trial.struck_at + 1, started=trial.struck_at + 0.5) is None


def test_a_fault_that_is_no_news_rests_the_permit_and_strikes_nobody() -> None:
    after = HalfOpenPermit().taken("me", until=T0 + 60).failed(T0, shared=False, at_least=30)
    assert (after.strikes, after.refuses(T0), after.holder) == (0, T0 + 30, "")
    assert STRUCK is not None
    assert STRUCK.taken("me", until=T0 + 60).failed(T0 + 1, shared=False).strikes == 2  # what has begun goes on


def test_a_success_clears_unless_it_began_before_the_newest_fault() -> None:
    assert STRUCK is not None
    assert STRUCK.acquitted(T0 + 2, started=T0 - 0.1) is None
    cleared = STRUCK.acquitted(T0 + 2, started=T0 + 1)
    assert cleared is not None
    assert cleared.suspicion(T0 + 2) is Suspicion.CLEAR
    assert cleared.acquitted(T0 + 3, started=T0 + 2) is None  # nobody suspects it: nothing to write
    assert STRUCK.taken("me", until=T0 + 60).cleared(T0 + 2).is_over(T0 + 2)


def test_a_permit_that_was_not_used_leaves_the_suspicion() -> None:
    assert STRUCK is not None
    back = STRUCK.taken("me", until=T0 + 60).returned(T0 + 1)
    assert (back.strikes, back.refuses(T0 + 1)) == (1, None)
    assert not back.is_over(T0 + 1)


def test_the_third_call_waits_for_the_record() -> None:
    assert [pause(strikes) for strikes in (1, 2, 3, 4)] == [0.5, 0.5, 2.0, 30.0]


@pytest.mark.parametrize(("faults", "news"), [(0, True), (NEWS_FAULTS, True), (NEWS_FAULTS + 1, False)])
def test_only_faults_that_are_rare_are_news(faults: int, *, news: bool) -> None:
    assert is_news(faults) is news


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 5)), max_size=40))
def test_only_faults_without_a_success_between_them_can_trip_and_strikes_never_pass_their_number(
    calls: list[tuple[bool, float]],
) -> None:
    trial, now, run = HalfOpenPermit(), T0, 0
    for fault, seconds in calls:
        started, now = now, now + seconds
        after = trial.met(now, started=started) if fault else trial.acquitted(now, started=started)
        trial, run = after or trial, run + 1 if fault else 0
        assert trial.strikes <= run or trial.suspicion(now) is Suspicion.TRIPPED
        assert (trial.suspicion(now) is Suspicion.TRIPPED) <= (trial.strikes >= 4)
