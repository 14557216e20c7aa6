from __future__ import annotations

from mediarelay.health.local import (
    STRIKES_TO_TRIP,
    SUSPECT_SECONDS,
    LocalBreaker,
    Suspicion,
)

T0 = 1_780_000_000.0


def struck(times: int) -> LocalBreaker:
    breaker = LocalBreaker()
    for number in range(times):
        breaker.faulted("p", started=T0 + number, now=T0 + number + 0.5)
    return breaker


def test_nobody_is_suspect_without_a_fault() -> None:
    assert LocalBreaker().suspicion("p", now=T0) is Suspicion.CLEAR


def test_one_fault_makes_suspect_and_a_later_success_clears() -> None:
    breaker = struck(1)
    assert breaker.suspicion("p", now=T0 + 1) is Suspicion.SUSPECT
    assert breaker.suspicion("q", now=T0 + 1) is Suspicion.CLEAR
    breaker.succeeded("p", started=T0 + 2)
    assert breaker.suspicion("p", now=T0 + 3) is Suspicion.CLEAR


def test_a_success_that_was_under_way_clears_nothing() -> None:
    breaker = struck(1)
    breaker.succeeded("p", started=T0 - 1)
    assert breaker.suspicion("p", now=T0 + 1) is Suspicion.SUSPECT


def test_enough_faults_in_a_row_trip_it_for_a_while_and_then_it_is_suspect() -> None:
    breaker = struck(STRIKES_TO_TRIP)
    tripped_at = T0 + STRIKES_TO_TRIP - 0.5
    assert breaker.suspicion("p", now=tripped_at) is Suspicion.TRIPPED
    assert breaker.until("p") == tripped_at + 30.0
    assert breaker.suspicion("p", now=tripped_at + 30.0) is Suspicion.SUSPECT
    assert breaker.suspicion("p", now=tripped_at + 60.0) is Suspicion.CLEAR


def test_faults_far_apart_do_not_add_up() -> None:
    breaker = LocalBreaker()
    for number in range(10):
        moment = T0 + number * SUSPECT_SECONDS
        breaker.faulted("p", started=moment, now=moment)
    assert breaker.suspicion("p", now=moment) is Suspicion.SUSPECT
