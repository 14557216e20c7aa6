"""Several workers over one table: what one of them has met, all of them go by."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from mediarelay.health.circuit.half_open import LATE_SECONDS, NEWS_FAULTS
from mediarelay.health.fleet_view import RECORDS_MAX_AGE_SECONDS, FleetHealth
from mediarelay.health.local import STRIKES_TO_TRIP
from mediarelay.providers.offers import Availability
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.health import MemorySharedHealth
from tests.harness.health.health_fleet import BAD, GOOD, Fleet, ask, call, offers, seen, suspect


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def look(worker: FleetHealth) -> FleetHealth:
    """The read in the background is waited for: virtual time does not pass meanwhile."""
    worker.refresh()
    if worker._look is not None:
        worker._look.result()
    return worker


def writes(fleet: Fleet) -> int:
    assert isinstance(fleet.shared_health, MemorySharedHealth)
    return fleet.shared_health.writes


def step(fleet: Fleet, workers: Sequence[FleetHealth], name: str) -> int:
    """A request of each of them, all at the same moment, and every call that is let through fails: how many were."""
    calling, started = [], fleet.clock.now()
    with ExitStack() as requests:
        for number, worker in enumerate(workers):
            requests.enter_context(look(worker).waiting(job := f"{name}-{number}", offers()))
            if worker.admit("a", job, until=started + 60) is None:
                worker.began("a", job)
                calling.append((worker, job))
        fleet.clock.advance(0.05)
        for worker, job in calling:
            worker.ended("a", job, BAD, started=started)
    return len(calling)


@pytest.mark.parametrize(("workers", "allowed"), [(1, 3), (4, 6)])
@pytest.mark.parametrize("together", [1, 2, 4])
def test_so_many_more_calls_reach_a_provider_that_fails_even_with_no_record(
    fleet: Fleet, workers: int, allowed: int, together: int
) -> None:
    """Twenty steps a second for twenty seconds, and nobody judges."""
    fleets = [look(fleet.worker()) for _ in range(workers)]
    turns = [[fleets[(turn + k) % workers] for k in range(min(together, workers))] for turn in range(400)]
    made = [step(fleet, turn, str(number)) for number, turn in enumerate(turns)]
    assert 0 < sum(made[1:]) <= allowed


def test_a_colleague_hears_of_a_suspicion_with_its_next_look(fleet: Fleet) -> None:
    one, two = look(fleet.worker()), look(fleet.worker())
    suspect(one)
    assert two.availability("a") is Availability.READY
    fleet.clock.advance(LATE_SECONDS)
    assert look(two).availability("a") is Availability.TRIAL
    with one.waiting("job", offers()):
        assert one.admit("a", "job", until=fleet.clock.now() + 60) is None
        assert ask(two, job="other") == fleet.clock.now() + 60


def test_four_faults_of_different_workers_trip_it_for_all(fleet: Fleet) -> None:
    workers = [look(fleet.worker()) for _ in range(STRIKES_TO_TRIP + 1)]
    for worker in workers[:-1]:
        call(worker, BAD)
        fleet.clock.advance(0.01)
    struck_at = fleet.shared_health.look().trials["a"].struck_at
    fleet.clock.advance(RECORDS_MAX_AGE_SECONDS)
    assert look(workers[-1]).availability("a") is Availability.OPEN
    assert ask(workers[-1]) == struck_at + 30


def test_a_success_clears_it_for_all(fleet: Fleet) -> None:
    one, two, three = (look(fleet.worker()) for _ in range(3))
    suspect(one)
    fleet.clock.advance(LATE_SECONDS)
    assert call(look(two), GOOD)
    fleet.clock.advance(RECORDS_MAX_AGE_SECONDS)
    assert look(three).availability("a") is Availability.READY


def test_who_has_nobody_else_and_is_served_clears_it_too(fleet: Fleet) -> None:
    one, two = look(fleet.worker()), look(fleet.worker())
    suspect(one)
    fleet.clock.advance(LATE_SECONDS)
    with look(two).waiting("only", offers(0.01, "a")):
        assert two.admit("a", "only", until=fleet.clock.now() + 60) is None
        two.began("a", "only")
        two.ended("a", "only", GOOD, started=fleet.clock.now())
    assert fleet.shared_health.look().trials["a"].strikes == 0


def test_a_success_after_an_isolated_fault_is_one_write_and_then_none(fleet: Fleet) -> None:
    one, two = look(fleet.worker()), look(fleet.worker())
    call(one, BAD)
    fleet.clock.advance(RECORDS_MAX_AGE_SECONDS)
    look(two)
    before = writes(fleet)
    for _ in range(3):
        fleet.clock.advance(0.01)
        assert call(two, GOOD)
    assert writes(fleet) == before + 1
    assert fleet.shared_health.look().trials["a"].strikes == 0


def test_what_is_well_costs_no_write(fleet: Fleet) -> None:
    worker = seen(fleet.worker())
    for outcome in (GOOD, Outcome.THROTTLED, Outcome.INVALID_REQUEST, None):
        call(worker, outcome)
    assert writes(fleet) == 0


def test_a_provider_that_is_known_to_fail_now_and_then_is_each_workers_own_matter(fleet: Fleet) -> None:
    fleet.write("a", counts={Outcome.DELIVERED: 1000, BAD: NEWS_FAULTS + 1}, samples=1013)
    one = look(fleet.worker())
    suspect(one)
    assert one.availability("a") is Availability.SUSPECT
    assert writes(fleet) == 0


def test_what_the_table_has_forgotten_is_learned_anew(fleet: Fleet) -> None:
    one, two = look(fleet.worker()), look(fleet.worker())
    suspect(one)
    look(two)
    fleet.clock.advance(3600)
    fleet.shared_health = MemorySharedHealth(fleet.records)
    for worker in (one, two):
        worker._shared = worker._trials._shared = fleet.shared_health
        look(worker)
    suspect(one)
    fleet.clock.advance(LATE_SECONDS)
    assert look(two).availability("a") is Availability.TRIAL


def test_more_workers_than_one_partition_serves_look_more_rarely(fleet: Fleet) -> None:
    few, many = look(fleet.worker()), look(fleet.worker(of=1000))
    suspect(fleet.worker())
    fleet.clock.advance(RECORDS_MAX_AGE_SECONDS)
    assert look(few).availability("a") is Availability.SUSPECT
    assert look(many).availability("a") is Availability.READY
    fleet.clock.advance(RECORDS_MAX_AGE_SECONDS)
    assert look(many).availability("a") is Availability.SUSPECT
