from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.health.aggregate import AggregateService
from mediarelay.health.contract import HealthRecord
from mediarelay.health.judgement import Status
from mediarelay.health.thresholds import DEFAULT
from mediarelay.metrics.counting import MetricRecord
from mediarelay.metrics.ports import BucketStore, StoredBucket
from mediarelay.metrics.tally import Attempt
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.health import MemoryBuckets, MemoryHealth
from tests.doubles.trouble import Flaky

NOW_MS = round(EPOCH * 1000)


class World:
    def __init__(self, buckets: BucketStore | None = None) -> None:
        self.buckets = MemoryBuckets()
        self.records = MemoryHealth()
        self.clock = ManualClock()
        self.service = AggregateService(
            buckets or self.buckets, self.records, limits=lambda *_: DEFAULT, clock=self.clock, rng=dice(0)
        )
        self._number = 0

    def metric(self, *attempts: Attempt, provider: str = "openai-tts", lane: str = "0") -> MetricRecord:
        self._number += 1
        return MetricRecord(provider, lane, self._number, attempts)

    def record(self, provider: str = "openai-tts") -> HealthRecord:
        found = self.records.get(provider)
        assert found is not None
        return found


def good(seconds_ago: float = 1.0, ms: int = 100) -> Attempt:
    return Attempt(Outcome.DELIVERED, NOW_MS - round(seconds_ago * 1000), ms)


def bad(seconds_ago: float = 1.0) -> Attempt:
    return Attempt(Outcome.PROVIDER_FAULT, NOW_MS - round(seconds_ago * 1000), 10, code="server_error", status=500)


def test_a_batch_becomes_one_record_per_provider() -> None:
    world = World()
    batch = [world.metric(*[good(ago, ms=200) for ago in range(1, 20)], bad(250))]
    batch += [world.metric(good(), provider="fal-flux")]
    world.service.aggregate(batch)
    found = world.record()
    assert (found.status, found.samples, found.success_rate, found.avg_latency_ms) == (Status.HEALTHY, 20, 0.95, 200)
    assert found.p50_ms == pytest.approx(200, rel=0.01)
    assert found.counts == {Outcome.DELIVERED: 19, Outcome.PROVIDER_FAULT: 1}
    assert found.last_error is not None
    assert (found.last_error.code, found.last_error.status) == ("server_error", 500)
    assert found.last_check == EPOCH
    assert world.record("fal-flux").samples == 1


def test_what_ended_before_the_window_is_left_out_and_what_is_too_old_is_not_even_kept() -> None:
    world = World()
    world.service.aggregate([world.metric(good(2), good(400), good(5000))])
    assert world.record().samples == 1
    assert len(world.buckets.load("openai-tts", since=0)) == 2


@settings(max_examples=60)
@given(
    agos=st.lists(st.floats(0.5, 280), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 9), min_size=60, max_size=60),
    seed=st.integers(0, 2**32),
)
def test_the_record_equals_the_one_of_the_plain_list_of_attempts(agos: list[float], cuts: list[int], seed: int) -> None:
    rng = dice(seed)
    attempts = [rng.choice([good, good, good, bad])(ago) for ago in agos]
    plain, streamed = World(), World()
    plain.service.aggregate([plain.metric(*attempts)])
    records = [streamed.metric(attempt) for attempt in attempts]
    batches: list[Sequence[MetricRecord]] = []
    while records:
        size = cuts.pop()
        batch, records = records[:size], records[size:]
        middle = rng.randrange(len(batch) + 1)
        batches += rng.choice([[batch], [batch, batch], [batch, batch[middle:]], [batch[:middle], batch[middle:]]])
    for batch in batches:
        streamed.service.aggregate(batch)
    ours, theirs = streamed.record(), plain.record()
    figures = {"samples", "success_rate", "avg_latency_ms", "p50_ms", "p95_ms", "p99_ms", "counts", "last_error"}
    assert ours.model_dump(include=figures) == theirs.model_dump(include=figures)


class Racing:
    """Somebody else writes between our read and our write, so many times."""

    def __init__(self, times: int) -> None:
        self.inner = MemoryBuckets()
        self._left = times

    def load(self, provider: str, *, since: int) -> object:
        return self.inner.load(provider, since=since)

    def save(self, provider: str, stored: StoredBucket) -> bool:
        if self._left:
            self._left -= 1
            current = self.inner.load(provider, since=stored.bucket.start)
            rival = current.get(stored.bucket.start) or StoredBucket(type(stored.bucket)(stored.bucket.start), 0)
            rival.bucket.add(good())
            assert self.inner.save(provider, rival)
        return self.inner.save(provider, stored)


def test_writers_that_meet_lose_nothing_of_each_other() -> None:
    world = World(Racing(3))  # type: ignore[arg-type]  # duck-typed
    world.service.aggregate([world.metric(good(), good())])
    assert world.record().samples == 5


def test_writers_that_keep_meeting_give_the_batch_back() -> None:
    world = World(Racing(99))  # type: ignore[arg-type]  # duck-typed
    with pytest.raises(StoreUnavailable, match="too many writers"):
        world.service.aggregate([world.metric(good())])


@pytest.mark.parametrize("late", [False, True])
def test_a_batch_that_failed_half_way_counts_once_when_it_comes_again(late: bool) -> None:  # noqa: FBT001
    inner = MemoryBuckets()
    world = World(Flaky(inner, "save", times=1, late=late))
    batch = [world.metric(good(1), good(15)), world.metric(good(30), good(2))]
    with pytest.raises(StoreUnavailable):
        world.service.aggregate(batch)
    world.service.aggregate(batch)
    assert world.record().samples == 4


def test_the_cost_does_not_depend_on_the_number_of_metrics() -> None:
    costs = []
    for count in (10, 1000):
        world = World()
        world.service.aggregate([world.metric(good(1 + n % 10)) for n in range(count)])
        costs.append((world.buckets.reads, world.buckets.writes, len(world.records.changes)))
    assert costs[0] == costs[1] == (1, 1, 1)


def test_an_outage_turns_the_record_down_with_its_reason_and_one_notice() -> None:
    world = World()
    world.service.aggregate([world.metric(*[good(100 - n / 10) for n in range(500)])])
    for number in range(3):
        world.service.aggregate([world.metric(bad(1 - number / 10))])
    found = world.record()
    assert (found.status, found.reason) == (Status.DOWN, "3 faults in a row")
    assert found.circuit.until == EPOCH + 30
    assert found.incident.notice is not None
    assert (found.incident.notice.event, found.incident.notice.number) == ("opened", 1)


def test_a_window_that_has_moved_on_is_idle_after_a_refresh() -> None:
    world = World()
    world.service.aggregate([world.metric(good())])
    world.clock.advance(400)
    assert world.service.refresh("openai-tts").status is Status.IDLE
    assert world.record().samples == 0
