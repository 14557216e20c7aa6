"""Attempt metrics: `pk` = METRIC#provider#shard, several attempts to an item, never one write per attempt.

A busy provider's metrics are spread over shards, since one partition key takes no more than 1,000 writes a second. All
of a shard's records lie in one shard of the stream, in order; counting each of them once rests on that.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mediarelay.aws.stores import store_errors, to_item
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.vocabulary.errors import StoreUnavailable

# Five minutes longer than the window in which a metric can matter; the stream has delivered it long before.
KEPT_SECONDS: Final = 600
SHARDS: Final = 8
# Keeps an item below four write units; a batch of ten messages rarely fills one.
PER_ITEM: Final = 20
PER_CALL: Final = 25  # BatchWriteItem's own maximum


class DynamoMetrics:
    """Implements `metrics.ports.MetricSink`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def write(self, metrics: Sequence[AttemptMetric]) -> None:
        """See `metrics.ports.MetricSink.write`."""
        puts = [{"PutRequest": {"Item": item}} for item in _items(metrics)]
        for start in range(0, len(puts), PER_CALL):
            self._put(puts[start : start + PER_CALL])

    def _put(self, puts: list[dict[str, Any]]) -> None:
        with store_errors("telemetry table", "write metrics"):
            answer = self._client.batch_write_item(RequestItems={self._table: puts})
            left = answer.get("UnprocessedItems")
            if left:  # throttled: one more try, then they are lost; metrics are not worth more
                left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems")
        if left:
            raise StoreUnavailable("telemetry table", "write metrics", "ProvisionedThroughputExceeded")


def _items(metrics: Sequence[AttemptMetric]) -> Iterator[dict[str, Any]]:
    by_provider: dict[str, list[AttemptMetric]] = defaultdict(list)
    for metric in metrics:
        by_provider[metric.provider].append(metric)
    for provider, group in by_provider.items():
        for start in range(0, len(group), PER_ITEM):
            yield _item(provider, group[start : start + PER_ITEM])


def _item(provider: str, group: Sequence[AttemptMetric]) -> dict[str, Any]:
    newest = max(metric.started_at + metric.latency_ms for metric in group)
    unique = uuid.uuid4()
    attempts = [metric.model_dump(mode="json", exclude={"provider"}, exclude_defaults=True) for metric in group]
    # Nearly all attempts of a worker are of one model: an item names it once.
    model = group[0].model
    for attempt in attempts:
        if model is not None and attempt.get("model") == model:
            del attempt["model"]
    return to_item(
        {
            "pk": f"METRIC#{provider}#{unique.int % SHARDS}",
            "sk": f"{newest:013d}#{unique.hex[:8]}",
            "attempts": attempts,
            "model": model,
            "ttl": newest // 1000 + KEPT_SECONDS,
        }
    )
