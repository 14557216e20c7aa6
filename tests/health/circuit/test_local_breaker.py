from __future__ import annotations

from typing import Any

from mediarelay.health.local import (
    STRIKES_TO_TRIP,
    SUSPECT_SECONDS,
    LocalBreaker,
    Mark,
    Suspicion,
)

T0 = 1_780_000_000.0


def struck(times: int, model: str = "") -> LocalBreaker:
    breaker = LocalBreaker()
    for number in range(times):
        breaker.faulted("p", Mark(f"job-{number}", model), started=T0 + number, now=T0 + number + 0.5)
    return breaker


def test_nobody_is_suspect_without_a_fault() -> None:
    assert LocalBreaker().suspicion("p", now=T0) is Suspicion.CLEAR


def test_three_requests_that_fail_make_suspect_and_a_later_success_clears() -> None:
    assert struck(2).suspicion("p", now=T0 + 2) is Suspicion.CLEAR
    breaker = struck(3)
    assert breaker.suspicion("p", now=T0 + 3) is Suspicion.SUSPECT
    assert breaker.suspicion("q", now=T0 + 3) is Suspicion.CLEAR
    breaker.succeeded("p", started=T0 + 4)
    assert breaker.suspicion("p", now=T0 + 5) is Suspicion.CLEAR


def test_one_request_is_one_mark_however_often_it_fails() -> None:
    breaker = struck(2)
    for number in range(20):
        breaker.faulted("p", Mark("job-0"), started=T0 + number, now=T0 + number)
    assert breaker.suspicion("p", now=T0 + 20) is Suspicion.CLEAR


def test_a_request_that_another_provider_fails_too_is_taken_back() -> None:
    breaker = struck(3)
    breaker.excused("p", "job-1")
    breaker.excused("q", "job-1")
    assert breaker.suspicion("p", now=T0 + 3) is Suspicion.CLEAR


def test_faults_of_one_model_are_no_other_models_and_those_of_two_are_the_providers() -> None:
    breaker = struck(STRIKES_TO_TRIP, "broken")
    assert breaker.suspicion("p", "broken", now=T0 + 4) is Suspicion.TRIPPED
    assert breaker.suspicion("p", "sound", now=T0 + 4) is Suspicion.CLEAR
    assert breaker.suspicion("p", now=T0 + 4) is Suspicion.TRIPPED
    breaker.succeeded("p", "sound", started=T0 + 4)
    assert breaker.suspicion("p", "broken", now=T0 + 5) is Suspicion.TRIPPED
    breaker.faulted("p", Mark("other", "sound"), started=T0 + 5, now=T0 + 5)
    assert breaker.suspicion("p", "sound", now=T0 + 6) is Suspicion.TRIPPED


class _Overtaken:
    """A lock before which a fault of a later call is counted."""

    def __init__(self, breaker: LocalBreaker) -> None:
        self._breaker, self._lock = breaker, breaker._lock

    def __enter__(self) -> None:
        self._breaker._lock = self._lock
        self._breaker.faulted("p", Mark("later"), started=T0 + 9, now=T0 + 9.5)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_success_clears_no_fault_of_a_later_call_that_another_thread_counts_meanwhile() -> None:
    breaker: Any = struck(3)
    breaker._lock = _Overtaken(breaker)
    breaker.succeeded("p", started=T0 + 4)
    assert breaker.suspicion("p", now=T0 + 10) is Suspicion.TRIPPED


def test_a_success_that_was_under_way_clears_nothing() -> None:
    breaker = struck(3)
    breaker.succeeded("p", started=T0 + 1)
    assert breaker.suspicion("p", now=T0 + 3) is Suspicion.SUSPECT


def test_enough_requests_in_a_row_trip_it_for_a_while_and_then_it_is_suspect() -> None:
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
        breaker.faulted("p", Mark(f"job-{number}"), started=moment, now=moment)
    assert breaker.suspicion("p", now=moment) is Suspicion.CLEAR
