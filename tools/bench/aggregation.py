"""Aggregation: stream records of attempt metrics to buckets and a judged record, per metric and core.

Counted is what aggregate_health does in its process: reading the records' wire form, counting, merging the window and
judging. The tables are in memory, so that the network is left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.items import to_item
from mediarelay.adapters.metric_items import metric_record
from mediarelay.core.thresholds import DEFAULT
from mediarelay.services.aggregating import AggregateService
from tests.support.memory_health import MemoryBuckets, MemoryHealth
from tools.bench.result import Measurement

METRICS = 1000
PER_ITEM = 5
SAMPLES = 15
BAR_MICROSECONDS = 100.0  # ten thousand metrics a second


def measure() -> Iterator[Measurement]:
    """CPU per metric of a batch of a thousand, beside the time that ten thousand a second leaves."""
    taken = [_batch_seconds(number) for number in range(SAMPLES)]
    yield Measurement(
        name="aggregation-per-metric",
        value=1e6 * statistics.median(taken) / METRICS,
        unit="us CPU",
        reference="ten thousand metrics per second and core",
        reference_value=BAR_MICROSECONDS,
        bar=1.0,
    )


def _batch_seconds(seed: int) -> float:
    records = _stream_records(Random(seed))  # noqa: S311 # dice of a benchmark
    service = AggregateService(
        MemoryBuckets(),
        MemoryHealth(),
        limits=lambda *_: DEFAULT,
        clock=SystemClock(),
        rng=Random(seed),  # noqa: S311 # jitter
    )
    start = time.process_time()
    service.aggregate([metric_record(record) for record in records])
    return time.process_time() - start


def _stream_records(rng: Random) -> list[dict[str, Any]]:
    now = round(time.time() * 1000)
    return [_record(rng, now, number) for number in range(METRICS // PER_ITEM)]


def _record(rng: Random, now: int, number: int) -> dict[str, Any]:
    attempts = [
        {
            "key_id": "0123456789ab",
            "request_id": f"request-{number}-{position}",
            "outcome": "delivered" if rng.random() > 0.02 else "provider_fault",  # noqa: PLR2004 # two per cent
            "started_at": now - rng.randrange(20_000),
            "latency_ms": round(rng.lognormvariate(6.5, 0.6)),
            "status": 200,
        }
        for position in range(PER_ITEM)
    ]
    image = to_item({"pk": f"METRIC#openai-tts#{number % 8}", "sk": str(number), "attempts": attempts})
    return {"dynamodb": {"NewImage": image, "SequenceNumber": str(number)}}
