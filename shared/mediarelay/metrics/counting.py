"""One stream batch into buckets: each attempt counted once, however often its record is delivered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mediarelay.metrics.tally import Attempt, Bucket, bucket_start
from mediarelay.vocabulary.frozen import frozen


@frozen
class MetricRecord:
    """One record of the stream: a metric item with its attempts, all of one provider.

    Attributes:
        provider: Whose attempts they are.
        shard: Which of the provider's partition keys it has.
        number: Its sequence number, which grows along its stream shard.
        attempts: What it holds.
    """

    provider: str
    shard: str
    number: int
    attempts: Sequence[Attempt]


class Doubt(NamedTuple):
    """A request that a second provider has failed: its earlier fault at the first says nothing either."""

    phase: str
    cause: str
    start: int


def doubts_of(records: Iterable[MetricRecord]) -> Mapping[str, Mapping[int, Sequence[Doubt]]]:
    """Group what the records say of faults at other providers, by that provider and by the start of the bucket."""
    found: dict[str, dict[int, list[Doubt]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for attempt in record.attempts:
            for provider in attempt.elsewhere:
                doubt = Doubt(attempt.phase, attempt.cause, attempt.started_at)
                found[provider][bucket_start(attempt.ended_at)].append(doubt)
    return found


def doubt_in(bucket: Bucket, doubts: Iterable[Doubt]) -> bool:
    """Note doubts; however often they come, they are the same. Returns whether the bucket has changed."""
    changed = False
    for doubt in doubts:
        tally = bucket.tally(doubt.phase)
        before = dict(tally.doubtful)
        tally.doubt(doubt.cause, doubt.start)
        changed = changed or tally.doubtful != before
    return changed


def by_bucket(records: Iterable[MetricRecord]) -> Mapping[str, Mapping[int, Sequence[MetricRecord]]]:
    """Group the records by provider and by the start of each bucket they touch; a record may touch several."""
    touched: dict[str, dict[int, list[MetricRecord]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for start in {bucket_start(attempt.ended_at) for attempt in record.attempts}:
            touched[record.provider][start].append(record)
    return touched


def count_into(bucket: Bucket, records: Sequence[MetricRecord]) -> bool:
    """Count what the bucket has not counted yet. Returns whether there was anything.

    The records must be all those of one batch that touch this bucket: only then are they, shard by shard, a contiguous
    run, and may be remembered as one.
    """
    runs: dict[str, tuple[int, int]] = {}
    changed = False
    for record in records:
        first, last = runs.get(record.shard, (record.number, record.number))
        runs[record.shard] = min(first, record.number), max(last, record.number)
        if bucket.applied.covers(record.shard, record.number):
            continue
        changed = True
        for attempt in record.attempts:
            if bucket_start(attempt.ended_at) == bucket.start:
                bucket.add(attempt)
    if changed:
        for shard, (first, last) in runs.items():
            bucket.applied.add(shard, first, last)
    return changed
