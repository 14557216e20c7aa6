"""Attempt metrics: `pk` = METRIC#provider, several attempts to an item, never one write per attempt."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mediarelay.adapters.aws import store_errors
from mediarelay.adapters.items import to_item
from mediarelay.contracts.metric import AttemptMetric
from mediarelay.core.errors import StoreUnavailable

# The health window is five minutes and late readers need some slack; after that a metric is only storage.
KEPT_SECONDS: Final = 3600
# Keeps an item below four write units; a batch of ten messages rarely fills one.
PER_ITEM: Final = 20
PER_CALL: Final = 25  # BatchWriteItem's own maximum


class DynamoMetrics:
    """Implements `ports.MetricSink`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def write(self, metrics: Sequence[AttemptMetric]) -> None:
        """See `ports.MetricSink.write`."""
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
    newest = max(metric.started_at for metric in group)
    return to_item(
        {
            "pk": f"METRIC#{provider}",
            "sk": f"{newest:013d}#{uuid.uuid4().hex[:8]}",
            "attempts": [
                metric.model_dump(mode="json", exclude={"provider"}, exclude_defaults=True) for metric in group
            ],
            "ttl": newest // 1000 + KEPT_SECONDS,
        }
    )
