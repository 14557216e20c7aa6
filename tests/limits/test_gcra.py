"""The vendor's bucket never refuses what was leased, whatever the order and the moment of the asks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.fairness import Line, newcomer_phase, newcomer_share, tenant_bucket
from mediarelay.limits.gcra import (
    WHOLE_ACCOUNT,
    Acquire,
    Answer,
    Denied,
    Granted,
    LimitState,
    acquire,
)
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.learning import cut
from mediarelay.vocabulary.limit import MARGIN_SECONDS, Limit
from tests.doubles.clock import EPOCH
from tools.simulator.state.limits import TokenBucket

LIMIT = Limit(10.0, burst=8)
NEW = LimitState()


# A newcomer share is opened by a call whose tenant is named.
TENANT: Any = {"buckets": ("7",)}


def ask(state: LimitState, count: int = 1, *, at: float = 0.0, within: float = 0.0, **fields: Any) -> Acquire:
    given_: dict[str, Any] = {"owner": "acme", "key_id": "k1", "limit": LIMIT, "seen": state, **TENANT, **fields}
    return Acquire(count=count, now=EPOCH + at, not_after=EPOCH + at + within, **given_)


def granted(answer: Answer) -> Granted:
    assert isinstance(answer, Granted)
    return answer


def queued(seconds: float, limit: Limit = LIMIT) -> LimitState:
    """A state with a queue of so many seconds, its lane open."""
    state = NEW
    while state.tat - limit.tolerance - EPOCH < seconds:
        state = granted(acquire(state, ask(state, limit=limit, within=600.0))).state
    return state


@pytest.mark.parametrize(
    ("rate", "burst", "slots"), [(0.0, 1, None), (-1.0, 1, None), (math.nan, 1, None), (1.0, 0, None), (1.0, 1, 0)]
)
def test_what_is_no_limit_is_refused(rate: float, burst: int, slots: int | None) -> None:
    with pytest.raises(ValueError, match="not a limit"):
        Limit(rate, burst, slots)


def test_permits_of_a_burst_are_all_for_now_but_for_the_margin() -> None:
    starts = granted(acquire(NEW, ask(NEW, 8, within=1.0))).starts
    spared = round(MARGIN_SECONDS / LIMIT.interval)
    assert [start - EPOCH for start in starts[:-spared]] == pytest.approx([0.0] * (8 - spared), abs=1e-4)
    assert starts[7] - EPOCH == pytest.approx(0.2, abs=1e-4)


def test_a_small_burst_keeps_most_of_itself() -> None:
    assert Limit(10.0, burst=3).tolerance == pytest.approx(0.12)
    assert Limit(10.0, burst=1).tolerance == 0.0


def test_an_ask_is_granted_whole_or_not_at_all() -> None:
    answer = acquire(NEW, ask(NEW, 9))
    assert isinstance(answer, Denied)
    assert answer.state is NEW


def test_permits_beyond_the_burst_are_promised_at_the_rate() -> None:
    first = granted(acquire(NEW, ask(NEW, 8, within=1.0))).state
    starts = granted(acquire(first, ask(first, 3, within=1.0))).starts
    assert starts == pytest.approx([EPOCH + 0.2 + 0.1 * number for number in (1, 2, 3)])


def test_concurrency_alone_does_not_move_the_rate() -> None:
    limit = Limit(math.inf, slots=2)
    state = granted(acquire(NEW, ask(NEW, 2, limit=limit, slots=("0", "1"), slots_until=EPOCH + 9))).state
    assert list(state.free_slots(limit, EPOCH)) == []
    assert list(state.free_slots(limit, EPOCH + 9)) == ["0", "1"]


def test_a_queue_opens_the_lane_at_its_owners_phase_and_behind_what_was_promised_at_the_full_rate() -> None:
    seen = granted(acquire(NEW, ask(NEW, 10, within=600.0))).state
    opening = ask(seen, 8, within=600.0)
    assert (seen.newcomer_tat, opening.opens) == (None, True)
    opened = granted(acquire(seen, opening)).state
    assert opened.newcomer_tat is not None
    reservation_of = seen.tat - LIMIT.tolerance
    first = opened.newcomer_tat - (newcomer_share(LIMIT).burst - 1) * newcomer_share(LIMIT).interval
    paid_for = opened.tat - LIMIT.tolerance
    assert first == pytest.approx(
        max(reservation_of + (1.0 - newcomer_phase(opening.owner)) * newcomer_share(LIMIT).interval, paid_for)
    )
    assert replace(opened, tat=first + 9).newcomer_level(LIMIT, first - 0.01) == 0
    assert replace(opened, tat=first + 9).newcomer_level(LIMIT, first) == 1


def test_what_a_lane_holds_from_the_beginning_is_paid_once() -> None:
    opening = ask(NEW, 20, within=600.0)
    opened = granted(acquire(NEW, opening)).state
    phase = newcomer_phase(opening.owner) * LIMIT.interval
    assert 0.0 < phase < LIMIT.interval
    assert opened.tat - EPOCH == pytest.approx(20 * newcomer_share(LIMIT).queue_interval + phase)
    more = granted(acquire(opened, ask(opened, 2, within=600.0))).state
    assert (more.newcomer_tat, more.tat) == (
        opened.newcomer_tat,
        pytest.approx(opened.tat + 2 * newcomer_share(LIMIT).queue_interval),
    )


def test_the_lanes_of_many_owners_have_their_first_permits_at_all_times() -> None:
    slow = Limit(1.0, burst=2)
    firsts = []
    for number in range(200):
        opened = granted(acquire(NEW, ask(NEW, 4, owner=f"{number:03d}", limit=slow, within=600.0))).state
        assert opened.newcomer_tat is not None
        firsts.append(opened.newcomer_tat - EPOCH)
    for second in range(5, 10):
        assert 10 <= sum(second <= first < second + 1 for first in firsts) <= 30


def test_who_does_not_know_the_tail_does_not_open_the_lane() -> None:
    known = granted(acquire(NEW, ask(NEW, 10, within=600.0))).state
    moved = granted(acquire(known, ask(known, within=600.0))).state
    assert ask(known, 8, within=600.0).opens
    assert isinstance(acquire(moved, ask(known, 8, within=600.0)), Denied)


def test_where_no_tenant_is_named_nothing_is_kept_for_newcomers() -> None:
    opened = granted(acquire(NEW, ask(NEW, 60, within=600.0, buckets=()))).state
    assert opened.newcomer_tat is None
    assert opened.tat - EPOCH == pytest.approx(60 * LIMIT.interval)
    more = granted(acquire(opened, ask(opened, 2, within=600.0, buckets=()))).state
    assert more.tat - opened.tat == pytest.approx(2 * LIMIT.interval)


def test_who_names_no_tenant_pays_for_a_share_that_is_open_and_never_passes_it_unseen() -> None:
    before = granted(acquire(NEW, ask(NEW, 60, within=600.0, buckets=()))).state
    opened = granted(acquire(before, ask(before, within=600.0))).state
    assert opened.newcomer_tat is not None
    unseen = acquire(opened, ask(before, within=600.0, buckets=()))
    assert isinstance(unseen, Denied)
    priced = granted(acquire(opened, ask(opened, within=600.0, buckets=()))).state
    assert priced.newcomer_tat == opened.newcomer_tat
    assert priced.tat - opened.tat == pytest.approx(newcomer_share(LIMIT).queue_interval)


def test_a_lifetime_is_noted_with_what_queues_and_forgotten_with_a_cut() -> None:
    state = granted(acquire(NEW, ask(NEW, 60, within=600.0, buckets=(), marks=("within32",)))).state
    assert dict(state.queued) == {"within32": state.tat}
    assert not cut(state, LearnedRate(5.0, EPOCH, None, 0, EPOCH), LIMIT, now=EPOCH, wait=0.1).queued


def test_of_slow_keys_one_call_that_waits_is_no_queue() -> None:
    slow = Limit(0.1, burst=2)
    waiting = granted(acquire(NEW, ask(NEW, 2, limit=slow, within=600.0))).state
    assert (waiting.newcomer_tat, waiting.queueing(slow, EPOCH)) == (None, False)
    assert waiting.queueing(slow, EPOCH, taking=2)


def test_a_plan_expects_the_moments_at_which_permits_are_granted() -> None:
    for count in range(1, 20):
        opening = ask(NEW, count, within=600.0, buckets=())
        assert NEW.starts(LIMIT, count, EPOCH)[-1] == pytest.approx(granted(acquire(NEW, opening)).starts[-1])


def test_a_tenant_that_queues_leaves_the_lanes_last_permit_to_one_that_does_not() -> None:
    state = replace(queued(30.0), newcomer_tat=EPOCH + 15.0)
    at = 15.0 - 2 * newcomer_share(LIMIT).interval
    assert isinstance(acquire(state, ask(state, at=at, line=Line.SURPLUS)), Denied)
    assert isinstance(acquire(state, ask(state, at=at, line=Line.NEWCOMER)), Granted)


def test_a_lane_stays_open_until_nobody_queues() -> None:
    opened = queued(2.0)
    tail = opened.tat - LIMIT.tolerance
    assert opened.queueing(LIMIT, tail - 0.5)
    assert not replace(opened, newcomer_tat=None).queueing(LIMIT, tail - 0.5), "it opens at a whole second"
    assert not opened.queueing(LIMIT, tail)


def test_an_idle_owner_has_no_lane() -> None:
    state = queued(2.0)
    later = granted(acquire(state, ask(state, at=600.0))).state
    assert later.newcomer_tat is None


@pytest.mark.parametrize("name", ["k1", WHOLE_ACCOUNT])
def test_a_blocked_key_gets_nothing(name: str) -> None:
    state = replace(NEW, blocks={name: EPOCH + 5})
    assert isinstance(acquire(state, ask(state)), Denied)
    assert isinstance(acquire(state, ask(state, key_id="k2")), Denied if name == WHOLE_ACCOUNT else Granted)


def test_a_cut_voids_promises_and_starts_behind_the_calls_that_are_about_to_be_made() -> None:
    state = queued(30.0)
    after = cut(state, LearnedRate(5.0, EPOCH, None, 0, EPOCH), LIMIT, now=EPOCH, wait=0.1)
    assert (after.epoch, after.newcomer_tat, dict(after.queued)) == (state.epoch + 1, None, {})
    start = after.tat - LIMIT.tolerance
    assert start == pytest.approx(EPOCH + 0.3 + 0.6)


def test_a_vendors_wait_is_kept() -> None:
    after = cut(NEW, LearnedRate(5.0, EPOCH, None, 0, EPOCH), LIMIT, now=EPOCH, wait=20.0)
    assert after.starts(LIMIT, 1, EPOCH) == pytest.approx([EPOCH + 20.0])


def test_a_tenant_falls_into_one_of_few_buckets() -> None:
    assert {len(tenant_bucket(f"tenant-{number}")) for number in range(100)} == {1}


calls = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.floats(0.0, 2.0),
        st.sampled_from([0.0, 0.3, 3.0, 30.0]),
        st.sampled_from([Line.TAIL, Line.TAIL, Line.NEWCOMER, Line.SURPLUS]),
        st.floats(0.0, 1.0),
        st.booleans(),
        st.sampled_from([(), ("7",)]),
    ),
    max_size=60,
)


@given(calls, st.sampled_from([1, 2, 5, 8, 20]), st.sampled_from(["acme", "000", "001", "002", "003"]))
def test_a_bucket_of_the_vendors_never_refuses_what_was_leased(asks: Any, burst: int, owner: str) -> None:
    """Even when every promised call comes late, by any part of its grace."""
    limit = Limit(10.0, burst)
    grace = newcomer_share(limit).grace
    state, now, made = NEW, 0.0, []
    for count, pause, within, line, late, stale, buckets in asks:
        now += pause
        asked = {"at": now, "within": within, "limit": limit, "line": line, "owner": owner, "buckets": buckets}
        answer = acquire(state, ask(NEW if stale else state, count, **asked))
        state = answer.state
        if isinstance(answer, Granted):
            made += [start - EPOCH + (late * grace if start > EPOCH + now + 1e-6 else 0.0) for start in answer.starts]
    bucket = TokenBucket(10.0, burst, 0.0)
    # A float holds unix seconds to a quarter of a microsecond; the bucket counts from zero and sees the difference.
    moments = [moment + 1e-6 * number for number, moment in enumerate(sorted(made))]
    assert [bucket.take(moment) for moment in moments] == [0.0] * len(made)
