from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.health.circuit.record import ejection_seconds
from mediarelay.health.judgement import Health, Status, assess, telling_run, wilson_upper
from mediarelay.health.thresholds import DEFAULT, Thresholds
from mediarelay.metrics.tally import Attempt, Tally
from mediarelay.vocabulary.outcome import Outcome

T0 = 1_780_000_000
LIMITS = {"call": DEFAULT, "submit": DEFAULT, "completion": Thresholds(healthy_seconds=600)}


def tally(*, good: int = 0, bad: int = 0, seconds: float = 1.0, run: int = 0, **others: int) -> Tally:
    """So many faults first, then successes, then a run of faults, one second apart."""
    found = Tally()
    moment = T0 * 1000
    for outcome, count, latency in (
        (Outcome.PROVIDER_FAULT, bad, 0.05),
        (Outcome.DELIVERED, good, seconds),
        *((Outcome(name), count, 0.1) for name, count in others.items()),
        (Outcome.OVERLOADED, run, 0.05),
    ):
        for _ in range(count):
            found.add(Attempt(outcome, moment, round(latency * 1000)))
            moment += 1000
    return found


def verdict(current: Status = Status.HEALTHY, /, **figures: float) -> Status:
    found = assess(tally(**figures), DEFAULT, current)
    assert found is not None
    return found.status


@pytest.mark.parametrize(
    ("figures", "status"),
    [
        ({"good": 1000}, Status.HEALTHY),
        ({"good": 920, "bad": 80}, Status.HEALTHY),
        ({"good": 850, "bad": 150}, Status.DEGRADED),
        ({"good": 720, "bad": 280}, Status.DEGRADED),
        ({"good": 650, "bad": 350}, Status.DOWN),
        ({"good": 100, "seconds": 4.9}, Status.HEALTHY),
        ({"good": 100, "seconds": 5.1}, Status.DEGRADED),
        ({"good": 100, "seconds": 60.0}, Status.DEGRADED),
        ({"good": 10, "bad": 90, "seconds": 0.1}, Status.DOWN),  # fast, since it fails fast
    ],
)
def test_the_thresholds_decide_when_there_are_enough_samples(figures: dict[str, float], status: Status) -> None:
    assert verdict(**figures) is status


def test_faults_of_callers_keys_and_accounts_are_not_the_providers() -> None:
    others = {"content_rejected": 500, "invalid_request": 500, "throttled": 500, "key_rejected": 50, "model_gone": 9}
    assert verdict(good=100, **others) is Status.HEALTHY
    assert tally(good=1, **others).throttled == 500
    assert assess(tally(**others), DEFAULT, Status.HEALTHY) is None


@pytest.mark.parametrize(("good", "bad"), [(7, 2), (4, 2), (18, 2), (17, 3)])
def test_a_few_faults_among_a_few_calls_say_nothing(good: int, bad: int) -> None:
    assert verdict(good=good, bad=bad) is Status.HEALTHY


@given(rate=st.floats(0, 1), samples=st.integers(1, 10_000))
def test_the_upper_bound_lies_above_the_rate_and_comes_closer_with_samples(rate: float, samples: int) -> None:
    bound = wilson_upper(rate, samples, 2.58)
    assert rate - 1e-12 <= bound <= 1 + 1e-12
    assert wilson_upper(rate, samples * 100, 2.58) <= bound + 1e-12


@pytest.mark.parametrize(
    ("figures", "length"),
    [
        ({"good": 2000}, 3),
        ({"good": 150}, 3),
        ({"good": 20}, 4),
        ({"good": 0}, 4),
        ({"good": 29, "bad": 1}, 5),
        ({"good": 294, "bad": 6}, 5),
        ({"good": 1960, "bad": 40}, 5),
    ],
)
def test_the_run_that_counts_is_shorter_for_a_provider_that_never_fails(figures: dict[str, float], length: int) -> None:
    assert telling_run(tally(**figures, run=1), DEFAULT) == length
    assert verdict(**figures, run=length - 1) is not Status.DOWN
    assert verdict(**figures, run=length) is Status.DOWN


def test_a_run_is_counted_by_when_calls_started_not_by_when_they_ended() -> None:
    found = tally(good=500)
    late = T0 * 1000 + 600_000
    found.add(Attempt(Outcome.DELIVERED, late - 1, 4000))  # under way when the outage began
    for number in range(3):
        found.add(Attempt(Outcome.TIMEOUT_SENT, late + number, 10))
    assert found.fault_run == 3


def judged(health: Health, *windows: tuple[float, dict[str, Tally]]) -> Health:
    for now, window in windows:
        health = health.next(window, LIMITS, now=now)
    return health


WELL = Health(Status.HEALTHY, since=T0)
POOR = {"call": tally(good=850, bad=150)}
FINE = {"call": tally(good=990, bad=10)}
GONE = {"call": tally(good=500, run=3)}


def test_a_worse_rate_must_hold_before_it_is_announced() -> None:
    assert judged(WELL, (T0, POOR), (T0 + 10, POOR)).status is Status.HEALTHY
    assert judged(WELL, (T0, POOR), (T0 + 10, FINE), (T0 + 21, POOR)).status is Status.HEALTHY
    found = judged(WELL, (T0, POOR), (T0 + 20, POOR))
    assert (found.status, found.since) == (Status.DEGRADED, T0 + 20)


def test_recovery_must_hold_longer_and_reach_beyond_the_threshold() -> None:
    degraded = Health(Status.DEGRADED, since=T0)
    assert judged(degraded, (T0, FINE), (T0 + 59, FINE)).status is Status.DEGRADED
    assert judged(degraded, (T0, FINE), (T0 + 60, FINE)).status is Status.HEALTHY
    barely = {"call": tally(good=100, seconds=4.8)}
    assert judged(degraded, (T0, barely), (T0 + 100, barely)).status is Status.DEGRADED
    assert judged(WELL, (T0, barely), (T0 + 100, barely)).status is Status.HEALTHY


def test_an_empty_window_is_idle_at_once_and_so_is_its_end() -> None:
    idle = judged(WELL, (T0 + 400, {}))
    assert (idle.status, idle.since) == (Status.IDLE, T0 + 400)
    assert judged(idle, (T0 + 500, FINE)).status is Status.HEALTHY


def test_a_run_of_faults_opens_the_circuit_at_once() -> None:
    down = judged(WELL, (T0, GONE))
    assert (down.status, down.since, down.reason) == (Status.DOWN, T0, "3 faults in a row")
    assert down.circuit.until == T0 + 30
    assert not down.circuit.tries(T0 + 29.9)
    assert down.circuit.tries(T0 + 30)


def trial(outcome: Outcome, *starts: float) -> dict[str, Tally]:
    found = tally(good=500, run=3)
    for start in starts:
        found.add(Attempt(outcome, round(start * 1000), 100))
    return {"call": found}


DOWN = judged(WELL, (T0 + 900, GONE))


def test_down_stays_down_while_nobody_tries() -> None:
    assert judged(DOWN, (T0 + 1000, GONE), (T0 + 2000, {}), (T0 + 9000, {})) == DOWN


def test_a_trial_that_fails_opens_it_again_for_longer_and_once_only() -> None:
    window = trial(Outcome.OVERLOADED, T0 + 931)
    again = judged(DOWN, (T0 + 932, window))
    assert (again.status, again.since) == (Status.DOWN, DOWN.since)
    assert again.circuit.until == T0 + 932 + 60
    assert judged(again, (T0 + 933, window), (T0 + 980, window)) == again


def test_faults_of_calls_that_were_under_way_do_not_prolong_it() -> None:
    assert judged(DOWN, (T0 + 920, trial(Outcome.OVERLOADED, T0 + 910))) == DOWN


def test_trials_that_succeed_one_after_the_other_close_it_with_a_clean_slate() -> None:
    one = judged(DOWN, (T0 + 932, trial(Outcome.DELIVERED, T0 + 931)))
    assert one == DOWN
    two = judged(DOWN, (T0 + 934, trial(Outcome.DELIVERED, T0 + 931, T0 + 933)))
    assert (two.status, two.circuit.is_open, two.heard_from) == (Status.HEALTHY, False, T0 + 934)


def test_successes_through_the_floor_close_it_early_when_there_are_enough() -> None:
    starts = [T0 + 905 + n for n in range(5)]
    assert judged(DOWN, (T0 + 912, trial(Outcome.DELIVERED, *starts[:4]))) == DOWN
    assert judged(DOWN, (T0 + 912, trial(Outcome.DELIVERED, *starts))).status is Status.HEALTHY


def test_ejections_double_to_five_minutes_and_are_forgiven_after_a_quarter_of_an_hour() -> None:
    assert [ejection_seconds(n) for n in range(6)] == [30, 60, 120, 240, 300, 300]
    closed = DOWN.recovered(T0 + 940, "trials succeeded")
    soon, later = judged(closed, (T0 + 1000, GONE)), judged(closed, (T0 + 2000, GONE))
    assert soon.circuit.until == T0 + 1000 + 60
    assert later.circuit.until == T0 + 2000 + 30


def test_the_phases_of_a_long_job_are_judged_apart() -> None:
    slow = tally(good=100, seconds=300)
    assert judged(WELL, (T0, {"completion": slow})).status is Status.HEALTHY
    both = {"submit": tally(good=100, run=4), "completion": slow}
    down = judged(WELL, (T0, both))
    assert (down.status, down.reason) == (Status.DOWN, "submit: 4 faults in a row")


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from([POOR, FINE, GONE, {}])), max_size=30))
def test_an_open_circuit_and_down_are_the_same_thing(steps: list[tuple[int, dict[str, Tally]]]) -> None:
    health, now = WELL, float(T0 + 10_000)
    for seconds, window in steps:
        now += seconds
        health = health.next(window, LIMITS, now=now)
        assert health.circuit.is_open is (health.status is Status.DOWN)
        assert replace(health, reason="") == replace(health.next(window, LIMITS, now=now), reason="")


# --- causes ---------------------------------------------------------------------------------------------------------


def poisoned(good: int, *causes: str, model: str = "", elsewhere: tuple[str, ...] = ()) -> Tally:
    """So many successes, then a fault of each cause, one second apart."""
    found, moment = Tally(), T0 * 1000
    for _ in range(good):
        moment += 1000
        found.add(Attempt(Outcome.DELIVERED, moment, 400, model="sound"))
    for cause in causes:
        moment += 1000
        found.add(Attempt(Outcome.PROVIDER_FAULT, moment, 30, cause=cause, model=model, elsewhere=elsewhere))
    return found


def status(found: Tally, current: Status = Status.HEALTHY) -> Status:
    verdict = assess(found, DEFAULT, current)
    assert verdict is not None
    return verdict.status


@pytest.mark.parametrize("good", [1, 5, 12, 500])
def test_two_texts_that_no_call_survives_take_nobody_down(good: int) -> None:
    assert status(poisoned(good, *["a", "b"] * 30)) is Status.HEALTHY


def test_requests_that_fail_at_two_providers_say_nothing_until_nothing_else_happens() -> None:
    seven = poisoned(50, *"abcdefg", elsewhere=("other",))
    assert (status(seven), seven.samples) == (Status.HEALTHY, 50)
    assert status(poisoned(50, *"abcdefgh", elsewhere=("other",))) is Status.DOWN
    assert status(poisoned(0, *"abcdefgh", elsewhere=("other",))) is Status.DOWN


def test_one_broken_model_is_told_as_its_own_trouble() -> None:
    run = assess(poisoned(500, *"abcd", model="broken"), DEFAULT, Status.HEALTHY)
    assert run is not None
    assert (run.status, run.model, run.reason) == (Status.DEGRADED, "broken", "model broken: 4 faults in a row")
    mixed = Tally()
    for number in range(400):
        start = T0 * 1000 + 1000 * number
        bad = number % 2
        outcome, model = (Outcome.PROVIDER_FAULT, "broken") if bad else (Outcome.DELIVERED, "sound")
        mixed.add(Attempt(outcome, start, 100, cause=f"job-{number}", model=model))
    rate = assess(mixed, DEFAULT, Status.HEALTHY)
    assert rate is not None
    assert (rate.status, rate.model) == (Status.DEGRADED, "broken")


def test_faults_of_two_models_in_a_row_are_the_providers_and_so_are_those_of_its_only_one() -> None:
    both = poisoned(500, *"abc", model="broken")
    both.add(Attempt(Outcome.PROVIDER_FAULT, T0 * 1000 + 900_000, 30, cause="d", model="sound"))
    assert status(both) is Status.DOWN
    assert status(poisoned(500, *"abc", model="sound")) is Status.DOWN


def test_a_few_calls_of_a_minute_are_not_slow_and_half_of_them_are() -> None:
    def status(slow: int, current: Status) -> Status:
        found = tally(good=100 - slow, seconds=2.0)
        found.merge(tally(good=slow, seconds=60.0))
        judged = assess(found, DEFAULT, current)
        assert judged is not None
        return judged.status

    assert status(10, Status.HEALTHY) is Status.HEALTHY, "a mean of eight seconds"
    assert status(10, Status.DEGRADED) is Status.HEALTHY
    assert status(55, Status.HEALTHY) is Status.DEGRADED


def test_what_is_slow_is_no_models_trouble() -> None:
    slow = tally(good=100, seconds=60.0)
    slow.add(Attempt(Outcome.PROVIDER_FAULT, T0 * 1000, 10, model="broken"))
    verdict = assess(slow, DEFAULT, Status.HEALTHY)
    assert verdict is not None
    assert (verdict.status, verdict.model) == (Status.DEGRADED, None)


def test_a_trial_by_a_text_that_fails_everywhere_keeps_nobody_down() -> None:
    window = trial(Outcome.DELIVERED, T0 + 931)
    window["call"].add(Attempt(Outcome.OVERLOADED, (T0 + 932) * 1000, 10, cause="a", elsewhere=("other",)))
    window["call"].add(Attempt(Outcome.DELIVERED, (T0 + 933) * 1000, 10))
    assert judged(DOWN, (T0 + 934, window)).status is Status.HEALTHY
