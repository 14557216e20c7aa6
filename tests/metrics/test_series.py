"""Six hours in spans of five minutes: what is added when, and what is kept."""

from __future__ import annotations

import pytest

from mediarelay.metrics.ports import StoredBucket
from mediarelay.metrics.series.rolling import Point, Series, SeriesKeeper, due
from mediarelay.metrics.tally import Attempt, Bucket, bucket_start
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.health import MemoryBuckets, MemorySeries

START, FIVE_MINUTES, SIX_HOURS = 1_800_000_000, 300, 6 * 3600


class Kept:
    def __init__(self) -> None:
        self.buckets = MemoryBuckets()
        self.store = MemorySeries()
        self.keeper = SeriesKeeper(self.buckets, self.store)

    def call(self, at: float, outcome: Outcome = Outcome.DELIVERED, latency_ms: int = 100) -> None:
        start = bucket_start(round(at * 1000))
        stored = self.buckets.load("openai-tts", since=start).get(start) or StoredBucket(Bucket(start), 0)
        stored.bucket.add(Attempt(outcome, round(at * 1000) - latency_ms, latency_ms, cause=str(at)))
        assert self.buckets.save("openai-tts", stored)

    def keep(self, now: float) -> list[Point]:
        self.keeper.keep(["openai-tts", "fal-flux"], now)
        return list(self.store.series.points.get("openai-tts", ()))


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_a_span_is_added_once_it_can_hardly_change(kept: Kept) -> None:
    kept.call(START + 20)
    kept.call(START + 200, latency_ms=300)
    kept.call(START + 250, Outcome.PROVIDER_FAULT)
    kept.call(START + 260, Outcome.THROTTLED)
    assert kept.keep(START + FIVE_MINUTES + 30) == []
    (point,) = kept.keep(START + FIVE_MINUTES + 61)
    assert point[:4] == (START, 2, 1, 1)
    assert point.p50 == pytest.approx(100, rel=0.02)
    assert "fal-flux" not in kept.store.series.points


def test_nothing_is_read_or_written_between_two_spans(kept: Kept) -> None:
    kept.call(START + 20)
    kept.keep(START + FIVE_MINUTES + 61)
    reads, writes = kept.buckets.reads, kept.store.writes
    kept.keep(START + FIVE_MINUTES + 121)
    assert (kept.buckets.reads, kept.store.writes) == (reads, writes)


def test_sweeps_that_were_missed_are_made_up_for_within_the_hour_that_buckets_live(kept: Kept) -> None:
    for span in range(3):
        kept.call(START + span * FIVE_MINUTES)
    assert [point.start for point in kept.keep(START + 4 * FIVE_MINUTES)] == [
        START + span * FIVE_MINUTES for span in range(3)
    ]


def test_what_is_older_than_six_hours_goes(kept: Kept) -> None:
    kept.call(START)
    kept.keep(START + 2 * FIVE_MINUTES)
    later = START + SIX_HOURS + FIVE_MINUTES
    kept.call(later)
    assert [point.start for point in kept.keep(later + 2 * FIVE_MINUTES)] == [later]


def test_a_sweep_after_a_long_pause_begins_with_what_buckets_can_tell() -> None:
    first, last = due(Series(START, {}), START + 10 * 3600) or (0, 0)
    assert (first >= START + 9 * 3600, last) == (True, START + 10 * 3600 - FIVE_MINUTES)
