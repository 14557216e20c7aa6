"""What one look reads of a large pool."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from mediarelay.limits.acquiring import (
    Cut,
    CutMade,
    Look,
    PermitRequest,
    Purpose,
    Seen,
    TableAnswers,
    Take,
    acquiring,
    look_at,
)
from mediarelay.limits.gcra import LimitState, acquire
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.local_view import FRESH_SECONDS, GROUP, WINDOW, Account, LimitsView
from mediarelay.vocabulary.limit import Limit
from tests.doubles.clock import EPOCH

POOL = [Account(f"{number:03d}", ((f"k{number}", 0.0),), Limit(10.0, 20)) for number in range(50)]


def windows(count: int) -> list[list[str]]:
    rng = Random(1)
    return [[each.name for each in LimitsView(workers=4).window(POOL, EPOCH, rng)] for _ in range(count)]


def test_every_account_is_seen_as_often_as_any_other() -> None:
    seen = Counter(name for names in windows(5000) for name in names)
    fair = 5000 * WINDOW / len(POOL)
    assert set(seen) == {each.name for each in POOL}
    assert max(abs(count / fair - 1.0) for count in seen.values()) < 0.1


def test_a_window_that_passes_the_end_is_two_ranges() -> None:
    window = [*POOL[45:], *POOL[: WINDOW - 5]]
    assert look_at(window, whole=False).runs == (
        tuple(each.name for each in POOL[45:]),
        tuple(each.name for each in POOL[:11]),
        (GROUP,),
    )


@pytest.mark.parametrize("first", [0, 10, 34])
def test_any_other_window_is_one(first: int) -> None:
    names = tuple(each.name for each in POOL[first : first + WINDOW])
    found = look_at(POOL[first : first + WINDOW], ["elsewhere"], whole=False)
    assert found.runs == (names, (GROUP,), ("elsewhere",))


def test_a_small_pool_and_its_group_are_one_range() -> None:
    assert look_at([POOL[2], POOL[1]], whole=True).runs == ((GROUP, "001", "002"),)


def test_what_was_just_seen_is_used_again() -> None:
    view, rng = LimitsView(workers=4), Random(1)
    names = [each.name for each in view.window(POOL, EPOCH, rng)]
    view.saw(names, {}, EPOCH)
    soon = view.window(POOL, EPOCH + FRESH_SECONDS / 2, rng)
    assert [each.name for each in soon] == names


def test_without_a_key_that_may_be_used_nobody_has_a_part_of_the_group() -> None:
    view = LimitsView(workers=4)
    view.replaced(GROUP, LimitState(pace=LearnedRate(5.0, EPOCH, None, 0, EPOCH)))
    assert view.owners([], EPOCH, pool=0) == []


def asked(group: LearnedRate) -> list[Take | Cut]:
    """What one worker writes for a batch of five, where there is a limit above a pool of which a look reads a part."""
    view, written = LimitsView(workers=4), list[Take | Cut]()
    talk = acquiring([PermitRequest()] * 5, POOL, view, Purpose("openai-tts", EPOCH + 9.0), now=EPOCH, rng=Random(1))
    step = next(talk)
    while True:
        match step:
            case Look():
                reply: Seen | TableAnswers | CutMade = Seen(EPOCH, {GROUP: LimitState(pace=group)})
            case Take(asks=asks):
                written.append(step)
                reply = TableAnswers(EPOCH, tuple(acquire(LimitState(), ask) for ask in asks))
            case Cut(after=after):
                written.append(step)
                reply = CutMade(EPOCH, after)
            case _:
                raise AssertionError(step)
        try:
            step = talk.send(reply)
        except StopIteration:
            return written


def test_an_account_has_its_part_of_the_groups_rate_however_few_of_the_others_are_looked_at() -> None:
    written = asked(LearnedRate(25.0, EPOCH, 25.0, 0, EPOCH))
    rates = {ask.limit.rate for step in written if isinstance(step, Take) for ask in step.asks}
    assert rates == {25.0 / len(POOL)}


def test_a_limit_above_a_large_pool_is_not_forgotten_for_what_a_part_of_its_accounts_may_do() -> None:
    """Sixteen of them may do 160 a second, all of them 500: the limit is between."""
    assert not any(isinstance(step, Cut) for step in asked(LearnedRate(300.0, EPOCH, 300.0, 0, EPOCH)))
