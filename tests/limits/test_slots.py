"""A slot that a call has at the vendor goes to the next call of the same worker that waits for one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.acquiring import NoPermit, Permit, PermitRequest
from mediarelay.limits.gcra import WHOLE_ACCOUNT
from mediarelay.limits.limiter import HANDED_SECONDS, HOLD_SECONDS, RateLimiter
from mediarelay.limits.local_view import Account, FleetClock
from mediarelay.vocabulary.limit import Limit
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH
from tests.doubles.leases import MemoryLimits
from tests.doubles.recording import MemoryCounters
from tools.simulation.loop import Crew, Loop, VirtualClock, virtual_threads

P = "openai-tts"
KEY = "k0"


class Fleet:
    """Workers in virtual time that share the slots of accounts, and a vendor that counts the calls under way."""

    def __init__(self, limit: Limit, *, workers: int = 1, accounts: int = 1, seed: int = 1) -> None:
        self.loop = Loop()
        self.table = MemoryLimits()
        self.clock = VirtualClock(self.loop)
        self.accounts = [Account(str(number), ((f"k{number}", 0.0),), limit) for number in range(accounts)]
        self.under_way: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.served: list[tuple[str, float]] = []
        self.turned_away: list[float] = []
        self.limiters: list[RateLimiter] = []
        self._seed, self._workers = seed, workers

    def run(self, *strands: Callable[[], object], until: float = 300.0) -> None:
        with virtual_threads(self.loop):
            for number in range(self._workers):
                limiter = RateLimiter(
                    self.table,
                    FleetClock(),
                    MemoryCounters(),
                    workers=self._workers,
                    clock=self.clock,
                    rng=dice(self._seed + number),
                )
                self.limiters.append(limiter)
            for strand in strands:
                self.loop.start(strand, Crew())
            self.loop.run(until)
            self.loop.close()

    def call(
        self, at: float, seconds: float, *, worker: int = 0, sound: bool = True, avoid: frozenset[str] = frozenset()
    ) -> Callable[[], None]:
        """A call that is asked for at that moment and takes so many seconds."""
        return partial(self._call, at, seconds, worker, sound, avoid)

    def _call(self, at: float, seconds: float, worker: int, sound: bool, avoid: frozenset[str]) -> None:  # noqa: FBT001 # of `call`
        self.loop.sleep(at)
        limiter = self.limiters[worker]
        accounts = [each for each in self.accounts if each.key_ids[0][0] not in avoid]
        permit = limiter.ask(P, PermitRequest(), lambda: accounts, max_wait=limiter.max_wait, avoid=avoid)
        if isinstance(permit, NoPermit):
            self.turned_away.append(self.loop.now)
            return
        self.loop.sleep(permit.start - self.clock.now())
        self._made(permit, self.loop.now)
        self.loop.sleep(seconds)
        self.under_way[permit.owner] -= 1
        limiter.release(P, permit, to_next=sound)

    def _made(self, permit: Permit, now: float) -> None:
        self.served.append((permit.owner, now))
        self.under_way[permit.owner] = self.under_way.get(permit.owner, 0) + 1
        self.most[permit.owner] = max(self.most.get(permit.owner, 0), self.under_way[permit.owner])


ONE = Limit(math.inf, 1, 1)


def test_a_call_that_waits_has_the_slot_at_the_moment_at_which_the_one_before_it_ends_without_a_write() -> None:
    fleet, writes = Fleet(ONE), []
    fleet.run(
        fleet.call(0.0, 1.0),
        fleet.call(0.5, 1.0),
        lambda: fleet.loop.at(1.5, lambda: writes.append(fleet.table.writes)),
    )
    assert [round(at, 1) for _, at in fleet.served] == [0.0, 1.0]
    assert writes[0] == fleet.table.writes - 1  # the second call gave the slot back
    assert fleet.table.look(P, [("0", "0")])["0"].slots == {}


def test_calls_of_a_worker_have_the_slot_in_turn() -> None:
    fleet = Fleet(Limit(math.inf, 1, 2))
    fleet.run(*[fleet.call(0.01 * number, 0.4) for number in range(4)])
    assert len(fleet.served) == 4
    assert fleet.most == {"0": 2}
    assert max(at for _, at in fleet.served) < 1.0


def test_who_could_not_have_it_in_time_does_not_wait() -> None:
    """The first call ends within a second, as far as anybody knows; the third would wait for two of them."""
    fleet = Fleet(ONE)
    fleet.run(fleet.call(0.0, 1.0), fleet.call(0.1, 1.0), fleet.call(0.2, 1.0))
    assert len(fleet.served) == 2
    assert fleet.turned_away[0] < 0.5


def test_who_waited_in_vain_is_told() -> None:
    fleet = Fleet(ONE)
    fleet.run(fleet.call(0.0, 20.0), fleet.call(0.1, 1.0), fleet.call(5.0, 1.0))
    assert fleet.turned_away == pytest.approx([0.1 + 1.25, 5.0 + 1.25], abs=0.1)


def test_after_a_call_that_benches_its_key_the_slot_goes_back_to_the_table() -> None:
    fleet = Fleet(ONE)
    fleet.run(fleet.call(0.0, 1.0, sound=False), fleet.call(0.5, 1.0))
    assert len(fleet.served) == len(fleet.turned_away) == 1


def test_a_call_does_not_get_the_slot_of_a_key_that_it_must_not_use() -> None:
    fleet = Fleet(ONE, accounts=2)
    fleet.run(
        fleet.call(0.0, 1.0, avoid=frozenset({"k1"})),
        fleet.call(0.1, 9.0),
        fleet.call(0.2, 1.0, avoid=frozenset({KEY})),
    )
    assert [owner for owner, _ in fleet.served] == ["0", "1"]


def test_who_has_no_key_at_all_waits_for_no_slot() -> None:
    fleet = Fleet(ONE)
    fleet.run(fleet.call(0.0, 9.0), fleet.call(0.1, 1.0, avoid=frozenset({KEY})))
    assert fleet.turned_away == pytest.approx([0.1], abs=0.05)


@pytest.mark.parametrize("change", ["blocked", "cut"])
def test_what_is_known_of_the_account_meanwhile_ends_the_handing_on(change: str) -> None:
    fleet = Fleet(ONE)

    def meanwhile() -> None:
        fleet.loop.sleep(0.6)
        if change == "blocked":
            fleet.table.block(P, "0", WHOLE_ACCOUNT, EPOCH + 99.0)
        else:
            state = fleet.table.look(P, [("0", "0")])["0"]
            fleet.table.cut(P, "0", replace(state, epoch=state.epoch + 1))

    looks = fleet.call(0.8, 1.0)
    fleet.run(fleet.call(0.0, 1.0), fleet.call(0.5, 1.0), meanwhile, looks)
    assert len(fleet.served) == 1


def test_a_slot_is_handed_on_only_while_it_is_held_for_a_call_of_usual_length() -> None:
    fleet = Fleet(ONE)
    length = HOLD_SECONDS - HANDED_SECONDS + 0.5
    fleet.run(fleet.call(0.0, length), fleet.call(length - 0.5, 1.0))
    assert len(fleet.served) == len(fleet.turned_away) == 1


def test_where_a_rate_is_limited_as_well_a_slot_is_not_handed_on() -> None:
    fleet = Fleet(Limit(10.0, 5, 1))
    fleet.run(fleet.call(0.0, 1.0), fleet.call(0.5, 1.0))
    assert len(fleet.served) == len(fleet.turned_away) == 1


@given(
    seed=st.integers(0, 10_000),
    slots=st.integers(1, 4),
    workers=st.integers(1, 4),
    accounts=st.integers(1, 3),
    seconds=st.sampled_from([0.1, 0.5, 3.0, 20.0]),
)
def test_there_are_never_more_calls_than_slots(
    seed: int, slots: int, workers: int, accounts: int, seconds: float
) -> None:
    rng, fleet = dice(seed), Fleet(Limit(math.inf, 1, slots), workers=workers, accounts=accounts, seed=seed)
    calls = [
        fleet.call(
            rng.uniform(0.0, 10.0 * seconds),
            seconds * rng.uniform(0.1, 1.5),
            worker=rng.randrange(workers),
            sound=rng.random() < 0.9,
        )
        for _ in range(20)
    ]
    fleet.run(*calls, until=1000.0)
    assert all(most <= slots for most in fleet.most.values())
    assert len(fleet.served) + len(fleet.turned_away) == len(calls)
    assert not any(state.slots for state in fleet.table.look(P, [("", "~")]).values())
