"""Ports that only take: the topic, the metric sink, the counters, the totals; and the signer of links."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from mediarelay.announce.contract import ResultEvent
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.usage.counting import Amounts, Batch, Subject


class RecordingTopic:
    """Implements `announce.ports.ResultTopic`; `published` pairs each event with its message attributes."""

    def __init__(self) -> None:
        self.published: list[tuple[ResultEvent, dict[str, str]]] = []

    def publish(self, events: Sequence[ResultEvent]) -> None:
        """See `announce.ports.ResultTopic.publish`."""
        for event in events:
            names = ("kind", "status", "provider", "tenant", "client", "reply_to", "callback")
            facts = {name: getattr(event, name) for name in names}
            self.published.append((event, {name: str(value) for name, value in facts.items() if value}))


class MemoryMetrics:
    """Implements `metrics.ports.MetricSink`; one entry of `writes` per call."""

    def __init__(self) -> None:
        self.writes: list[list[AttemptMetric]] = []
        self._lock = threading.Lock()

    def write(self, metrics: Sequence[AttemptMetric]) -> None:
        """See `metrics.ports.MetricSink.write`."""
        with self._lock:
            self.writes.append(list(metrics))

    @property
    def attempts(self) -> list[AttemptMetric]:
        """All of them."""
        return [metric for write in self.writes for metric in write]


class MemoryCounters:
    """Implements `vocabulary.counters.Counters`."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, dict[str, str]]] = []
        self.observed: list[tuple[str, float]] = []

    def count(self, name: str, dimensions: Mapping[str, str]) -> None:
        """See `vocabulary.counters.Counters.count`."""
        self.counts.append((name, dict(dimensions)))

    def observe(self, name: str, seconds: float) -> None:
        """See `vocabulary.counters.Counters.observe`."""
        self.observed.append((name, seconds))


class PlainLinks:
    """Implements `results.ports.LinkSigner`."""

    def sign(self, key: str) -> tuple[str, str]:
        """See `results.ports.LinkSigner.sign`."""
        return f"s3://results/{key}", f"https://results.invalid/{key}?signed"


class MemoryUsage:
    """Implements `usage.ports.UsageStore`. Thread-safe; `batches` are those that were added."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._totals: dict[Subject, Amounts] = {}
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()

    def counted(self, shard: str) -> int:
        """See `usage.ports.UsageStore.counted`."""
        with self._lock:
            return self._last.get(shard, 0)

    def add(self, shard: str, batch: Batch, *, after: int, now: int) -> bool:
        """See `usage.ports.UsageStore.add`."""
        del now
        with self._lock:
            if self._last.get(shard, 0) != after:
                return False
            self._last[shard] = batch.last
            self.batches.append(batch)
            for subject, amounts in batch.totals.items():
                self._totals.setdefault(subject, Counter()).update(amounts)
            return True

    def load(self, days: Sequence[str]) -> Mapping[Subject, Amounts]:
        """See `usage.ports.UsageStore.load`."""
        with self._lock:
            return {subject: amounts.copy() for subject, amounts in self._totals.items() if subject.day in days}
