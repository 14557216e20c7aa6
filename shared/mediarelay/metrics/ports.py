"""Where metrics go and buckets are kept, as ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mediarelay.keys.ports import VerdictWriter

if TYPE_CHECKING:
    from mediarelay.metrics.contract import AttemptMetric
    from mediarelay.metrics.tally import Bucket


class MetricSink(Protocol):
    """Where attempt metrics go."""

    def write(self, metrics: Sequence[AttemptMetric]) -> None:
        """Write them in as few calls as possible. Raises `StoreUnavailable`."""


class Telemetry(VerdictWriter, Protocol):
    """Fire-and-forget writes that never delay a result."""

    def metric(self, metric: AttemptMetric, *, urgent: bool = False) -> None:
        """Buffer one attempt; an urgent one is written soon, with what is buffered."""


@dataclass(slots=True)
class StoredBucket:
    """A bucket as read; `version` is 0 for one that is not stored yet."""

    bucket: Bucket
    version: int


class BucketStore(Protocol):
    """The ten-second buckets. Both raise `StoreUnavailable`."""

    def load(self, provider: str, *, since: int) -> Mapping[int, StoredBucket]:
        """Read those that start at *since* (unix seconds) or later, by start; read consistently."""

    def save(self, provider: str, stored: StoredBucket) -> bool:
        """Write it as the version after the one read. Returns False when another writer was faster."""
