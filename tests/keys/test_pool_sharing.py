from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mediarelay.keys.pool import KeyPool
from mediarelay.keys.states import ENABLED_CODE, KeyStatus, KeyVerdict
from mediarelay.vocabulary.outcome import Failure
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

# --- other workers ----------------------------------------------------------------------------------------------------


def test_a_verdict_of_one_worker_holds_for_another() -> None:
    here, there = pool_of("a", "b"), pool_of("a", "b")
    told = here.failed("a", FLUX, THROTTLED_10S, now=0.0)
    assert there.merge(told, now=0.1) == told
    assert there.merge(told, now=0.2) == ()
    assert taken(there, now=1.0) == {"b"}
    there.merge(here.succeeded("a", FLUX, started_at=2.0, now=3.0), now=3.0)
    assert taken(there, now=3.0) == {"a", "b"}


def test_verdicts_on_unknown_keys_and_other_vendors_are_ignored() -> None:
    pool = pool_of("a")
    (told,) = pool_of("a").failed("a", FLUX, QUOTA, now=0.0)
    strangers = [replace(told, account="z"), replace(told, vendor="openai"), replace(told, key_id="z", spreads=False)]
    assert pool.merge(strangers, now=1.0) == ()
    assert taken(pool, now=1.0) == {"a"}


def test_an_accounts_verdict_holds_although_it_was_seen_with_a_key_we_lack() -> None:
    pool = pool_of(of("acme", "a"))
    pool.merge(pool_of(of("acme", "b")).failed("b", FLUX, QUOTA, now=0.0), now=1.0)
    assert taken(pool, now=1.0) == set()


def test_a_neighbours_success_does_not_enable_a_disabled_key() -> None:
    here, there = pool_of("a"), pool_of("a")
    there.failed("a", FLUX, REJECTED, now=0.0)
    here.merge([operator("a", KeyStatus.DISABLED, now=10.0)], now=10.0)
    here.merge(there.succeeded("a", FLUX, started_at=400.0, now=401.0), now=402.0)
    assert taken(here, now=402.0) == set()


moments = st.integers(0, 8).map(float)
told = st.builds(
    KeyVerdict,
    vendor=st.just("fal"),
    key_id=st.sampled_from("abz"),
    account=st.just("acme"),
    provider=st.sampled_from([None, FLUX]),
    status=st.sampled_from(KeyStatus),
    until=st.none() | moments,
    strikes=st.integers(0, 3),
    code=st.sampled_from(["x", "y", ENABLED_CODE]),
    observed_at=moments,
    spreads=st.booleans(),
)


@settings(deadline=None, max_examples=100)
@given(data=st.data(), verdicts=st.lists(told, max_size=8), now=moments)
def test_merging_is_the_same_in_any_order_and_any_number_of_times(
    data: st.DataObject, verdicts: list[KeyVerdict], now: float
) -> None:
    one, other = (pool_of(of("acme", "a"), of("acme", "b")) for _ in range(2))
    one.merge(verdicts, now=now)
    other.merge(data.draw(st.permutations(verdicts)), now=now)
    other.merge(verdicts[:3], now=now)
    assert one.snapshot(now=now) == other.snapshot(now=now)
    assert one.available_at(FLUX, now=now) == other.available_at(FLUX, now=now)


# --- whatever happens -------------------------------------------------------------------------------------------------

failures = st.builds(
    Failure,
    outcome=st.sampled_from([QUOTA.outcome, REJECTED.outcome, DENIED.outcome, THROTTLED.outcome]),
    code=st.just("x"),
    wait_seconds=st.none() | st.floats(0, 100),
    spreads=st.booleans(),
    certain=st.booleans(),
)
steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([FLUX, AUDIO]), failures | st.none(), st.floats(0, 500)),
    max_size=15,
)


def lived(story: list[tuple[str, str, Failure | None, float]]) -> tuple[KeyPool, float]:
    """A pool after a story of failures and (None) successes, and the moment it ends."""
    pool, now = pool_of(of("acme", "a"), of("acme", "b"), "c"), 0.0
    for key, provider, failure, pause in story:
        now += pause
        if failure is None:
            pool.succeeded(key, provider, started_at=now - pause / 2, now=now)
        else:
            pool.failed(key, provider, failure, now=now)
    return pool, now


@settings(deadline=None, max_examples=60)
@given(story=steps)
def test_available_at_agrees_with_get_api_key(story: list[tuple[str, str, Failure | None, float]]) -> None:
    pool, now = lived(story)
    moment = pool.available_at(FLUX, now=now)
    assert moment is not None
    assert (moment == now) == (pool.usable(FLUX, now=now) > 0)
    if moment > now:
        assert taken(pool, now=now) == taken(pool, now=(now + moment) / 2) - taken(pool, now=moment) == set()
    assert taken(pool, now=moment)


@settings(deadline=None, max_examples=60)
@given(story=steps, later=st.floats(0, 4000))
def test_no_key_is_returned_before_the_deadline_of_anything_that_holds_it(
    story: list[tuple[str, str, Failure | None, float]], later: float
) -> None:
    pool, now = lived(story)
    now += later
    held = {
        view.key_id
        for view in pool.snapshot(now=now)
        if view.provider in (None, FLUX) and view.until is not None and view.until > now
    }
    assert taken(pool, now=now).isdisjoint(held)


@settings(deadline=None, max_examples=60)
@given(story=steps)
def test_a_key_rejected_for_good_is_never_returned(story: list[tuple[str, str, Failure | None, float]]) -> None:
    pool, now = lived([step for step in story if step[2] is not None])
    assume(now < 1e6)
    pool.merge([operator("a", KeyStatus.DISABLED, now=now)], now=now)
    pool.merge([replace(operator("b", KeyStatus.REJECTED, now=now + 1), code="x")], now=now)
    assert taken(pool, now=now + 1e9) <= {"c"}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 9), st.sampled_from([FLUX, AUDIO])), max_size=20))
def test_the_happy_path_tells_nobody_anything(calls: list[tuple[float, str]]) -> None:
    pool, now = pool_of(of("acme", "a"), "b"), 0.0
    for pause, provider in calls:
        entry = pool.get_api_key(provider, now=now)
        assert entry is not None
        assert pool.succeeded(entry.key_id, provider, started_at=now, now=now + pause) == ()
        pool.release(entry.key_id)
        now += pause
