"""A worker on its own, while the table is away, and just after."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from mediarelay.limits.acquiring import Seen
from mediarelay.limits.gcra import Acquire, Granted, LimitState, acquire
from mediarelay.limits.learning import Refusal, learning
from mediarelay.limits.local_view import RETRY_SECONDS, Account, LimitsView
from mediarelay.vocabulary.limit import Limit
from tests.doubles.clock import EPOCH

LIMIT = Limit(10.0, 20)
POOL = [Account(name, ((f"key-of-{name}", 0.0),), LIMIT) for name in ("acme", "bolt", "coil")]
NAMES = [each.name for each in POOL]


def alone(workers: int = 4) -> LimitsView:
    """Its table has failed at EPOCH."""
    view = LimitsView(workers=workers)
    assert view.failed(POOL, EPOCH, Random(1))
    return view


def test_it_takes_less_than_the_part_it_believed_to_be_its_own_and_regains_it() -> None:
    view = alone()
    assert view.share(EPOCH) == pytest.approx(0.2)
    assert 0.2 < view.share(EPOCH + 5.0) < 1 / 4
    assert view.share(EPOCH + 600.0) == 1 / 4


def test_a_refusal_on_its_own_share_humbles_it_and_blames_no_group() -> None:
    view = alone()
    for _ in range(3):
        talk = learning(Refusal("acme", EPOCH + 0.1, 0, None), POOL, view, now=EPOCH + 0.1)
        next(talk)
        with pytest.raises(StopIteration):
            talk.send(Seen(EPOCH + 0.1, None))
    assert view.share(EPOCH + 0.1) == pytest.approx(0.8**4 / 4, rel=0.01)
    assert view.limit(POOL[0], len(POOL), EPOCH + 0.1) == LIMIT


def test_a_promise_that_is_kept_comes_out_of_its_share() -> None:
    view = alone()
    before = view.owners(POOL, EPOCH, pool=len(POOL))[0].next_start
    view.reservation_used(POOL[0], len(POOL), EPOCH + 1.0)
    after = view.owners(POOL, EPOCH + 1.0, pool=len(POOL))[0].next_start
    assert after == pytest.approx(EPOCH + 1.0 + 1.0 / (10.0 * view.share(EPOCH + 1.0)), abs=1e-3)
    assert after > before


def test_a_promise_costs_nothing_while_the_table_answers() -> None:
    view = LimitsView(workers=4)
    view.reservation_used(POOL[0], len(POOL), EPOCH)
    assert view.state("acme") == LimitState()


def test_after_its_return_there_is_no_burst_and_at_first_half_the_rate_and_no_promise() -> None:
    view = alone()
    view.saw(NAMES, {}, EPOCH + 3.0)
    first = view.owners(POOL, EPOCH + 3.5, pool=len(POOL))[0]
    assert first.limit == replace(LIMIT, burst=1, rate=5.0)
    assert first.horizon < 1.0
    later = view.owners(POOL, EPOCH + 3.0 + RETRY_SECONDS + 0.1, pool=len(POOL))[0]
    assert (later.limit, later.horizon) == (replace(LIMIT, burst=1), float("inf"))
    assert view.owners(POOL, EPOCH + 8.1, pool=len(POOL))[0].limit == LIMIT


def test_chance_in_its_own_last_batches_does_not_make_up_its_part() -> None:
    """Sixteen workers that take ten permits each in random order believe in one whole together, nearly."""
    rng, books = Random(1), [LimitsView(workers=16) for _ in range(16)]
    state = LimitState()
    for number in range(4000):
        view, now = rng.choice(books), EPOCH + 10.0 * number
        view.saw(["acme"], {"acme": state}, now)
        answer = acquire(state, Acquire("acme", "key", 10, LIMIT, now, now + 60.0, seen=state))
        assert isinstance(answer, Granted)
        view.learned(answer)
        state = answer.state
    assert 0.8 < sum(view.share(EPOCH + 40_000.0) for view in books) < 1.35
