"""Permits that a worker takes for calls yet to come: one write for several calls, and none that the vendor refuses."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.acquiring import Look, Permit, PermitRequest, Purpose, Seen, TableAnswers, Take, acquiring
from mediarelay.limits.local_view import Account, LimitsView
from mediarelay.vocabulary.limit import Limit
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH
from tests.doubles.leases import MemoryLimits

P = "openai-tts"
BUCKET = Limit(10.0, 20)


class Fleet:
    """Workers that share a table, each with a view of its own."""

    def __init__(self, workers: int, limits: list[Limit], rng: Random) -> None:
        self.table = MemoryLimits()
        self.views = [LimitsView(workers=workers) for _ in range(workers)]
        self._accounts = [Account(str(number), ((f"k{number}", 0.0),), limit) for number, limit in enumerate(limits)]
        self._rng = rng

    def permit(self, worker: int, now: float, max_wait: float = 2.0) -> Permit | None:
        purpose = Purpose(P, now + max_wait)
        talk = acquiring([PermitRequest()], self._accounts, self.views[worker], purpose, now=now, rng=self._rng)
        try:
            step = next(talk)
            while True:
                if isinstance(step, Look):
                    step = talk.send(Seen(now, self.table.look(P, step.runs)))
                else:
                    assert isinstance(step, Take)
                    step = talk.send(TableAnswers(now, tuple(self.table.take(P, ask) for ask in step.asks)))
        except StopIteration as stop:
            [verdict] = stop.value
            return verdict if isinstance(verdict, Permit) else None


def served(limit: Limit, moments: list[float]) -> bool:
    """Tell whether a vendor's bucket that is full at first admits all calls."""
    level, last = float(limit.burst), EPOCH
    for moment in sorted(moments):
        level = min(float(limit.burst), level + (moment - last) * limit.rate) - 1.0
        last = moment
        if level < -1e-3:
            return False
    return True


@pytest.mark.parametrize("workers", [1, 4, 10])
def test_below_the_limit_a_write_serves_several_calls(workers: int) -> None:
    rng = dice(3)
    fleet, now, calls = Fleet(workers, [BUCKET] * 5, rng), EPOCH, 0
    while now < EPOCH + 20.0:
        now += rng.expovariate(40.0)
        assert fleet.permit(rng.randrange(workers), now) is not None
        calls += 1
    assert fleet.table.writes <= 0.35 * calls


def test_of_slow_keys_a_worker_takes_what_it_will_use() -> None:
    fleet, calls = Fleet(1, [Limit(0.98)] * 10, dice(3)), 150
    for number in range(calls):
        assert fleet.permit(0, EPOCH + number * 0.2) is not None
    assert fleet.table.writes <= 0.35 * calls


@given(
    seed=st.integers(0, 10_000),
    rate=st.sampled_from([1.0, 10.0, 50.0]),
    burst=st.sampled_from([1, 5, 20]),
    workers=st.integers(1, 6),
    load=st.sampled_from([0.3, 0.8]),
)
def test_no_call_with_such_a_permit_is_refused(seed: int, rate: float, burst: int, workers: int, load: float) -> None:
    rng = dice(seed)
    limit = Limit(rate, burst)
    fleet, now, calls = Fleet(workers, [limit] * 2, rng), EPOCH, dict[str, list[float]]()
    for _ in range(120):
        now += rng.expovariate(2.0 * rate * load)
        permit = fleet.permit(rng.randrange(workers), now)
        if permit is not None:
            calls.setdefault(permit.owner, []).append(max(now, permit.start))
    assert all(served(limit, moments) for moments in calls.values())


def busy() -> Fleet:
    """A worker that makes five calls a second, and so takes permits for the next."""
    fleet = Fleet(1, [BUCKET], dice(1))
    for number in range(10):
        assert fleet.permit(0, EPOCH + number * 0.2) is not None
    assert fleet.views[0].stretches["0"].count > 0
    return fleet


def test_a_cut_voids_what_was_taken_for_later() -> None:
    fleet = busy()
    before = fleet.table.look(P, [["0"]])["0"]
    fleet.table.cut(P, "0", replace(before, tat=EPOCH + 7.0, epoch=1))
    later = fleet.permit(0, EPOCH + 2.2, max_wait=10.0)
    assert later is not None
    assert later.start >= EPOCH + 5.0
    assert later.epoch == 1


def test_what_lapsed_does_not_count_as_used() -> None:
    fleet = busy()
    assert fleet.permit(0, EPOCH + 60.0) is not None
    left = sum(stretch.count for stretch in fleet.views[0].stretches.values())
    assert fleet.table.look(P, [["0"]])["0"].used - left == 11


def test_a_worker_that_may_not_wait_does_not_wait_for_what_it_holds() -> None:
    fleet = Fleet(1, [Limit(0.98)] * 10, dice(3))
    moments = [EPOCH + number * 0.2 for number in range(100)]
    permits = [(now, fleet.permit(0, now, max_wait=0.0)) for now in moments]
    assert all(permit.start <= now + 0.1 for now, permit in permits if permit is not None)
