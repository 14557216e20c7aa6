"""When to ask, and what follows from an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.long_jobs.polling.completion import KEPT, probable, quantile, remembered
from mediarelay.long_jobs.polling.schedule import (
    ABSENCES,
    AskAgain,
    GiveUp,
    PollProgress,
    TimeIsUp,
    TryNext,
    first_wait,
    when_absent,
    when_failed,
    when_unanswered,
    while_running,
)
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome

BUSY = Failure(Outcome.OVERLOADED, "busy")
GONE = Failure(Outcome.PROVIDER_FAULT, "job_vanished")
MOMENTS = st.floats(0, 1e5)


def job(**fields: float) -> PollProgress:
    return PollProgress(**{"accepted_at": 0.0, "expires_at": 1e6, **fields})  # type: ignore[arg-type]


# --- the first wait -----------------------------------------------------------------------------------------------


def test_before_there_is_a_history_the_catalogue_counts() -> None:
    assert first_wait([], 120.0) == 96
    assert first_wait([5.0] * 4, 120.0) == 96


def test_a_history_replaces_the_catalogue_by_its_quickest_quarter() -> None:
    assert first_wait([100.0, 20.0, 60.0, 80.0, 40.0], 999.0) == 40


@given(st.lists(st.floats(0, 1e5), max_size=KEPT), st.floats(0, 1e5))
def test_a_wait_is_a_whole_second_at_least(durations: list[float], typical: float) -> None:
    assert isinstance(first_wait(durations, typical), int)
    assert first_wait(durations, typical) >= 1


def test_the_history_forgets() -> None:
    window: tuple[float, ...] = ()
    for seconds in range(KEPT + 3):
        window = remembered(window, float(seconds))
    assert (len(window), window[0], window[-1]) == (32, 3.0, 34.0)


@given(st.lists(st.floats(0, 1e5), min_size=1), st.floats(0, 1))
def test_a_quantile_lies_within_its_sample(durations: list[float], share: float) -> None:
    assert min(durations) <= quantile(durations, share) <= max(durations)


@given(st.floats(0, 1e5), st.booleans())
def test_a_probable_duration_is_no_longer_than_what_was_seen(elapsed: float, first: bool) -> None:  # noqa: FBT001 # drawn
    assert 0 <= probable(elapsed, growth=0.2, first=first) <= elapsed


# --- the waits after that -----------------------------------------------------------------------------------------


@given(MOMENTS)
def test_each_wait_is_a_share_of_the_time_already_spent(elapsed: float) -> None:
    decision = while_running(job(), now=elapsed)
    assert isinstance(decision, AskAgain)
    assert decision.seconds <= max(1, 0.2 * elapsed)


@given(MOMENTS, MOMENTS, st.integers(0, 50), st.sampled_from([while_running, "unanswered", "absent"]))
def test_nobody_waits_past_the_deadline(expires_at: float, now: float, troubles: int, kind: object) -> None:
    progress = job(expires_at=expires_at, troubles=troubles, absences=min(troubles, ABSENCES - 1))
    if kind == "unanswered":
        decision = when_unanswered(progress, Failure(Outcome.THROTTLED, "x", wait_seconds=9e9), now=now)
    elif kind == "absent":
        decision = when_absent(progress, GONE, now=now)
    else:
        decision = while_running(progress, now=now)
    if now >= expires_at:
        assert decision == TimeIsUp()
    else:
        assert isinstance(decision, AskAgain)
        assert now + decision.seconds <= expires_at + 1


def test_a_vendor_that_cannot_be_asked_is_asked_ever_more_rarely() -> None:
    waits = [when_unanswered(job(troubles=number), BUSY, now=10.0) for number in range(1, 9)]
    seconds = [each.seconds for each in waits if isinstance(each, AskAgain)]
    assert seconds == sorted(seconds)
    assert seconds[-1] == 60.0


def test_a_vendors_own_word_on_waiting_counts() -> None:
    slow = Failure(Outcome.THROTTLED, "slow", wait_seconds=45.0)
    assert when_unanswered(job(troubles=1), slow, now=10.0) == AskAgain(45)


def test_no_such_job_is_believed_when_it_is_said_again_and_again() -> None:
    answers = [when_absent(job(absences=number), GONE, now=10.0) for number in range(1, ABSENCES + 1)]
    assert [type(answer) for answer in answers] == [AskAgain] * 2 + [GiveUp]
    assert answers[-1] == GiveUp(GONE, paid=True)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_failed_job_goes_to_the_next_provider_unless_no_other_would_help(outcome: Outcome) -> None:
    failure = Failure(outcome, "x")
    stops = outcome.follow is Follow.STOP
    assert when_failed(failure) == (GiveUp(failure) if stops else TryNext(failure))
