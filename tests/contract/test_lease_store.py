"""Both lease stores mean by an ask what the core means by it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediarelay.limits.acquiring import Note
from mediarelay.limits.dynamodb import DynamoLimits, ServerDate
from mediarelay.limits.fairness import Line
from mediarelay.limits.gcra import REST, WHOLE_ACCOUNT, Acquire, Denied, Granted, LimitState, acquire
from mediarelay.limits.learned_rate import LearnedRate, watching
from mediarelay.limits.learning import cut
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.limit import Limit
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.leases import MemoryLimits
from tests.harness.local_aws import TELEMETRY, LocalAws
from tools.bench.costs.item_size import item_bytes
from tools.simulation.aws.stores import CountedLimits

LIMIT = Limit(10.0, burst=5)
P = "openai-tts"
EMPTY = LimitState()
owners = itertools.count()


def dynamo(client: Any) -> DynamoLimits:
    return DynamoLimits(client, TELEMETRY, ServerDate(ManualClock(), FleetClock()))


@pytest.fixture(params=["memory", "counted", "dynamodb"])
def leases(request: pytest.FixtureRequest) -> LimitStore:
    if request.param in {"memory", "counted"}:
        return MemoryLimits() if request.param == "memory" else CountedLimits()
    return dynamo(request.getfixturevalue("aws").dynamodb)


# A newcomer share is opened by a call whose tenant is named.
TENANT: Any = {"buckets": ("7",)}


def ask(count: int = 1, *, at: float = 0.0, within: float = 0.0, **fields: Any) -> Acquire:
    given_: dict[str, Any] = {"owner": "acme", "key_id": "k1", "limit": LIMIT, **TENANT, **fields}
    return Acquire(count=count, now=EPOCH + at, not_after=EPOCH + at + within, **given_)


def close(one: LimitState, other: LimitState) -> bool:
    """Equal but for the last microseconds, and for what has passed and so means nothing."""
    numbers = [
        (one.tat, other.tat),
        (one.newcomer_tat or 0.0, other.newcomer_tat or 0.0),
        (one.throttled_at, other.throttled_at),
    ]
    maps = [(one.blocks, other.blocks), (one.queued, other.queued), (one.slots, other.slots)]
    same = all(left.keys() == right.keys() for left, right in maps)
    numbers += [(left[name], right[name]) for left, right in maps if same for name in left]
    return (
        same
        and (one.epoch, one.used, one.newcomer_tat is None) == (other.epoch, other.used, other.newcomer_tat is None)
        and all(math.isclose(left, right, abs_tol=1e-4, rel_tol=0.0) for left, right in numbers)
    )


def test_an_owner_nobody_asked_for_has_no_item(leases: LimitStore) -> None:
    assert leases.look(P, [["acme"]]) == {}


def test_a_burst_is_granted_and_one_permit_more_refused_with_the_state(leases: LimitStore) -> None:
    granted = leases.take(P, ask(3))
    assert isinstance(granted, Granted)
    assert granted.starts == (EPOCH,) * 3
    refused = leases.take(P, ask(2))
    assert isinstance(refused, Denied)
    assert refused.state.tat == pytest.approx(EPOCH + 0.3, abs=1e-4, rel=0.0)


def test_a_permit_ahead_is_a_promise(leases: LimitStore) -> None:
    leases.take(P, ask(3))
    promised = leases.take(P, ask(3, within=60.0))
    assert isinstance(promised, Granted)
    first = 0.3 - LIMIT.tolerance
    ahead = [start - EPOCH for start in promised.starts]
    assert ahead == pytest.approx([first, first + 0.1, first + 0.2], abs=1e-4)


@pytest.mark.parametrize("before", [0, 8])
def test_a_queue_opens_its_lane_where_the_ask_says(leases: LimitStore, before: int) -> None:
    if before:
        leases.take(P, ask(before, within=60.0))
    seen = leases.look(P, [["acme"]]).get("acme", EMPTY)
    opening = ask(14, within=60.0, seen=seen)
    granted = leases.take(P, opening)
    assert isinstance(granted, Granted)
    assert granted.starts == pytest.approx(opening.starts(seen.tat), abs=1e-4, rel=0.0)
    assert granted.state.newcomer_tat == pytest.approx(opening.newcomer_opening, abs=1e-4, rel=0.0)
    assert granted.state.tat == pytest.approx(max(seen.tat, EPOCH) + opening.advance, abs=1e-4, rel=0.0)


def test_a_queue_without_tenants_has_no_lane_and_none_is_passed_unseen(leases: LimitStore) -> None:
    nobody = {"within": 60.0, "buckets": ()}
    first = leases.take(P, ask(20, **nobody, marks=("within64",)))
    assert isinstance(first, Granted)
    assert first.state.newcomer_tat is None
    assert dict(first.state.queued) == pytest.approx({"within64": first.state.tat})
    opened = leases.take(P, ask(1, within=60.0, seen=first.state))
    assert isinstance(opened, Granted)
    assert opened.state.newcomer_tat is not None
    unseen = leases.take(P, ask(1, **nobody, seen=first.state))
    assert isinstance(unseen, Denied)
    priced = leases.take(P, ask(1, **nobody, seen=unseen.state))
    assert isinstance(priced, Granted)
    assert priced.state.newcomer_tat == pytest.approx(opened.state.newcomer_tat)
    cut_state = leases.cut(P, "acme", replace(priced.state, epoch=1, newcomer_tat=None, queued={}))
    assert not cut_state.queued


def test_who_does_not_know_the_tail_opens_no_lane(leases: LimitStore) -> None:
    leases.take(P, ask(8, within=60.0))
    refused = leases.take(P, ask(14, within=60.0))
    assert isinstance(refused, Denied)
    assert isinstance(leases.take(P, ask(14, within=60.0, seen=refused.state)), Granted)


def test_a_wrong_guess_of_the_state_costs_nothing_but_a_write(leases: LimitStore) -> None:
    leases.take(P, ask(3))
    passed = ask(1, at=100.0, seen=replace(EMPTY, tat=EPOCH + 500.0))
    assert isinstance(leases.take(P, passed), Granted)


def test_owners_and_providers_are_kept_apart(leases: LimitStore) -> None:
    leases.take(P, ask(3))
    leases.take(P, ask(2, owner="other"))
    leases.take("fal-flux", ask(1))
    found = leases.look(P, [["acme", "other"]])
    assert {name: state.used for name, state in found.items()} == {"acme": 3, "other": 2}


def test_a_look_reads_a_range_and_what_lies_beside_it(leases: LimitStore) -> None:
    for name in ("*", "a", "b", "c", "d"):
        leases.take(P, ask(owner=name))
    assert set(leases.look(P, [["b", "c"]])) == {"b", "c"}
    assert set(leases.look(P, [["b", "c"], ["*"]])) == {"b", "c", "*"}


@pytest.mark.parametrize("blocked", ["k1", WHOLE_ACCOUNT])
def test_a_blocked_key_is_refused_until_the_moment(leases: LimitStore, blocked: str) -> None:
    leases.block(P, "acme", blocked, EPOCH + 30.0)
    assert isinstance(leases.take(P, ask()), Denied)
    assert isinstance(leases.take(P, ask(at=30.0)), Granted)


def test_a_block_is_lifted(leases: LimitStore) -> None:
    leases.block(P, "acme", "k1", EPOCH + 30.0)
    leases.block(P, "acme", "k1", None)
    leases.block(P, "acme", "k1", None)
    assert isinstance(leases.take(P, ask()), Granted)


def test_another_key_of_the_account_goes_on(leases: LimitStore) -> None:
    leases.block(P, "acme", "k1", EPOCH + 30.0)
    assert isinstance(leases.take(P, ask(key_id="k2")), Granted)


# The table keeps fifty slots in an item.
PLACES = {"one item": ("0", "1"), "an item of their own": ("70", "71"), "two items": ("149", "150")}


@pytest.mark.parametrize(("one", "other"), PLACES.values(), ids=PLACES)
def test_a_slot_is_held_until_released_or_lapsed(leases: LimitStore, one: str, other: str) -> None:
    limit = Limit(math.inf, slots=200)
    first = ask(2, limit=limit, slots=(one, other), slots_until=EPOCH + 60.0)
    assert isinstance(leases.take(P, first), Granted)
    again = ask(1, limit=limit, slots=(other,), slots_until=EPOCH + 61.0)
    assert isinstance(leases.take(P, again), Denied)
    leases.release(P, "acme", [(other, EPOCH + 60.0)])
    assert isinstance(leases.take(P, again), Granted)
    lapsed = ask(1, at=60.5, limit=limit, slots=(one,), slots_until=EPOCH + 99.0)
    assert isinstance(leases.take(P, lapsed), Granted)


@pytest.mark.parametrize("slot", ["0", "70"])
def test_a_late_release_does_not_take_the_slot_from_its_next_holder(leases: LimitStore, slot: str) -> None:
    limit = Limit(math.inf, slots=100)
    leases.take(P, ask(limit=limit, slots=(slot,), slots_until=EPOCH + 10.0))
    leases.take(P, ask(at=11.0, limit=limit, slots=(slot,), slots_until=EPOCH + 21.0))
    leases.release(P, "acme", [(slot, EPOCH + 10.0)])
    assert isinstance(leases.take(P, ask(at=12.0, limit=limit, slots=(slot,), slots_until=EPOCH + 22.0)), Denied)


@pytest.mark.parametrize(("one", "other"), PLACES.values(), ids=PLACES)
def test_of_several_slots_all_are_held_or_none(leases: LimitStore, one: str, other: str) -> None:
    limit = Limit(math.inf, slots=200)
    leases.take(P, ask(limit=limit, slots=(other,), slots_until=EPOCH + 60.0))
    refused = leases.take(P, ask(3, limit=limit, slots=("5", one, other), slots_until=EPOCH + 61.0))
    assert isinstance(refused, Denied)
    assert refused.state.slots[other] == EPOCH + 60.0
    assert leases.look(P, [["acme"]])["acme"].slots == {other: EPOCH + 60.0}


@pytest.mark.parametrize(("one", "other"), PLACES.values(), ids=PLACES)
def test_a_slot_is_given_back_where_there_is_no_permit(leases: LimitStore, one: str, other: str) -> None:
    leases.take(P, ask(3))
    held = {"limit": replace(LIMIT, slots=200), "slots": (one, other), "slots_until": EPOCH + 60.0}
    assert isinstance(leases.take(P, ask(5, **held)), Denied)
    assert leases.look(P, [["acme"]])["acme"].slots == {}
    assert isinstance(leases.take(P, ask(2, at=9.0, **held)), Granted)


@given(st.lists(st.tuples(st.sets(st.sampled_from(range(0, 200, 25)), max_size=3), st.booleans()), max_size=12))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_slots_in_several_items_are_those_of_the_core(aws: LocalAws, moves: Any) -> None:
    owner, limit = f"owner-{next(owners)}", Limit(math.inf, slots=200)
    stores: list[LimitStore] = [MemoryLimits(), dynamo(aws.dynamodb)]
    for at, (numbers, gives_back) in enumerate(moves):
        slots = tuple(map(str, sorted(numbers)))
        seen = stores[0].look(P, [[owner]]).get(owner, EMPTY)
        asked = ask(
            len(slots) or 1, owner=owner, at=at, limit=limit, seen=seen, slots=slots, slots_until=EPOCH + at + 4.5
        )
        expected, got = (store.take(P, asked) for store in stores)
        assert type(got) is type(expected)
        if isinstance(got, Granted):
            assert close(standing(got.state, asked.now), standing(expected.state, asked.now))
        for store in stores if gives_back else ():
            store.release(P, owner, [(slot, asked.slots_until) for slot in slots])
        assert close(*(standing(store.look(P, [[owner]]).get(owner, EMPTY), asked.now) for store in stores))


def standing(state: LimitState, now: float) -> LimitState:
    """The state without slots that have lapsed: some are still there, which means nothing."""
    return replace(state, slots={slot: until for slot, until in state.slots.items() if until > now})


def test_a_worker_that_dies_between_two_items_leaves_slots_that_lapse(aws: LocalAws) -> None:
    limit, held = Limit(math.inf, slots=100), {"slots": ("70",), "slots_until": EPOCH + 45.0}
    dying = dynamo(OnlyOne(aws.dynamodb))
    with pytest.raises(StoreUnavailable):
        dying.take(P, ask(limit=limit, **held))
    store = dynamo(aws.dynamodb)
    assert store.look(P, [["acme"]])["acme"].slots == {"70": EPOCH + 45.0}
    assert isinstance(store.take(P, ask(limit=limit, at=1.0, **held)), Denied)
    assert isinstance(store.take(P, ask(limit=limit, at=45.0, slots=("70",), slots_until=EPOCH + 90.0)), Granted)


def test_slots_of_the_last_owner_of_a_look_are_seen_and_no_further_owner(leases: LimitStore) -> None:
    held = {"limit": Limit(math.inf, slots=100), "slots": ("70",), "slots_until": EPOCH + 45.0}
    for name in ("a", "b", "b2", "c"):
        leases.take(P, ask(owner=name, **held))
    found = leases.look(P, [["a", "b"]])
    assert {name: dict(state.slots) for name, state in found.items()} == {
        name: {"70": EPOCH + 45.0} for name in ("a", "b")
    }


def test_no_item_of_an_account_with_a_thousand_slots_is_dearer_than_one_write_unit(aws: LocalAws) -> None:
    store, limit = dynamo(aws.dynamodb), Limit(math.inf, slots=1000)
    for first in range(0, 1000, 10):
        slots = tuple(str(first + number) for number in range(10))
        assert isinstance(store.take(P, ask(10, limit=limit, slots=slots, slots_until=EPOCH + 45.0)), Granted)
    items = aws.items(TELEMETRY)
    assert len(items) == 20
    assert max(map(item_bytes, items)) <= 1024


def test_of_two_cuts_from_the_same_state_one_is_made(leases: LimitStore) -> None:
    leases.take(P, ask(3))
    (before,) = leases.look(P, [["acme"]]).values()
    first = cut(before, LearnedRate(5.0, EPOCH, None, 4, EPOCH), LIMIT, now=EPOCH + 1, wait=0.5)
    second = cut(before, LearnedRate(3.0, EPOCH, None, 4, EPOCH), LIMIT, now=EPOCH + 1, wait=0.5)
    assert close(leases.cut(P, "acme", first), first)
    assert close(leases.cut(P, "acme", second), first)
    (stands,) = leases.look(P, [["acme"]]).values()
    assert stands.pace == first.pace


def test_a_refusal_is_counted_in_its_own_epoch_and_changes_no_permit(leases: LimitStore) -> None:
    leases.take(P, ask(3))
    (before,) = leases.look(P, [["acme"]]).values()
    pace = watching(10.0, EPOCH, 3, 1)
    noted = leases.note(P, Note("acme", before, EPOCH + 1, pace))
    assert (noted.refused, noted.pace, noted.throttled_at) == (1, pace, EPOCH + 1)
    assert close(replace(noted, throttled_at=0.0), before)
    assert leases.note(P, Note("acme", before, EPOCH + 2)).refused == 2
    assert leases.note(P, Note("acme", replace(before, epoch=4), EPOCH + 3, pace)).refused == 2
    assert leases.look(P, [["acme"]])["acme"].pace == pace


def test_an_account_that_rests_after_a_refusal_gives_no_permits_until_then(leases: LimitStore) -> None:
    leases.block(P, "acme", "k9", EPOCH + 99.0)
    leases.take(P, ask(3))
    (before,) = leases.look(P, [["acme"]]).values()
    noted = leases.note(P, Note("acme", before, EPOCH, rests_until=EPOCH + 0.4))
    assert noted.blocks == {"k9": EPOCH + 99.0, REST: EPOCH + 0.4}
    assert isinstance(leases.take(P, ask(1)), Denied)
    assert isinstance(leases.take(P, replace(ask(1), now=EPOCH + 0.4, not_after=EPOCH + 9.0)), Granted)
    assert leases.note(P, Note("acme", noted, EPOCH + 1)).blocks[REST] == EPOCH + 0.4


def test_who_counts_a_refusal_or_cuts_goes_on_knowing_which_slots_are_held(leases: LimitStore) -> None:
    limit = Limit(10.0, burst=5, slots=100)
    leases.take(P, ask(2, limit=limit, slots=("5", "70"), slots_until=EPOCH + 60.0))
    seen = leases.look(P, [["acme"]])["acme"]
    held = {"5": EPOCH + 60.0, "70": EPOCH + 60.0}
    assert leases.note(P, Note("acme", seen, EPOCH + 1)).slots == held
    after = cut(seen, LearnedRate(5.0, EPOCH, None, 4, EPOCH), limit, now=EPOCH + 1, wait=0.5)
    assert leases.cut(P, "acme", after).slots == held


def test_a_pace_is_written_down_only_in_its_own_epoch(leases: LimitStore) -> None:
    grown = LearnedRate(20.0, EPOCH, 19.0, 4, EPOCH - 2.0)
    stale = ask(seen=replace(EMPTY, epoch=3), rebase=grown)
    assert isinstance(leases.take(P, stale), Denied)
    granted = leases.take(P, ask(rebase=grown))
    assert isinstance(granted, Granted)
    assert granted.state.pace == grown


steps = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.floats(0.0, 3.0).map(lambda seconds: round(seconds, 3)),
        st.sampled_from([0.0, 0.5, 5.0]),
        st.sampled_from(list(Line)),
        st.booleans(),
        st.sampled_from([(), ("a",), ("a", "f")]),
    ),
    min_size=1,
    max_size=12,
)


@given(steps)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_table_does_what_the_core_says(aws: LocalAws, moves: Any) -> None:
    store = dynamo(aws.dynamodb)
    owner = f"owner-{next(owners)}"  # an example may be run twice
    state, at = EMPTY, 0.0
    for count, pause, within, line, knows, buckets in moves:
        at += pause
        asked = ask(
            count, at=at, within=within, owner=owner, line=line, seen=state if knows else EMPTY, buckets=buckets
        )
        expected, got = acquire(state, asked), store.take(P, asked)
        assert type(got) is type(expected)
        assert close(got.state, expected.state)
        if isinstance(got, Granted) and isinstance(expected, Granted):
            assert got.starts == pytest.approx(expected.starts, abs=1e-4)
        state = expected.state


class OnlyOne:
    """A table that goes away after the first write."""

    def __init__(self, client: Any) -> None:
        self._client, self._writes = client, 0

    def update_item(self, **fields: Any) -> Any:
        self._writes += 1
        if self._writes > 1:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return self._client.update_item(**fields)


class Away:
    def __getattr__(self, name: str) -> Any:
        def refuse(**_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

        return refuse


def test_a_table_that_is_away_is_a_store_error() -> None:
    store = dynamo(Away())
    with pytest.raises(StoreUnavailable):
        store.take(P, ask())
    with pytest.raises(StoreUnavailable):
        store.look(P, [["acme"]])


def test_an_item_is_swept_a_day_after_its_last_use(aws: LocalAws) -> None:
    dynamo(aws.dynamodb).take(P, ask())
    (item,) = aws.items(TELEMETRY)
    assert int(item["ttl"]["N"]) >= EPOCH + 24 * 3600
    assert (item["pk"]["S"], item["sk"]["S"]) == (f"LEASE#{P}", "acme")


def test_an_item_outlives_a_refusal_and_the_wait_that_a_cut_holds_it_for(aws: LocalAws) -> None:
    store, pace, wait = dynamo(aws.dynamodb), LearnedRate(5.0, EPOCH, None, 4, EPOCH), 5000.0
    taken = store.take(P, ask())
    noted = store.note(P, Note("acme", taken.state, EPOCH + 60.0))
    (item,) = aws.items(TELEMETRY)
    assert int(item["ttl"]["N"]) >= EPOCH + 60 + 24 * 3600
    store.cut(P, "acme", cut(noted, pace, LIMIT, now=EPOCH + 60.0, wait=wait))
    (item,) = aws.items(TELEMETRY)
    assert int(item["ttl"]["N"]) >= EPOCH + wait + 24 * 3600


def test_an_item_with_all_it_may_hold_costs_one_write_unit(aws: LocalAws) -> None:
    store = dynamo(aws.dynamodb)
    buckets = tuple(f"{number:x}" for number in range(16))
    store.take(P, ask(5, buckets=buckets))
    slots = tuple(str(number) for number in range(5))
    store.take(P, ask(5, at=9.0, slots=slots, slots_until=EPOCH + 60.0, rebase=LearnedRate(5.5, EPOCH, 5.0, 4, EPOCH)))
    store.block(P, "acme", "0123456789ab", EPOCH + 30.0)
    (item,) = aws.items(TELEMETRY)
    assert sum(len(name) + 21 for name in item) <= 1024  # a number takes at most 21 bytes


def test_a_newcomer_who_takes_the_share_for_unused_adds_to_what_it_owes(leases: LimitStore) -> None:
    opened = leases.take(P, ask(20, within=60.0))
    leases.take(P, ask(280, within=60.0, seen=opened.state))
    first = leases.take(P, ask(at=20.0, line=Line.NEWCOMER))
    second = leases.take(P, ask(at=20.0, line=Line.NEWCOMER))
    assert isinstance(first, Granted)
    assert first.state.newcomer_tat is not None
    assert first.state.newcomer_tat > EPOCH + 20.0
    assert isinstance(second, Granted)
    owed = first.state.newcomer_tat - (EPOCH + 20.0)
    assert second.state.newcomer_tat == pytest.approx(EPOCH + 20.0 + 2 * owed, abs=1e-4)
