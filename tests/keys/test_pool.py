from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.keys.pool import KeyEntry, NotInFlight, UnknownKey
from mediarelay.keys.states import KeyStatus
from mediarelay.vocabulary.outcome import MEANINGS, Failure, Fault, Outcome
from tests.builders.key_pools import (
    AUDIO,
    DENIED,
    FLUX,
    QUOTA,
    REJECTED,
    THROTTLED,
    THROTTLED_10S,
    of,
    operator,
    pool_of,
    taken,
)

# --- rotation and counting --------------------------------------------------------------------------------------------


def test_keys_take_turns() -> None:
    pool = pool_of("a", "b", "c")
    seen = [entry.key_id for _ in range(6) if (entry := pool.get_api_key(FLUX, now=0.0))]
    assert seen[:3] == seen[3:]
    assert set(seen) == {"a", "b", "c"}


def test_rotation_gives_a_key_that_was_not_tried() -> None:
    pool = pool_of("a", "b", "c")
    entry = pool.rotate_key(FLUX, now=0.0, away_from={"a", "c"})
    assert entry is not None
    assert entry.key_id == "b"
    assert pool.rotate_key(FLUX, now=0.0, away_from={"a", "b", "c"}) is None


def test_a_declared_concurrency_is_a_ceiling_for_the_whole_account() -> None:
    pool = pool_of(of("acme", "a", concurrency=2), of("acme", "b"), "c")
    held = [pool.get_api_key(FLUX, now=0.0, avoid={"c"}) for _ in range(3)]
    assert [entry is None for entry in held] == [False, False, True]
    pool.release("a")
    assert pool.get_api_key(FLUX, now=0.0, avoid={"c"}) is not None


def test_a_busy_pool_says_to_look_again_soon() -> None:
    pool = pool_of(of("acme", "a", concurrency=1))
    pool.get_api_key(FLUX, now=7.0)
    assert pool.available_at(FLUX, now=7.0) == 7.25
    assert pool.usable(FLUX, now=7.0) == 1


def test_releasing_a_key_that_was_not_taken_is_loud() -> None:
    with pytest.raises(NotInFlight):
        pool_of("a").release("a")


def test_an_empty_pool_has_no_key_and_never_will() -> None:
    assert pool_of().get_api_key(FLUX, now=0.0) is None
    assert pool_of().available_at(FLUX, now=0.0) is None


def test_sixteen_threads_rotate_fairly_and_leave_nothing_in_flight() -> None:
    pool, keys, rounds = pool_of("a", "b", "c", "d", "e"), 5, 100

    def work(_: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        for _turn in range(rounds):
            entry = pool.get_api_key(FLUX, now=0.0)
            assert entry is not None
            seen[entry.key_id] += 1
            pool.release(entry.key_id)
        return seen

    with ThreadPoolExecutor(16) as threads:
        total = sum(threads.map(work, range(16)), Counter[str]())
    assert sum(total.values()) == 16 * rounds
    assert max(total.values()) - min(total.values()) <= 1
    assert len(total) == keys
    assert {view.in_flight for view in pool.snapshot(now=0.0)} == {0}


# --- who is benched by what -------------------------------------------------------------------------------------------


def test_a_throttled_account_cools_at_that_provider_only_and_for_all_its_keys() -> None:
    pool = pool_of(of("acme", "a"), of("acme", "b"), "c")
    (verdict,) = pool.failed("a", FLUX, THROTTLED_10S, now=0.0)
    assert (verdict.status, verdict.until, verdict.spreads, verdict.code) == (
        KeyStatus.COOLING,
        10.0,
        True,
        "slow_down",
    )
    assert taken(pool, now=1.0) == {"c"}
    assert taken(pool, now=1.0, provider=AUDIO) == {"a", "b", "c"}
    assert taken(pool, now=10.0) == {"a", "b", "c"}


def test_an_exhausted_account_is_parked_everywhere_for_an_hour() -> None:
    pool = pool_of(of("acme", "a"), of("acme", "b"), "c")
    pool.failed("a", FLUX, QUOTA, now=0.0)
    assert taken(pool, now=3599.0, provider=AUDIO) == {"c"}
    assert taken(pool, now=3600.0) == {"a", "b", "c"}


def test_a_cap_of_one_key_does_not_touch_its_siblings() -> None:
    pool = pool_of(of("acme", "a"), of("acme", "b"))
    pool.failed("a", FLUX, replace(QUOTA, spreads=False), now=0.0)
    assert taken(pool, now=1.0, provider=AUDIO) == {"b"}


def test_undeclared_keys_never_affect_each_other() -> None:
    pool = pool_of("a", "b")
    pool.failed("a", FLUX, QUOTA, now=0.0)
    assert taken(pool, now=1.0) == {"b"}


def test_a_rejected_key_is_out_everywhere_and_its_sibling_is_not() -> None:
    pool = pool_of(of("acme", "a"), of("acme", "b"))
    pool.failed("a", FLUX, REJECTED, now=0.0)
    assert taken(pool, now=299.0, provider=AUDIO) == {"b"}


def test_a_denied_key_is_barred_from_that_provider_only_for_an_hour() -> None:
    pool = pool_of("a", "b")
    pool.failed("a", FLUX, DENIED, now=0.0)
    assert taken(pool, now=3599.0) == {"b"}
    assert taken(pool, now=1.0, provider=AUDIO) == {"a", "b"}
    assert taken(pool, now=3600.0) == {"a", "b"}


@pytest.mark.parametrize(
    "outcome", [outcome for outcome in Outcome if MEANINGS[outcome].fault not in (Fault.KEY, Fault.ACCOUNT)]
)
def test_nobody_elses_fault_touches_a_key(outcome: Outcome) -> None:
    pool = pool_of("a")
    assert pool.failed("a", FLUX, Failure(outcome, "x"), now=0.0) == ()
    assert taken(pool, now=0.0) == {"a"}


def test_a_burst_of_refusals_of_calls_under_way_is_one_strike_and_one_verdict() -> None:
    pool = pool_of("a", "b")
    told = [pool.failed("a", FLUX, THROTTLED, now=at / 100) for at in range(8)]
    assert [len(each) for each in told] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert pool.snapshot(now=1.0)[0].strikes == 1


def test_an_empty_balance_parks_longer_each_time_until_it_is_paid() -> None:
    pool = pool_of("a")
    (first,) = pool.failed("a", FLUX, QUOTA, now=0.0)
    (second,) = pool.failed("a", FLUX, QUOTA, now=3600.0)
    assert (first.until, second.until) == (3600.0, 3600.0 + 7200.0)
    pool.succeeded("a", FLUX, started_at=20_000.0, now=20_001.0)
    (third,) = pool.failed("a", FLUX, QUOTA, now=30_000.0)
    assert third.until == 33_600.0


# --- coming back ------------------------------------------------------------------------------------------------------


def test_a_rejected_key_returns_by_a_single_trial_that_succeeds() -> None:
    pool = pool_of("a")
    pool.failed("a", FLUX, REJECTED, now=0.0)
    assert pool.get_api_key(FLUX, now=300.0) is not None
    assert pool.get_api_key(AUDIO, now=300.0) is None
    (verdict,) = pool.succeeded("a", FLUX, started_at=300.0, now=301.0)
    pool.release("a")
    assert verdict.status is KeyStatus.ACTIVE
    assert [pool.get_api_key(AUDIO, now=301.0) is None for _ in range(3)] == [False] * 3


def test_a_failed_trial_doubles_the_time_to_the_next() -> None:
    pool = pool_of("a")
    pool.failed("a", FLUX, REJECTED, now=0.0)
    pool.get_api_key(FLUX, now=300.0)
    (verdict,) = pool.failed("a", FLUX, REJECTED, now=301.0)
    pool.release("a")
    assert verdict.until == 301.0 + 600.0
    assert taken(pool, now=900.0) == set()
    assert taken(pool, now=901.0) == {"a"}


def test_a_trial_that_ended_without_a_word_on_the_key_may_be_repeated() -> None:
    pool = pool_of("a")
    pool.failed("a", FLUX, REJECTED, now=0.0)
    pool.get_api_key(FLUX, now=300.0)
    pool.failed("a", FLUX, Failure(Outcome.PROVIDER_FAULT, "boom"), now=301.0)
    assert pool.get_api_key(FLUX, now=301.0) is not None
    pool.release("a")
    pool.release("a")
    assert pool.get_api_key(FLUX, now=302.0) is not None


def test_a_trial_nobody_reports_is_forgotten() -> None:
    pool = pool_of("a")
    pool.failed("a", FLUX, REJECTED, now=0.0)
    pool.get_api_key(FLUX, now=300.0)
    assert pool.get_api_key(FLUX, now=359.0) is None
    assert pool.get_api_key(FLUX, now=360.0) is not None


def test_a_late_success_does_not_erase_a_newer_verdict() -> None:
    pool = pool_of("a")
    pool.failed("a", FLUX, THROTTLED_10S, now=5.0)
    assert pool.succeeded("a", FLUX, started_at=4.0, now=6.0) == ()
    assert taken(pool, now=6.0) == set()
    (verdict,) = pool.succeeded("a", FLUX, started_at=5.5, now=7.0)
    assert (verdict.status, verdict.observed_at) == (KeyStatus.ACTIVE, 5.5)
    assert taken(pool, now=7.0) == {"a"}


# --- guesses ----------------------------------------------------------------------------------------------------------

GUESSES = [replace(failure, certain=False) for failure in (QUOTA, REJECTED, DENIED, THROTTLED)]


@pytest.mark.parametrize("guess", GUESSES)
@pytest.mark.parametrize("others", [(), ("b", "c")], ids=["alone", "among others"])
def test_a_guess_cools_a_key_for_seconds_instead_of_benching_it(guess: Failure, others: tuple[str, ...]) -> None:
    pool = pool_of("a", *others)
    for now in (0.0, 20.0, 40.0):
        (verdict,) = pool.failed("a", FLUX, replace(guess, wait_seconds=None), now=now)
        assert (verdict.status, verdict.provider) == (KeyStatus.COOLING, FLUX)
        assert verdict.until is not None
        assert verdict.until <= now + (10.0 if guess.outcome is not Outcome.THROTTLED else 60.0)


@pytest.mark.parametrize("guess", GUESSES)
def test_a_guess_benches_for_seconds_even_where_others_can_stand_in(guess: Failure) -> None:
    pool = pool_of("a", "b")
    for _ in range(9):
        pool.failed("a", FLUX, guess, now=0.0)
    assert "a" in {key for _ in range(4) for key in taken(pool, now=10.0)}


def test_no_wait_of_an_unmarked_answer_benches_for_longer_than_a_minute() -> None:
    pool = pool_of("a")
    pool.failed("a", FLUX, Failure(Outcome.THROTTLED, "http_429", wait_seconds=3600.0, certain=False), now=0.0)
    assert taken(pool, now=61.0) == {"a"}


def test_keys_of_the_same_account_cannot_stand_in_for_each_other_when_the_account_is_guessed_empty() -> None:
    pool = pool_of(of("acme", "a"), of("acme", "b"))
    (verdict,) = pool.failed("a", FLUX, GUESSES[0], now=0.0)
    assert verdict.status is KeyStatus.COOLING


@pytest.mark.parametrize(("failure", "status"), [(QUOTA, KeyStatus.EXHAUSTED), (REJECTED, KeyStatus.REJECTED)])
def test_the_vendors_own_word_benches_even_the_last_key(failure: Failure, status: KeyStatus) -> None:
    (verdict,) = pool_of("a").failed("a", FLUX, failure, now=0.0)
    assert verdict.status is status


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(GUESSES), st.floats(0, 40)), max_size=20))
def test_guesses_alone_leave_every_key_at_most_cooling(steps: list[tuple[str, Failure, float]]) -> None:
    pool, now = pool_of("a", "b", "c"), 0.0
    for key, guess, pause in steps:
        now += pause
        pool.failed(key, FLUX, guess, now=now)
        worst = {view.key_id: KeyStatus.ACTIVE for view in pool.snapshot(now=now)}
        for view in pool.snapshot(now=now):
            worst[view.key_id] = max(worst[view.key_id], view.status, key=lambda each: each.severity)
        assert max(status.severity for status in worst.values()) <= KeyStatus.COOLING.severity


# --- operators --------------------------------------------------------------------------------------------------------


def test_a_disabled_key_takes_no_work_whatever_its_own_jobs_report_until_it_is_enabled() -> None:
    pool = pool_of("a")
    disabled, enabled = operator("a", KeyStatus.DISABLED, now=1.0), operator("a", KeyStatus.ACTIVE, now=6.0)
    assert pool.merge([disabled], now=1.0) == (disabled,)
    assert pool.failed("a", FLUX, REJECTED, now=2.0) == ()
    assert pool.succeeded("a", FLUX, started_at=3.0, now=4.0) == ()
    assert pool.available_at(FLUX, now=5.0) is None
    assert pool.merge([enabled], now=6.0) == (enabled,)
    assert taken(pool, now=6.0) == {"a"}


def test_enabling_frees_a_rejected_key() -> None:
    pool = pool_of("a", "b")
    pool.failed("a", FLUX, REJECTED, now=1.0)
    pool.merge([operator("a", KeyStatus.ACTIVE, now=2.0)], now=2.0)
    assert taken(pool, now=2.0) == {"a", "b"}


def test_only_a_key_of_the_pool_can_be_marked_as_exhausted() -> None:
    with pytest.raises(UnknownKey):
        pool_of("a").mark_key_exhausted("z", now=0.0)


def test_a_key_may_be_marked_exhausted_until_a_moment() -> None:
    pool = pool_of("a")
    (verdict,) = pool.mark_key_exhausted("a", now=0.0, until=90_000.0, code="daily_cap")
    assert (verdict.status, verdict.until, verdict.code) == (KeyStatus.EXHAUSTED, 90_000.0, "daily_cap")
    assert pool.available_at(FLUX, now=1.0) == 90_000.0


def test_the_snapshot_names_all_that_holds_a_key_and_the_active_ones_too() -> None:
    pool = pool_of("a", "b")
    pool.failed("a", FLUX, THROTTLED_10S, now=0.0)
    pool.failed("a", FLUX, REJECTED, now=0.0)
    pool.get_api_key(FLUX, now=1.0)
    rows = [(view.key_id, view.provider, view.status, view.until, view.in_flight) for view in pool.snapshot(now=1.0)]
    assert rows == [
        ("a", None, KeyStatus.REJECTED, 300.0, 0),
        ("a", FLUX, KeyStatus.COOLING, 10.0, 0),
        ("b", None, KeyStatus.ACTIVE, None, 1),
    ]


# --- keys that change -------------------------------------------------------------------------------------------------


def test_surviving_keys_keep_their_state_and_their_calls() -> None:
    pool = pool_of("a", "b")
    pool.failed("a", FLUX, THROTTLED_10S, now=0.0)
    pool.get_api_key(FLUX, now=0.0)
    pool.replace_entries([KeyEntry("a", "fal"), KeyEntry("b", "fal", weight=2.0), KeyEntry("c", "fal")])
    assert taken(pool, now=1.0) == {"b", "c"}
    assert {view.key_id: view.in_flight for view in pool.snapshot(now=1.0)} == {"a": 0, "b": 1, "c": 0}


def test_a_call_under_way_with_a_removed_key_ends_quietly() -> None:
    pool = pool_of("a")
    pool.get_api_key(FLUX, now=0.0)
    pool.replace_entries([KeyEntry("b", "fal")])
    assert pool.failed("a", FLUX, REJECTED, now=1.0) == ()
    assert pool.succeeded("a", FLUX, started_at=0.0, now=1.0) == ()
    pool.release("a")
    assert taken(pool, now=1.0) == {"b"}


def test_a_key_of_another_vendor_is_refused() -> None:
    with pytest.raises(ValueError, match="openai"):
        pool_of(KeyEntry("a", "openai"))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_must_be_positive(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        KeyEntry("a", "fal", weight=weight)
