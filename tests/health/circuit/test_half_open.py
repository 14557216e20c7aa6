"""What a fleet shares of one provider: strikes, permits, and what clears them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.health.circuit.half_open import NEWS_FAULTS, HalfOpenPermit, is_news, pause
from mediarelay.health.local import STRIKES_TO_SUSPECT, STRIKES_TO_TRIP, Mark, Suspicion

T0 = 1_000_000.0


def mark(number: int, model: str = "") -> Mark:
    return Mark(f"job-{number}", model)


def struck(times: int, model: str = "") -> HalfOpenPermit:
    """Requests that fail one after the other, the newest at T0."""
    trial = HalfOpenPermit()
    for number in range(times):
        at = T0 + 1 + number - times
        after = trial.met(at, mark(number, model), started=at - 1)
        assert after is not None
        trial = after
    return trial


STRUCK = struck(STRIKES_TO_SUSPECT)


def test_three_requests_make_suspect_for_all_and_the_next_permit_waits_for_the_record() -> None:
    two = struck(2)
    assert (two.strikes, two.suspicion(T0), two.refuses(T0)) == (2, Suspicion.CLEAR, None)
    assert STRUCK.suspicion(T0) is Suspicion.SUSPECT
    assert STRUCK.refuses(T0) == T0 + 2.0
    assert STRUCK.refuses(T0 + 2.0) is None
    assert STRUCK.suspicion(T0 + 60.0) is Suspicion.CLEAR


def test_a_request_strikes_once_whoever_meets_it() -> None:
    one = struck(1)
    assert one.met(T0 + 5, mark(0), started=T0 + 1) is None
    after = STRUCK.failed(T0 + 5, mark(0), shared=True)
    assert (after.strikes, after.refuses(T0 + 5)) == (3, T0 + 7)


def test_a_request_that_another_provider_fails_too_is_taken_back() -> None:
    after = STRUCK.excused("job-1")
    assert after is not None
    assert (after.strikes, after.suspicion(T0)) == (2, Suspicion.CLEAR)
    assert after.excused("job-1") is None
    alone = struck(1).excused("job-0")
    assert alone is not None
    assert (alone.strikes, alone.marks, alone.is_over(T0)) == (0, (), True)


def test_strikes_of_one_model_are_no_other_models() -> None:
    broken = struck(STRIKES_TO_TRIP, "broken")
    assert broken.suspicion(T0, "broken") is broken.suspicion(T0) is Suspicion.TRIPPED
    assert broken.suspicion(T0, "sound") is Suspicion.CLEAR
    assert broken.acquitted(T0 + 2, "sound", started=T0 + 1) is None
    mended = broken.acquitted(T0 + 2, "broken", started=T0 + 1)
    assert mended is not None
    assert (mended.strikes, mended.marks) == (0, ())
    both = struck(2, "broken").met(T0 + 1, mark(9, "sound"), started=T0)
    assert both is not None
    assert both.suspicion(T0 + 1, "third") is Suspicion.SUSPECT


def test_what_an_earlier_version_wrote_counts_as_it_did() -> None:
    before = HalfOpenPermit("", T0, 3, T0, 7)
    after = before.met(T0 + 1, mark(0), started=T0 + 0.5)
    assert (before.suspicion(T0), after and after.strikes) == (Suspicion.SUSPECT, 4)
    assert before.acquitted(T0 + 1, started=T0 + 0.5) == HalfOpenPermit("", T0, 0, 0.0, 7)
    assert before.excused("job-0") is None


def test_a_call_that_was_under_way_proves_nothing_new_of_a_suspect_one() -> None:
    assert STRUCK.met(T0 + 1, mark(7), started=T0 - 0.1) is None
    again = STRUCK.met(T0 + 1, mark(7), started=T0)
    assert again is not None
    assert (again.strikes, again.struck_at) == (4, T0 + 1)


def test_a_fault_of_somebody_else_leaves_the_permit_with_its_holder() -> None:
    after = STRUCK.taken("me", until=T0 + 60).met(T0 + 1, mark(7), started=T0)
    assert after is not None
    assert (after.holder, after.taken_until, after.strikes) == ("me", T0 + 60, 4)


def test_the_fourth_strike_trips_it_for_all_and_no_more_are_counted() -> None:
    trial, now = HalfOpenPermit(), T0
    for number in range(STRIKES_TO_TRIP):
        trial = trial.taken("me", until=now + 60).failed(now, mark(number), shared=True)
        now = max(now, trial.taken_until)
    assert trial.suspicion(trial.struck_at) is Suspicion.TRIPPED
    assert trial.trips_until == trial.taken_until == trial.struck_at + 30.0
    assert trial.met(trial.struck_at + 1, mark(9), started=trial.struck_at + 0.5) is None


def test_a_fault_that_is_no_news_rests_the_permit_and_strikes_nobody() -> None:
    taken = HalfOpenPermit().taken("me", until=T0 + 60)
    after = taken.failed(T0, mark(0), shared=False, at_least=30)
    assert (after.strikes, after.refuses(T0), after.holder) == (0, T0 + 30, "")
    assert taken.failed(T0, None, shared=True, at_least=30) == after
    again = STRUCK.taken("me", until=T0 + 60).failed(T0 + 1, mark(7), shared=False)
    assert again.strikes == 4  # what has begun goes on


def test_a_success_clears_unless_it_began_before_the_newest_fault() -> None:
    assert STRUCK.acquitted(T0 + 2, started=T0 - 0.1) is None
    cleared = STRUCK.acquitted(T0 + 2, started=T0 + 1)
    assert cleared is not None
    assert cleared.suspicion(T0 + 2) is Suspicion.CLEAR
    assert cleared.acquitted(T0 + 3, started=T0 + 2) is None  # nothing counts against it: nothing to write
    assert STRUCK.taken("me", until=T0 + 60).cleared(T0 + 2).is_over(T0 + 2)


def test_a_permit_that_was_not_used_leaves_the_suspicion() -> None:
    back = STRUCK.taken("me", until=T0 + 60).returned(T0 + 1)
    assert (back.strikes, back.refuses(T0 + 1)) == (3, None)
    assert not back.is_over(T0 + 1)


def test_the_first_call_by_permit_waits_for_the_record() -> None:
    assert [pause(strikes) for strikes in (1, 2, 3, 4)] == [0.5, 0.5, 2.0, 30.0]


@pytest.mark.parametrize(("faults", "news"), [(0, True), (NEWS_FAULTS, True), (NEWS_FAULTS + 1, False)])
def test_only_faults_that_are_rare_are_news(faults: int, *, news: bool) -> None:
    assert is_news(faults) is news


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 5)), max_size=40))
def test_only_faults_without_a_success_between_them_can_trip_and_strikes_never_pass_their_number(
    calls: list[tuple[bool, float]],
) -> None:
    trial, now, run = HalfOpenPermit(), T0, 0
    for number, (fault, seconds) in enumerate(calls):
        started, now = now, now + seconds
        after = trial.met(now, mark(number), started=started) if fault else trial.acquitted(now, started=started)
        trial, run = after or trial, run + 1 if fault else 0
        assert trial.strikes <= run or trial.suspicion(now) is Suspicion.TRIPPED
        assert (trial.suspicion(now) is Suspicion.TRIPPED) <= (trial.strikes >= 4)
