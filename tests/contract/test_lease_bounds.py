"""Both lease stores draw every line where the core draws it: a moment is still, or already, on the same side."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.limits.dynamodb import DynamoLimits, ServerDate
from mediarelay.limits.fairness import Line, newcomer_share
from mediarelay.limits.gcra import Acquire, Granted, LimitState
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.learning import cut
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.vocabulary.limit import Limit
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.leases import MemoryLimits
from tests.harness.local_aws import TELEMETRY

P = "openai-tts"
# Two seconds a permit, and a lane of three permits at twenty seconds each.
LIMIT = Limit(0.5, burst=4)
SINGLE = Limit(0.5, burst=1)
SLOTS = Limit(math.inf, slots=2)
# The table keeps microseconds; this is longer.
MOMENT = 1e-3


@pytest.fixture(params=["memory", "dynamodb"])
def leases(request: pytest.FixtureRequest) -> LimitStore:
    if request.param == "memory":
        return MemoryLimits()
    date = ServerDate(ManualClock(), FleetClock())
    return DynamoLimits(request.getfixturevalue("aws").dynamodb, TELEMETRY, date)


# A newcomer share is opened by a call whose tenant is named.
TENANT: Any = {"buckets": ("7",)}


def ask(count: int = 1, *, now: float = EPOCH, within: float = 0.0, **fields: Any) -> Acquire:
    given: dict[str, Any] = {"owner": "acme", "key_id": "k1", "limit": LIMIT, **TENANT, **fields}
    return Acquire(count=count, now=now, not_after=now + within, **given)


def state(leases: LimitStore) -> LimitState:
    return leases.look(P, [["acme"]])["acme"]


@pytest.fixture
def queue(leases: LimitStore) -> LimitState:
    """A queue whose lane is open."""
    assert isinstance(leases.take(P, ask(20, within=600.0)), Granted)
    opened = state(leases)
    assert opened.newcomer_tat is not None
    return opened


def granted(leases: LimitStore, asked: Acquire) -> bool:
    return isinstance(leases.take(P, asked), Granted)


def test_a_permit_may_start_at_the_last_moment_that_is_of_use(leases: LimitStore) -> None:
    leases.take(P, ask(limit=SINGLE))
    assert not granted(leases, ask(limit=SINGLE, within=2.0 - MOMENT))
    assert granted(leases, ask(limit=SINGLE, within=2.0))


def test_a_key_may_be_used_from_the_moment_to_which_it_was_blocked(leases: LimitStore) -> None:
    leases.block(P, "acme", "k1", EPOCH + 30.0)
    assert not granted(leases, ask(now=EPOCH + 30.0 - MOMENT))
    assert granted(leases, ask(now=EPOCH + 30.0))


def test_a_slot_may_be_held_from_the_moment_at_which_it_lapses(leases: LimitStore) -> None:
    held = {"limit": SLOTS, "slots": ("0",)}
    leases.take(P, ask(slots_until=EPOCH + 9.0, **held))
    assert not granted(leases, ask(now=EPOCH + 9.0 - MOMENT, slots_until=EPOCH + 20.0, **held))
    assert granted(leases, ask(now=EPOCH + 9.0, slots_until=EPOCH + 20.0, **held))


@pytest.mark.parametrize(
    ("count", "line", "left"), [(1, Line.NEWCOMER, 2), (1, Line.SURPLUS, 1), (3, Line.NEWCOMER, 0)]
)
def test_a_lane_gives_from_the_moment_at_which_it_has_enough(
    leases: LimitStore, queue: LimitState, count: int, line: Line, left: int
) -> None:
    assert queue.newcomer_tat is not None
    enough = queue.newcomer_tat - left * newcomer_share(LIMIT).interval
    assert not granted(leases, ask(count, now=enough - MOMENT, line=line, seen=queue))
    assert granted(leases, ask(count, now=enough, line=line, seen=queue))


@pytest.mark.parametrize(("count", "line"), [(4, Line.NEWCOMER), (3, Line.SURPLUS)])
def test_a_lane_never_gives_more_than_it_holds(leases: LimitStore, queue: LimitState, count: int, line: Line) -> None:
    assert queue.newcomer_tat is not None
    assert not granted(leases, ask(count, now=queue.newcomer_tat + 600.0, line=line, seen=queue))


def test_a_lane_that_rested_gives_from_full(leases: LimitStore, queue: LimitState) -> None:
    assert queue.newcomer_tat is not None
    now = queue.newcomer_tat + 50.0
    answer = leases.take(P, ask(2, now=now, line=Line.NEWCOMER, seen=queue))
    assert isinstance(answer, Granted)
    assert answer.starts == (now, now)
    assert answer.state.newcomer_tat == pytest.approx(now + 2 * newcomer_share(LIMIT).interval, abs=MOMENT, rel=0.0)


def test_nothing_is_given_from_a_lane_where_there_is_none(leases: LimitStore) -> None:
    assert not granted(leases, ask(line=Line.NEWCOMER))
    leases.take(P, ask())
    assert not granted(leases, ask(line=Line.NEWCOMER, seen=state(leases)))


def test_a_tail_that_is_due_now_is_still_that_of_the_queue(leases: LimitStore, queue: LimitState) -> None:
    at = queue.tat
    longer = replace(queue, tat=at + 60.0)
    answer = leases.take(P, ask(now=at, within=600.0, seen=longer))
    assert isinstance(answer, Granted)
    assert answer.state.newcomer_tat == queue.newcomer_tat


def test_a_tail_that_has_passed_is_that_of_no_queue(leases: LimitStore, queue: LimitState) -> None:
    at = queue.tat + MOMENT
    longer = replace(queue, tat=at + 60.0)
    asked = ask(now=at, within=600.0, seen=longer)
    answer = leases.take(P, asked)
    assert isinstance(answer, Granted)
    assert answer.starts == (at,)
    assert answer.state.tat == pytest.approx(at + asked.advance, abs=MOMENT, rel=0.0)


def test_the_tail_of_a_queue_is_noted_for_the_tenants_in_it(leases: LimitStore) -> None:
    leases.take(P, ask(6, within=60.0, buckets=()))
    before = state(leases)
    answer = leases.take(P, ask(2, within=60.0, seen=before, buckets=("a", "f")))
    assert isinstance(answer, Granted)
    assert answer.state.queued == pytest.approx({"a": answer.state.tat, "f": answer.state.tat})
    assert answer.state.tat > before.tat


def test_everything_an_ask_brings_is_written_in_its_place(leases: LimitStore) -> None:
    grown = LearnedRate(2.0, EPOCH - 50.0, 19.0, 4, EPOCH - 2.0)
    asked = ask(2, limit=replace(LIMIT, slots=9), slots=("0", "7"), slots_until=EPOCH + 60.0, rebase=grown)
    assert granted(leases, asked)
    found = state(leases)
    assert (found.slots, found.pace, found.used, found.epoch) == (
        {"0": EPOCH + 60.0, "7": EPOCH + 60.0},
        grown,
        2,
        0,
    )
    assert found.tat == pytest.approx(EPOCH + 4.0)


def test_a_rate_is_written_down_in_its_own_epoch_and_leaves_it_as_it_is(leases: LimitStore) -> None:
    leases.take(P, ask())
    leases.cut(P, "acme", cut(state(leases), LearnedRate(5.0, EPOCH, None, 4, EPOCH), LIMIT, now=EPOCH, wait=0.0))
    seen, now = state(leases), EPOCH + 60.0
    grown = LearnedRate(6.0, now, None, 5, now)
    assert not granted(leases, ask(now=now, seen=replace(seen, epoch=0), rebase=grown))
    assert granted(leases, ask(now=now, seen=seen, rebase=grown))
    assert (state(leases).epoch, state(leases).pace, state(leases).newcomer_tat) == (1, grown, None)


def test_a_cut_leaves_blocks_slots_and_counts_and_clears_what_was_promised(leases: LimitStore) -> None:
    leases.block(P, "acme", "k2", EPOCH + 30.0)
    leases.take(P, ask(6, within=60.0, slots=("1",), slots_until=EPOCH + 60.0))
    leases.take(P, ask(6, within=60.0, seen=state(leases), buckets=("a",)))
    before = state(leases)
    assert before.queued
    after = cut(before, LearnedRate(5.0, EPOCH, 9.0, 4, EPOCH + 2.0), LIMIT, now=EPOCH + 1, wait=0.5)
    found = leases.cut(P, "acme", after)
    assert (found.blocks, found.slots, found.used) == (before.blocks, before.slots, before.used)
    assert (found.tat, found.throttled_at) == pytest.approx((after.tat, after.throttled_at), abs=MOMENT, rel=0.0)
    assert (found.epoch, found.pace, found.newcomer_tat, found.queued) == (before.epoch + 1, after.pace, None, {})


def test_a_block_that_is_lifted_where_there_is_nothing_leaves_nothing(leases: LimitStore) -> None:
    leases.block(P, "acme", "k1", None)
    leases.release(P, "acme", [("0", EPOCH)])
    assert leases.look(P, [["acme"]]) == {}
