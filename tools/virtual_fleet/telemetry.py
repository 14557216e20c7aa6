"""Metrics to records in virtual time: what the stream and the aggregator do, with the shipped core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import simpy

from mediarelay.health.contract import HealthRecord
from mediarelay.health.incident import Notice
from mediarelay.health.records import fresh_record, has_news, judged_record, window_start
from mediarelay.health.thresholds import DEFAULT
from mediarelay.metrics.counting import MetricRecord, by_bucket, count_into
from mediarelay.metrics.tally import Attempt, Bucket

# How long a record may be unwatched: the probe function judges every provider once a minute.
SWEEP_SECONDS = 60.0


@dataclass
class Telemetry:
    """The Telemetry table and its aggregator. What the fleet's `Records` are read from.

    Attributes:
        env: Virtual time.
        epoch: Unix seconds of its beginning.
        delay: From an attempt's end to its record, seconds.
        every: How often the aggregator is invoked, seconds.
        notices: What people were told, with the provider.
    """

    env: simpy.Environment
    epoch: float
    delay: float
    every: float
    notices: list[tuple[str, Notice]] = field(default_factory=list)
    _inbox: list[tuple[float, str, Attempt]] = field(default_factory=list)
    _buckets: dict[str, dict[int, Bucket]] = field(default_factory=lambda: defaultdict(dict))
    _records: dict[str, HealthRecord] = field(default_factory=dict)
    _number: int = 0

    def note(self, provider: str, attempt: Attempt) -> None:
        """An attempt is over."""
        self._inbox.append((self.env.now + self.delay, provider, attempt))

    def run(self) -> Generator[Any, Any, None]:
        """The aggregator, as a process."""
        swept = 0.0
        while True:
            yield self.env.timeout(self.every)
            arrived = [entry for entry in self._inbox if entry[0] <= self.env.now]
            self._inbox = [entry for entry in self._inbox if entry[0] > self.env.now]
            touched = by_bucket(self._record_of(provider, attempt) for _, provider, attempt in arrived)
            for provider, buckets in touched.items():
                for start, records in buckets.items():
                    bucket = self._buckets[provider].setdefault(start, Bucket(start))
                    count_into(bucket, records)
            due = self.env.now - swept >= SWEEP_SECONDS
            swept = self.env.now if due else swept
            for provider in [*touched, *(set(self._records) - set(touched) if due else ())]:
                self._judge(provider)

    def _record_of(self, provider: str, attempt: Attempt) -> MetricRecord:
        self._number += 1
        return MetricRecord(provider, "0", self._number, [attempt])

    def _judge(self, provider: str) -> None:
        now = self.epoch + self.env.now
        oldest = window_start(now)
        buckets = self._buckets[provider]
        for start in [start for start in buckets if start < oldest]:
            del buckets[start]
        before = self._records.get(provider) or fresh_record(provider, now=now)
        after = judged_record(before, buckets.values(), lambda *_: DEFAULT, now=now)
        self._records[provider] = after
        if has_news(before, after) and after.incident.notice is not None:
            self.notices.append((provider, after.incident.notice))

    def load(self) -> Mapping[str, HealthRecord]:
        """Every record, by provider."""
        return dict(self._records)
