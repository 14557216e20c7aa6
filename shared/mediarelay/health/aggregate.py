"""Metrics into buckets, buckets into the health record. Each attempt counts once, whatever the stream does."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from mediarelay.health.contract import HealthRecord
from mediarelay.health.ports import HealthStore
from mediarelay.health.records import Limits, fresh_record, has_news, judged_record, window_start
from mediarelay.metrics.counting import Doubt, MetricRecord, by_bucket, count_into, doubt_in, doubts_of
from mediarelay.metrics.ports import BucketStore, StoredBucket
from mediarelay.metrics.tally import Bucket
from mediarelay.vocabulary.backoff import full_jitter
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# Writers of one provider are as many as its metrics have shards; a few rounds are enough for all of them.
TRIES: Final = 8
# What ended longer ago matters to no window and no chart.
OLDEST_SECONDS: Final = 3600


Touched = Mapping[int, Sequence[MetricRecord]]
Doubts = Mapping[int, Sequence[Doubt]]


class AggregateService:
    """Counts and judges."""

    def __init__(
        self, buckets: BucketStore, records: HealthStore, *, limits: Limits, clock: Clock, rng: Random
    ) -> None:
        self._buckets = buckets
        self._records = records
        self._limits = limits
        self._clock = clock
        self._rng = rng

    def aggregate(self, records: Sequence[MetricRecord]) -> None:
        """Count one batch of the stream, and judge every provider in it.

        The cost is one query, the buckets touched and one record per provider, however many metrics there are.
        Providers that had failed a request which another fails now are judged again too.

        Raises:
            StoreUnavailable: Not all of it was written; the whole batch may be given again.
        """
        touched, doubts = by_bucket(records), doubts_of(records)
        for provider in dict.fromkeys((*touched, *doubts)):
            self._write_until_it_stands(provider, touched.get(provider, {}), doubts.get(provider, {}))

    def refresh(self, provider: str) -> HealthRecord:
        """Judge a provider without new metrics: its window has moved on.

        Raises:
            StoreUnavailable: It could not be written.
        """
        return self._write_until_it_stands(provider, {}, {})

    def _write_until_it_stands(self, provider: str, touched: Touched, doubts: Doubts) -> HealthRecord:
        for attempt in range(TRIES):
            record = self._attempt(provider, touched, doubts)
            if record is not None:
                return record
            self._clock.sleep(full_jitter(attempt, base=0.01, cap=0.2, rng=self._rng))
        raise StoreUnavailable("telemetry table", "aggregate metrics", "too many writers at once")

    def _attempt(self, provider: str, touched: Touched, doubts: Doubts) -> HealthRecord | None:
        """Count and judge once. Returns None when another writer was faster; what was counted stays counted."""
        now = self._clock.now()
        wanted = sorted(start for start in {*touched, *doubts} if start > now - OLDEST_SECONDS)
        stored = dict(self._buckets.load(provider, since=min([window_start(now), *wanted])))
        for start in wanted:
            bucket = stored.setdefault(start, StoredBucket(Bucket(start), 0))
            counted = count_into(bucket.bucket, touched.get(start, ()))
            doubted = doubt_in(bucket.bucket, doubts.get(start, ()))
            if (counted or doubted) and not self._buckets.save(provider, bucket):
                return None
        return self._judge(provider, [entry.bucket for entry in stored.values()], now)

    def _judge(self, provider: str, buckets: Sequence[Bucket], now: float) -> HealthRecord | None:
        before = self._records.get(provider) or fresh_record(provider, now=now)
        after = judged_record(before, buckets, self._limits, now=now)
        if not self._records.save(after):
            return None
        _tell(before, after)
        return after


def _tell(before: HealthRecord, after: HealthRecord) -> None:
    if before.status is not after.status or has_news(before, after):
        facts = {"provider": after.provider, "previous": before.status, "status": after.status, "reason": after.reason}
        logger.warning("provider health", extra=facts)
