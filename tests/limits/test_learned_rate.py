from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.learned_rate import (
    HOLD_SECONDS,
    TEST_SECONDS,
    Fellows,
    LearnedRate,
    first_learned_rate,
    taken_over,
    watching,
)
from tests.doubles.clock import EPOCH

MEASURED = LearnedRate(9.4, EPOCH, 10.0, 100, EPOCH)


DECLARED = watching(10.0, EPOCH, 100, 1)


def hammered(
    pace: LearnedRate, limit: float, seconds: float, *, chance: float = 0.0, most: float = 10.0, seed: int = 1
) -> list[tuple[float, LearnedRate]]:
    """What is written while calls are made at this pace, to a bucket that is empty and gains so much a second."""
    dice, level, now, used, refused = Random(seed), 0.0, EPOCH, pace.mark, pace.refused
    written = [(now, pace)]
    while now < EPOCH + seconds:
        interval = 1.0 / min(most, pace.rate(now))
        now, used, level = now + interval, used + 1, min(20.0, level + limit * interval)
        served = level >= 1.0 and dice.random() >= chance
        level -= level >= 1.0
        if not served:
            refused += 1
        after = pace.rebased(now, used) if served else pace.refused_again(now, used, refused, most=most)
        if after is not None and after is not pace:
            pace = after
            written.append((now, pace))
    return written


def test_a_refusal_that_stays_alone_cuts_nothing() -> None:
    after = DECLARED.refused_again(EPOCH + 60.0, 700, 2, most=10.0)
    assert after.rate(EPOCH + 60.0) >= 10.0
    assert not after.below(10.0)


@pytest.mark.parametrize("limit", [2.5, 5.0, 8.0, 9.0])
def test_a_limit_below_what_was_declared_is_measured_and_held(limit: float) -> None:
    written = hammered(DECLARED, limit, 30.0)
    first = next(pace for _, pace in written if pace.below(10.0))
    assert first.rate(first.since + 5.0) == pytest.approx(max(4.0, limit), rel=0.25)
    last = hammered(DECLARED, limit, 240.0)[-1][1]
    assert last.rate(last.since + 5.0) == pytest.approx(limit, rel=0.12)


@pytest.mark.parametrize("seed", range(5))
def test_refusals_at_random_do_not_bring_a_rate_down(seed: int) -> None:
    written = hammered(DECLARED, 20.0, 300.0, chance=0.05, seed=seed)
    ends = [at for at, _ in written[1:]] + [EPOCH + 300.0]
    mean = sum(min(10.0, pace.rate(at)) * (end - at) for (at, pace), end in zip(written, ends, strict=True)) / 300.0
    assert mean >= 9.2
    assert max(pace.noise for _, pace in written) > 0.0


def test_a_limit_that_was_measured_a_fifth_too_high_is_not_taken_for_chance() -> None:
    """What goes on being refused a little is found by trying less than was served meanwhile."""
    cut = LearnedRate(5.6, EPOCH, 5.95, 100, EPOCH, 1, before=10.0, loss=0.25)
    written = hammered(cut, 5.0, 60.0)
    assert max(pace.noise for _, pace in written) == 0.0
    assert any(pace.deeper for _, pace in written)
    assert all(pace.rate(at) <= 2.0 * 5.95 for at, pace in written)
    last = next(pace for _, pace in reversed(written) if not pace.testing(pace.since))
    assert last.rate(last.since + 13.0) == pytest.approx(5.0, rel=0.12)


def test_a_refusal_at_less_than_what_was_just_served_is_chance() -> None:
    deeper = LearnedRate(4.0, EPOCH, 5.0, 100, EPOCH, 9, before=10.0, loss=0.1, hold=19.0, proven=5.0)
    assert [deeper.rate(EPOCH + age) for age in (0.0, 10.0, 13.0, 30.0)] == [
        4,
        4,
        5,
        5,
    ]
    undone = deeper.refused_again(EPOCH + 5.0, 120, 9)
    assert (undone.rate(EPOCH + 5.0), undone.before) == (10.0, None)
    assert 0.0 < undone.noise <= deeper.loss
    later = deeper.refused_again(EPOCH + 10.1, 140, 9)
    assert later.rate(EPOCH + 10.1) <= 5.0


HELD = LearnedRate(5.0, EPOCH, 5.3, 100, EPOCH, 2, hold=99.0)


@pytest.mark.parametrize(
    ("calls", "pace", "ceiling"),
    [
        (100, HELD, 0.985 * 99 / 20.0),  # as many as were served
        (30, replace(HELD, marked_at=EPOCH + 14.0), 5.3),  # too few to be exact
        (70, HELD, 5.3),  # not used up
        (106, HELD, 5.3),  # what was held
        (100, replace(HELD, noise=0.05), 5.3),
        (100, replace(HELD, before=10.0, loss=0.05), 5.3),  # on trial
    ],
)
def test_a_refusal_long_after_another_corrects_a_limit_that_was_used_up(
    calls: int, pace: LearnedRate, ceiling: float
) -> None:
    after = pace.refused_again(EPOCH + 20.0, 100 + calls, 2, most=10.0)
    assert after.ceiling == pytest.approx(ceiling)
    assert (after.since, after.held_for) == (pace.since, pace.held_for)


@pytest.mark.parametrize(("theirs", "raised"), [(5.4, False), (5.5, True), (8.0, True)])
def test_a_rate_is_raised_to_what_its_fellows_have_if_that_is_well_above_it(theirs: float, *, raised: bool) -> None:
    after = HELD.raised(EPOCH + 20.0, 200, theirs)
    assert (after is not None) is raised
    if after is not None:
        assert (after.rate(EPOCH + 20.0), after.ceiling, after.mark, after.marked_at) == (
            5.3,
            theirs,
            200,
            EPOCH + 20.0,
        )
    assert replace(HELD, before=10.0, loss=0.1).raised(EPOCH + 5.0, 200, theirs) is None
    assert replace(HELD, ceiling=None).raised(EPOCH + 20.0, 200, theirs) is None


@pytest.mark.parametrize("fellows", [1, 5])
def test_accounts_with_one_declaration_take_turns_at_testing(fellows: int) -> None:
    turns = [Fellows(fellows, turn) for turn in range(fellows)]
    moments = [taken_over(5.0, EPOCH, 0, 1, fellows=each).held_for for each in turns]
    assert moments == pytest.approx([60.0 * (turn + 1) for turn in range(fellows)])
    held = LearnedRate(4.7, EPOCH, 5.0, 100, EPOCH, 1, hold=289.0)
    failed = held.refused_again(EPOCH + 302.0, 1600, 2, fellows=turns[-1])
    assert failed.held_for == pytest.approx(60.0 * fellows)


def test_a_limit_that_fell_is_met_within_seconds_whatever_comes_by_chance() -> None:
    noisy = replace(DECLARED, noise=0.05)
    written = hammered(noisy, 5.0, 30.0, chance=0.05)
    first = next(at for at, pace in written if pace.below(10.0))
    assert first <= EPOCH + 5.0


def test_a_failed_test_costs_one_refusal_and_the_next_is_far() -> None:
    held = LearnedRate(4.7, EPOCH, 5.0, 100, EPOCH, 1, hold=49.0)
    refusals = [pace for _, pace in hammered(held, 5.0, 200.0, most=math.inf)[1:]]
    assert 2 <= len(refusals) <= 4
    assert all(pace.rate(pace.since + 5.0) == pytest.approx(5.0, rel=0.06) for pace in refusals)


def test_a_measured_pace_recovers_is_held_and_then_doubles() -> None:
    moments = [EPOCH + 3.0, EPOCH + 11.0, EPOCH + 17.5]
    assert [MEASURED.rate(at) for at in moments] == pytest.approx([10.0, 10.0, 20.0])


def test_a_guess_is_kept_for_a_moment_and_then_doubles() -> None:
    pace = first_learned_rate(2.0, EPOCH, 0)
    assert pace.rate(EPOCH + 1.5) == 2.0
    assert pace.rate(EPOCH + 60.0) == 4.0


@pytest.mark.parametrize("pace", [MEASURED, first_learned_rate(2.0, EPOCH, 0), replace(MEASURED, proven=8.0)])
def test_a_part_of_a_pace_holds_and_is_below_what_that_part_of_it_would_be(pace: LearnedRate) -> None:
    for declared in (1.0, 3.0, 8.5, 9.7, 12.0):
        assert pace.part(0.2).below(0.2 * declared) is pace.below(declared)
    for age in (0.0, 5.0, 14.0, 60.0):
        assert pace.part(0.2).rate(EPOCH + age) == pytest.approx(0.2 * pace.rate(EPOCH + age))
        assert pace.part(0.2).testing(EPOCH + age) is pace.testing(EPOCH + age)


def test_only_use_keeps_a_pace_growing() -> None:
    pace = first_learned_rate(2.0, EPOCH, 0)
    assert pace.rebased(EPOCH + 1.0, 100) is None
    assert pace.rebased(EPOCH + 60.0, 10) is None
    grown = pace.rebased(EPOCH + 5.0, 20)
    assert grown is not None
    assert (grown.base, grown.mark, grown.marked_at) == (4.0, 0, EPOCH)


def test_a_pace_that_was_not_used_is_not_taken_for_proven() -> None:
    age = HOLD_SECONDS + TEST_SECONDS
    assert MEASURED.rebased(EPOCH + age, 100 + round(0.6 * MEASURED.base * age)) is None
    assert MEASURED.rebased(EPOCH + age, 100 + round(0.8 * MEASURED.base * age)) is not None


@given(st.floats(0.1, 1000.0), st.floats(0.0, 100.0), st.integers(0, 10_000), st.integers(1, 50))
def test_no_refusal_raises_a_rate_or_stops_it(base: float, age: float, calls: int, refusals: int) -> None:
    pace = LearnedRate(base, EPOCH, base, 0, EPOCH)
    now = EPOCH + age
    after = pace.refused_again(now, calls, refusals)
    assert 0.09 <= after.rate(now) <= max(pace.rate(now), 0.1)
