"""What a worker goes by: records, its own faults, permits of the fleet, and the floor."""

from __future__ import annotations

import pytest

from mediarelay.health.circuit.half_open import LATE_SECONDS, HalfOpenPermit
from mediarelay.health.contract import Force
from mediarelay.health.fleet_view import FleetHealth
from mediarelay.health.judgement import Status
from mediarelay.health.local import STRIKES_TO_TRIP
from mediarelay.providers.offers import Availability
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.health import MemorySharedHealth
from tests.doubles.trouble import Flaky
from tests.harness.health.health_fleet import BAD, GOOD, LIMITED, Fleet, ask, call, offers, seen, suspect


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


# --- no records: the worker's own faults ------------------------------------------------------------------------------


def test_nobody_known_is_ready_and_admitted(fleet: Fleet) -> None:
    worker = seen(fleet.worker())
    assert worker.availability("a") is Availability.READY
    assert ask(worker) is None


def test_two_requests_that_fail_over_and_over_change_nothing_for_the_others(fleet: Fleet) -> None:
    worker = fleet.worker()
    with worker.waiting("poison-1", offers()), worker.waiting("poison-2", offers()):
        for _ in range(10):
            for job in ("poison-1", "poison-2"):
                assert worker.admit("a", job, until=fleet.clock.now() + 60) is None
                worker.began("a", job)
                worker.ended("a", job, BAD, started=fleet.clock.now())
            assert worker.availability("a") is Availability.READY
            assert ask(worker, job="sound") is None


def test_after_three_requests_others_are_preferred_and_a_permit_is_needed(fleet: Fleet) -> None:
    worker = fleet.worker()
    suspect(worker)
    assert worker.availability("a") is Availability.SUSPECT
    assert ask(worker) == fleet.clock.now() + 2.0
    fleet.clock.advance(LATE_SECONDS)
    assert worker.availability("a") is Availability.TRIAL  # somebody should find out
    with worker.waiting("one", offers()), worker.waiting("two", offers()):
        assert worker.admit("a", "one", until=fleet.clock.now() + 60) is None
        assert worker.admit("a", "two", until=fleet.clock.now() + 60) == fleet.clock.now() + 60
        assert worker.admit("b", "two", until=fleet.clock.now() + 60) is None


def test_what_fails_at_two_providers_says_nothing_of_either(fleet: Fleet) -> None:
    one, two = seen(fleet.worker()), seen(fleet.worker())
    for number in range(10):
        for worker in (one, two):
            job = f"poison-{number}-{worker is one}"
            with worker.waiting(job, offers()):
                for provider in ("a", "b", "a"):
                    assert worker.admit(provider, job, until=fleet.clock.now() + 60) is None
                    worker.began(provider, job)
                    worker.ended(provider, job, BAD, started=fleet.clock.now())
    for provider in ("a", "b"):
        assert fleet.shared_health.look().trials.get(provider, HalfOpenPermit()).strikes == 0
        assert one.availability(provider) is two.availability(provider) is Availability.READY


def test_a_broken_model_is_suspect_and_the_others_of_its_provider_are_not(fleet: Fleet) -> None:
    one, two = seen(fleet.worker()), fleet.worker()
    for _ in range(STRIKES_TO_TRIP):
        assert call(one, BAD, model="broken")
        assert call(one, GOOD, model="sound")
        fleet.clock.advance(LATE_SECONDS)
    for worker in (one, seen(two)):
        assert worker.availability("a", "broken") is Availability.OPEN
        assert worker.availability("a", "sound") is Availability.READY
        assert call(worker, GOOD, model="sound")
        assert not call(worker, GOOD, model="broken")


def test_a_model_at_fault_leaves_the_others_where_they_were(fleet: Fleet) -> None:
    fleet.write("a", status=Status.DEGRADED, model_at_fault="broken")
    worker = seen(fleet.worker())
    assert worker.availability("a", "broken") is Availability.DEGRADED
    assert worker.availability("a", "sound") is Availability.READY


def test_the_permit_is_the_fleets(fleet: Fleet) -> None:
    one, two = fleet.worker(), fleet.worker()
    for worker in (one, two, one, two):
        call(worker, BAD)
    fleet.clock.advance(31)
    with one.waiting("job", offers()):
        assert one.admit("a", "job", until=fleet.clock.now() + 60) is None
        assert ask(two) == fleet.clock.now() + 60
        one.began("a", "job")
        one.ended("a", "job", BAD, started=fleet.clock.now())
    assert ask(two, job="later") is not None


def test_a_suspect_that_others_have_found_down_meanwhile_is_not_called_and_its_permit_is_free(fleet: Fleet) -> None:
    worker = seen(fleet.worker())
    suspect(worker)
    fleet.clock.advance(LATE_SECONDS)
    worker.refresh()
    assert worker._look is not None
    worker._look.result()
    fleet.open("a", seconds=30)  # too late for this worker to have read it by itself
    record = fleet.records.get("a")
    assert record is not None
    assert ask(worker) == record.circuit.until
    assert fleet.shared_health.look().trials["a"].refuses(fleet.clock.now()) is None


def test_a_job_that_holds_the_permit_asks_for_no_second_one(fleet: Fleet) -> None:
    worker = seen(fleet.worker())
    suspect(worker)
    fleet.clock.advance(LATE_SECONDS)
    with worker.waiting("job", offers()):
        until = fleet.clock.now() + 60
        assert [worker.admit("a", "job", until=until) for _ in range(2)] == [None, None]


def test_a_suspect_that_delivers_is_clear_and_free_at_once(fleet: Fleet) -> None:
    worker = fleet.worker()
    suspect(worker)
    fleet.clock.advance(LATE_SECONDS)
    assert call(worker, GOOD)
    assert worker.availability("a") is Availability.READY
    assert ask(worker, job="next") is None


def test_a_fault_spaces_the_calls_that_follow(fleet: Fleet) -> None:
    worker = fleet.worker()
    calls = 0
    for _ in range(200):
        calls += call(worker, BAD)
        fleet.clock.advance(0.1)
    assert calls == 4
    assert worker.availability("a") is Availability.OPEN


def test_a_tripped_provider_is_left_alone_for_half_a_minute(fleet: Fleet) -> None:
    worker = fleet.worker()
    for _ in range(STRIKES_TO_TRIP):
        fleet.clock.advance(10)
        assert call(worker, BAD)
    assert ask(worker) == fleet.clock.now() + 30
    fleet.clock.advance(30)
    assert worker.availability("a") is Availability.TRIAL


def test_faults_of_keys_and_callers_make_nobody_suspect(fleet: Fleet) -> None:
    worker = fleet.worker()
    for outcome in (LIMITED, Outcome.CONTENT_REJECTED, Outcome.KEY_REJECTED, None):
        call(worker, outcome)
    assert worker.availability("a") is Availability.READY
    assert worker.pending("a") == 0


def test_suspicion_does_not_hold_up_a_job_that_has_nobody_else(fleet: Fleet) -> None:
    worker = fleet.worker()
    suspect(worker)
    fleet.clock.advance(LATE_SECONDS)
    with worker.waiting("one", offers()), worker.waiting("only", offers(0.01, "a")):
        assert worker.admit("a", "one", until=fleet.clock.now() + 60) is None
        assert worker.admit("a", "only", until=fleet.clock.now() + 60) is None


# --- records ------------------------------------------------------------------------------------------------------


def test_the_record_decides_for_every_worker(fleet: Fleet) -> None:
    fleet.open("a")
    fleet.write("b", status=Status.DEGRADED)
    worker = seen(fleet.worker())
    assert [worker.availability(name) for name in "abc"] == [
        Availability.OPEN,
        Availability.DEGRADED,
        Availability.READY,
    ]
    assert ask(worker) == fleet.clock.now() + 30


def test_records_are_read_again_after_a_second_and_not_before(fleet: Fleet) -> None:
    worker = seen(fleet.worker())
    fleet.open("a")
    worker.refresh()
    assert worker.availability("a") is Availability.READY
    fleet.clock.advance(1)
    worker.refresh()
    assert worker._look is not None
    worker._look.result()
    assert worker.availability("a") is Availability.OPEN


def test_a_record_nobody_judges_any_more_says_nothing(fleet: Fleet) -> None:
    fleet.write("a", status=Status.DEGRADED)
    worker = seen(fleet.worker())
    fleet.clock.advance(601)
    assert worker.availability("a") is Availability.READY


def test_the_fleets_mean_latency_counts_when_it_is_well_founded(fleet: Fleet) -> None:
    fleet.write("a", samples=10, avg_latency_ms=1500.0)
    fleet.write("b", samples=9, avg_latency_ms=1500.0)
    worker = seen(fleet.worker())
    assert worker.expected_seconds("a", 9.0) == 1.5
    assert worker.expected_seconds("b", 9.0) == 9.0


def test_a_table_that_is_away_leaves_the_worker_to_itself(fleet: Fleet) -> None:
    fleet.shared_health = Flaky(Flaky(MemorySharedHealth(), "look"), "swap")
    worker = seen(fleet.worker())
    suspect(worker)
    fleet.clock.advance(1)
    assert call(worker, BAD)  # nobody to ask: alone, and then not again for a while
    assert not call(worker, BAD)
    fleet.clock.advance(31)
    assert call(worker, GOOD)


# --- trials -------------------------------------------------------------------------------------------------------


def due(fleet: Fleet) -> FleetHealth:
    fleet.open("a")
    worker = seen(fleet.worker())
    fleet.clock.advance(30)
    assert worker.availability("a") is Availability.TRIAL
    return worker


def test_one_trial_at_a_time_for_the_whole_fleet(fleet: Fleet) -> None:
    one, two = due(fleet), seen(fleet.worker())
    with one.waiting("job", offers()):
        assert one.admit("a", "job", until=fleet.clock.now() + 60) is None
        assert ask(two) is not None
        assert one.availability("a") is Availability.OPEN
        one.began("a", "job")
        assert one.ended("a", "job", GOOD, started=fleet.clock.now())
    assert ask(two, job="second") is not None  # it was told to come back when the permit would have ended
    assert ask(one, job="second") is None


def test_the_cheapest_request_that_waits_is_the_trial(fleet: Fleet) -> None:
    worker = due(fleet)
    with worker.waiting("dear", offers(0.5)), worker.waiting("cheap", offers(0.01)):
        assert worker.admit("a", "dear", until=fleet.clock.now() + 60) == fleet.clock.now() + 1
        assert worker.admit("a", "cheap", until=fleet.clock.now() + 60) is None


def test_a_cheaper_request_that_is_served_already_stands_in_nobodys_way(fleet: Fleet) -> None:
    worker = due(fleet)
    with worker.waiting("dear", offers(0.5)), worker.waiting("cheap", offers(0.01)):
        worker.began("b", "cheap")
        assert worker.admit("a", "dear", until=fleet.clock.now() + 60) is None


def test_a_trial_that_fails_keeps_everybody_away_until_the_record_has_caught_up(fleet: Fleet) -> None:
    one, two = due(fleet), seen(fleet.worker())
    assert call(one, BAD)
    assert ask(two) == fleet.clock.now() + 30


def test_a_permit_that_was_not_used_is_free_again(fleet: Fleet) -> None:
    one, two = due(fleet), seen(fleet.worker())
    assert ask(one) is None
    assert ask(two) is None


# --- the floor ----------------------------------------------------------------------------------------------------


def test_one_provider_of_a_kind_is_let_through_when_all_are_closed(fleet: Fleet) -> None:
    for name, rate in (("a", 0.2), ("b", 0.6), ("c", 0.4)):
        fleet.open(name, success_rate=rate)
    worker = seen(fleet.worker())
    assert [ask(worker, name) is None for name in "abc"] == [False, True, False]


def test_a_provider_without_keys_is_nobodys_alternative(fleet: Fleet) -> None:
    fleet.keyless = {"b", "c"}
    fleet.open("a")
    fleet.open("picture")
    worker = seen(fleet.worker())
    assert ask(worker, "a") is None
    assert ask(worker, "picture", "job", 0.01, "picture") is None


# --- overrides ----------------------------------------------------------------------------------------------------


def test_forced_healthy_lets_traffic_through_an_open_circuit_until_it_expires(fleet: Fleet) -> None:
    fleet.open("a", seconds=300)
    fleet.force("a", Force.HEALTHY)
    worker = seen(fleet.worker())
    assert (worker.availability("a"), ask(worker)) == (Availability.READY, None)
    fleet.clock.advance(60)
    assert worker.availability("a") is Availability.OPEN


def test_forced_down_keeps_traffic_away_until_it_expires(fleet: Fleet) -> None:
    fleet.force("a", Force.DOWN)
    worker = seen(fleet.worker())
    assert (worker.availability("a"), ask(worker)) == (Availability.OPEN, fleet.clock.now() + 60)
    fleet.clock.advance(60)
    assert (worker.availability("a"), ask(worker)) == (Availability.READY, None)
