"""Aggregation: stream records of attempt metrics to buckets and a judged record, per metric and core.

Counted is what aggregate_health does in its process: reading the records' wire form, counting, merging the window and
judging. The tables are in memory, so that the network is left out. What an invocation writes is counted apart, by the
real adapters over moto, with DynamoDB's rules for the size of an item.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from mediarelay.aws.stores import to_item
from mediarelay.aws.system_clock import SystemClock
from mediarelay.health.aggregate import AggregateService
from mediarelay.health.dynamodb import PARTITION, DynamoHealth
from mediarelay.health.thresholds import DEFAULT
from mediarelay.metrics.dynamodb_buckets import DynamoBuckets
from mediarelay.metrics.dynamodb_items import metric_record
from mediarelay.metrics.tally import BUCKET_SECONDS
from tests.doubles.health import MemoryBuckets, MemoryHealth
from tests.harness.local_aws import TELEMETRY, local_aws
from tools.bench.costs.item_size import item_bytes, write_units
from tools.bench.costs.ledger import Ledger, counting
from tools.bench.result import Measurement

METRICS = 1000
FEW = 10
SPAN_MS = 20_000
FLAT = 1.0
PER_ITEM = 5
SAMPLES = 15
BAR_MICROSECONDS = 100.0  # ten thousand metrics a second


def measure() -> Iterator[Measurement]:
    """CPU per metric of a batch of a thousand, beside the time that ten thousand a second leaves."""
    logging.getLogger("mediarelay").addHandler(logging.NullHandler())  # verdicts are not what is measured
    taken = [batch_seconds(number) for number in range(SAMPLES)]
    yield Measurement(
        name="aggregation-per-metric",
        value=1e6 * statistics.median(taken) / METRICS,
        unit="us CPU",
        reference="ten thousand metrics per second and core",
        reference_value=BAR_MICROSECONDS,
        bar=1.0,
    )
    many, few = written(METRICS), written(FEW)
    yield Measurement(
        name="aggregation-write-units",
        value=many.units,
        unit=f"write units of an invocation that counts {METRICS} metrics of one provider, in {many.calls} calls",
        reference=f"one that counts {FEW}, in {few.calls} calls",
        reference_value=few.units,
        bar=FLAT,
    )


@dataclass(frozen=True)
class Written:
    """What one invocation cost, and the bytes of the health record that it left."""

    units: int
    calls: int
    record_bytes: int


def written(metrics: int) -> Written:
    """A batch of so many metrics over the same twenty seconds, of a provider that nobody has called before."""
    ledger = Ledger()
    with local_aws() as aws, counting(ledger):
        service = AggregateService(
            DynamoBuckets(aws.dynamodb, TELEMETRY),
            DynamoHealth(aws.dynamodb, TELEMETRY),
            limits=lambda *_: DEFAULT,
            clock=SystemClock(),
            rng=Random(1),  # noqa: S311 # jitter
        )
        made = Counter(ledger.calls)
        service.aggregate([metric_record(record) for record in _stream_records(Random(1), metrics)])  # noqa: S311 # as above
        calls = sum((ledger.calls - made).values())
        items = aws.items(TELEMETRY)
        records = [item for item in items if item["pk"]["S"] == PARTITION]
        return Written(sum(map(write_units, items)), calls, sum(map(item_bytes, records)))


def batch_seconds(seed: int) -> float:
    """Returns the processor time of counting a thousand metrics of one provider."""
    records = _stream_records(Random(seed), METRICS)  # noqa: S311 # dice of a benchmark
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


def _stream_records(rng: Random, metrics: int) -> list[dict[str, Any]]:
    """Over the last twenty seconds that were whole, so that as many buckets are touched whatever the time is."""
    now = round(time.time() // BUCKET_SECONDS * BUCKET_SECONDS * 1000)
    return [_record(rng, now, number) for number in range(metrics // PER_ITEM)]


def _record(rng: Random, now: int, number: int) -> dict[str, Any]:
    attempts = [
        {
            "key_id": "0123456789ab",
            "request_id": f"request-{number}-{position}",
            "outcome": "delivered" if rng.random() > 0.02 else "provider_fault",  # noqa: PLR2004 # two per cent
            "started_at": now - SPAN_MS + rng.randrange(SPAN_MS) - (latency := round(rng.lognormvariate(6.5, 0.6))),
            "latency_ms": latency,
            "status": 200,
        }
        for position in range(PER_ITEM)
    ]
    image = to_item({"pk": f"METRIC#openai-tts#{number % 8}", "sk": str(number), "attempts": attempts})
    return {"dynamodb": {"NewImage": image, "SequenceNumber": str(number)}}
