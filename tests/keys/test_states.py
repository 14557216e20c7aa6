from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.keys.ledger import SHORTEST_WAIT_SECONDS, KeyFailure, Penalty, ScopeRecord, believed, penalty
from mediarelay.keys.states import (
    DISABLED_CODE,
    ENABLED_CODE,
    EVENT_OF,
    TRANSITIONS,
    IllegalMove,
    KeyEvent,
    KeyStatus,
    KeyVerdict,
    Scope,
    moved,
)


def dice(seed: int = 1) -> Random:
    return Random(seed)


S, E = KeyStatus, KeyEvent
FAILURES = set(EVENT_OF.values())


def verdict(status: KeyStatus = S.COOLING, *, at: float = 10.0, until: float | None = 20.0, **rest: Any) -> KeyVerdict:
    blank = KeyVerdict("fal", "key-a", "acme", "fal-flux", status, until, 1, "slow_down", at, spreads=True)
    return replace(blank, **rest)


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "event", "target"),
    [
        (S.ACTIVE, E.THROTTLED, S.COOLING),
        (S.ACTIVE, E.QUOTA_EXHAUSTED, S.EXHAUSTED),
        (S.ACTIVE, E.KEY_REJECTED, S.REJECTED),
        (S.ACTIVE, E.PERMISSION_DENIED, S.REJECTED),
        (S.ACTIVE, E.DISABLED, S.DISABLED),
        (S.COOLING, E.WAITED, S.ACTIVE),
        (S.COOLING, E.SUCCEEDED, S.ACTIVE),
        (S.EXHAUSTED, E.WAITED, S.ACTIVE),
        (S.EXHAUSTED, E.THROTTLED, S.EXHAUSTED),
        (S.EXHAUSTED, E.KEY_REJECTED, S.REJECTED),
        (S.REJECTED, E.SUCCEEDED, S.ACTIVE),
        (S.REJECTED, E.QUOTA_EXHAUSTED, S.EXHAUSTED),
        (S.DISABLED, E.SUCCEEDED, S.DISABLED),
        (S.DISABLED, E.KEY_REJECTED, S.DISABLED),
        (S.DISABLED, E.ENABLED, S.ACTIVE),
    ],
)
def test_a_listed_move_leads_where_the_table_says(status: KeyStatus, event: KeyEvent, target: KeyStatus) -> None:
    assert moved(status, event) is target


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (S.ACTIVE, E.WAITED),
        (S.ACTIVE, E.ENABLED),
        (S.COOLING, E.ENABLED),
        (S.REJECTED, E.WAITED),
        (S.DISABLED, E.WAITED),
        (S.DISABLED, E.DISABLED),
    ],
)
def test_an_unlisted_move_is_loud_and_says_which_it_was(status: KeyStatus, event: KeyEvent) -> None:
    with pytest.raises(IllegalMove) as caught:
        moved(status, event)
    assert (caught.value.status, caught.value.event) == (status, event)


def test_only_an_operator_brings_a_disabled_key_back() -> None:
    assert [event for event in E if TRANSITIONS.get((S.DISABLED, event), S.DISABLED) is not S.DISABLED] == [E.ENABLED]


def test_every_status_has_a_move_for_whatever_a_vendor_may_answer() -> None:
    assert all((status, event) in TRANSITIONS for status, event in product(S, FAILURES | {E.SUCCEEDED}))


def test_no_failure_makes_a_status_better() -> None:
    better = [
        (status, event)
        for status, event in product(S, FAILURES)
        if moved(status, event).severity < status.severity and (status, event) != (S.REJECTED, E.QUOTA_EXHAUSTED)
    ]
    assert better == []  # the one exception: a vendor that speaks of quota has recognised the key


# --- verdicts and standings -------------------------------------------------------------------------------------------


def test_a_verdict_that_spreads_is_about_the_account_and_another_about_the_key() -> None:
    assert verdict().scope == Scope(spreads=True, owner="acme", provider="fal-flux")
    assert verdict(spreads=False, provider=None).scope == Scope(spreads=False, owner="key-a", provider=None)


def test_a_clear_standing_is_active_and_ready() -> None:
    assert ScopeRecord().status_at(0.0) is S.ACTIVE
    assert ScopeRecord().ready_at == -math.inf


def test_cooling_ends_at_its_deadline_and_not_before() -> None:
    known = ScopeRecord().joined(verdict(until=20.0))
    assert known.status_at(19.999) is S.COOLING
    assert known.status_at(20.0) is S.ACTIVE


def test_a_rejected_key_stays_rejected_past_its_deadline() -> None:
    known = ScopeRecord().joined(verdict(S.REJECTED, until=20.0))
    assert known.status_at(1e9) is S.REJECTED
    assert known.ready_at == 20.0


def test_a_verdict_without_a_deadline_waits_for_somebody() -> None:
    known = ScopeRecord().joined(verdict(S.EXHAUSTED, until=None))
    assert known.status_at(1e12) is S.EXHAUSTED
    assert known.verdict == verdict(S.EXHAUSTED, until=None)


def test_a_newer_verdict_with_an_earlier_deadline_does_not_shorten_it() -> None:
    known = ScopeRecord().joined(verdict(at=10, until=90)).joined(verdict(at=20, until=30, strikes=2))
    assert known.verdict == verdict(at=20, until=90, strikes=2)


def test_a_clearing_removes_what_was_observed_before_it_and_nothing_newer() -> None:
    known = ScopeRecord().joined(verdict(at=10, until=90)).joined(verdict(at=20, until=30))
    assert known.cleared(15.0).verdict == verdict(at=20, until=30)
    assert known.cleared(20.0).verdict == verdict(at=20, until=30)
    assert known.cleared(20.5).verdict is None


def test_a_verdict_that_arrives_after_its_clearing_does_not_count() -> None:
    assert ScopeRecord().cleared(15.0).joined(verdict(at=10)).verdict is None


def test_the_newest_status_wins() -> None:
    known = ScopeRecord().joined(verdict(S.REJECTED, at=20, until=320)).joined(verdict(S.EXHAUSTED, at=10, until=3610))
    assert known.verdict == verdict(S.REJECTED, at=20, until=320)


def test_no_vendor_and_no_success_outvotes_an_operator() -> None:
    disabled = ScopeRecord().joined(verdict(S.DISABLED, at=10, until=None, code=DISABLED_CODE))
    for later in (verdict(S.REJECTED, at=20), verdict(S.ACTIVE, at=30, until=None, code="")):
        assert disabled.joined(later).status_at(40.0) is S.DISABLED


def test_a_vendors_marker_that_reads_like_an_operators_word_enables_nothing() -> None:
    disabled = ScopeRecord().joined(verdict(S.DISABLED, at=10, until=None))
    assert disabled.joined(verdict(S.COOLING, at=20, code=ENABLED_CODE)).status_at(30.0) is S.DISABLED


def test_a_disabled_key_shows_no_deadline_since_none_would_bring_it_back() -> None:
    known = ScopeRecord().joined(verdict(S.DISABLED, at=10, until=15.0))
    assert known.verdict == verdict(S.DISABLED, at=10, until=None)
    assert known.ready_at == math.inf


def test_enabling_clears_what_lay_beneath() -> None:
    known = ScopeRecord().joined(verdict(S.DISABLED, at=10, until=None)).joined(verdict(S.REJECTED, at=20, until=None))
    assert known.joined(verdict(S.ACTIVE, at=30, until=None, code=ENABLED_CODE)).status_at(40.0) is S.ACTIVE


def test_a_new_verdict_is_dated_after_all_that_was_seen_even_by_a_slow_clock() -> None:
    known = ScopeRecord().joined(verdict(at=10.0))
    assert known.after(50.0) == 50.0
    assert known.after(9.0) > 10.0
    assert ScopeRecord().after(3.0) == 3.0


moments = st.integers(0, 6).map(float)
verdicts = st.builds(
    verdict,
    status=st.sampled_from(S),
    at=moments,
    until=st.none() | moments,
    strikes=st.integers(0, 2),
    code=st.sampled_from(["slow_down", ENABLED_CODE]),
)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), heard=st.lists(verdicts, max_size=7), now=moments)
def test_the_order_and_number_of_verdicts_joined_make_no_difference(
    data: st.DataObject, heard: list[KeyVerdict], now: float
) -> None:
    def record(told: list[KeyVerdict]) -> ScopeRecord:
        known = ScopeRecord()
        for each in told:
            known = known.joined(each)
        return known

    shuffled = data.draw(st.permutations(heard + heard[:2]))
    assert record(heard).verdict == record(shuffled).verdict
    assert record(heard).effect_at(now) == record(shuffled).effect_at(now)


# --- how long ---------------------------------------------------------------------------------------------------------


def served(event: KeyEvent, strikes: int) -> list[float]:
    """Seconds benched at each of so many consecutive strikes, each right after the last was served."""
    known, now, terms = ScopeRecord(), 0.0, []
    for _ in range(strikes):
        found = penalty(known, KeyFailure(event, None, "x"), now=now, rng=dice(1))
        terms.append(found.until - now)
        known = known.joined(verdict(found.status, at=now, until=found.until, strikes=found.strikes))
        now = found.until
    return terms


@pytest.mark.parametrize(
    ("event", "terms"),
    [
        (E.QUOTA_EXHAUSTED, [3600, 7200, 14400, 21600, 21600]),
        (E.KEY_REJECTED, [300, 600, 1200, 2400, 3600, 3600]),
        (E.PERMISSION_DENIED, [3600, 3600]),
    ],
)
def test_terms_grow_with_each_strike_up_to_a_cap(event: KeyEvent, terms: list[float]) -> None:
    assert served(event, len(terms)) == terms


def test_cooling_doubles_from_five_seconds_to_a_minute_with_jitter_between_half_and_whole() -> None:
    for whole, term in zip([5, 10, 20, 40, 60, 60], served(E.THROTTLED, 6), strict=True):
        assert whole / 2 <= term <= whole


def test_a_failure_of_a_call_already_under_way_is_no_new_strike() -> None:
    known = ScopeRecord().joined(verdict(at=10, until=20, strikes=1))
    assert penalty(known, KeyFailure(E.THROTTLED, None, "x"), now=11.0, rng=dice(1)) == Penalty(S.COOLING, 20, 1)


def test_a_wait_the_vendor_named_extends_a_running_sentence_and_never_shortens_it() -> None:
    known = ScopeRecord().joined(verdict(at=10, until=20, strikes=1))
    assert penalty(known, KeyFailure(E.THROTTLED, 30.0, "x"), now=11.0, rng=dice(1)) == Penalty(S.COOLING, 41, 1)
    assert penalty(known, KeyFailure(E.THROTTLED, 1.0, "x"), now=11.0, rng=dice(1)) == Penalty(S.COOLING, 20, 1)


def test_a_brief_sentence_does_not_grow() -> None:
    known = ScopeRecord().joined(verdict(at=10, until=20, strikes=9))
    found = penalty(known, KeyFailure(E.THROTTLED, None, "x", brief=True), now=30.0, rng=dice(1))
    assert found.until <= 35.0


@pytest.mark.parametrize(
    ("event", "said", "seconds"),
    [
        (E.THROTTLED, 12.5, 12.5),
        (E.THROTTLED, 0.0, SHORTEST_WAIT_SECONDS),
        (E.THROTTLED, -3.0, SHORTEST_WAIT_SECONDS),
        (E.THROTTLED, 1e9, 3600.0),
        (E.THROTTLED, None, None),
        (E.QUOTA_EXHAUSTED, 7200.0, 7200.0),
        (E.QUOTA_EXHAUSTED, 1e9, 21600.0),
        (E.KEY_REJECTED, 5.0, None),
        (E.PERMISSION_DENIED, 5.0, None),
    ],
)
def test_a_vendors_wait_is_believed_within_bounds(event: KeyEvent, said: float | None, seconds: float | None) -> None:
    assert believed(event, said) == seconds
