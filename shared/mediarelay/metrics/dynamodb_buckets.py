"""Ten-second buckets: `pk` = BUCKET#provider, `sk` = start (unix seconds).

A write is conditional on the version that was read, so that what two writers count adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.aws.stores import from_item, held, query_all, store_errors, to_item
from mediarelay.metrics.counted_runs import AppliedRuns
from mediarelay.metrics.latency_sketch import LatencySketch
from mediarelay.metrics.ports import StoredBucket
from mediarelay.metrics.tally import SUCCESSES, Bucket, FailedRequest, LastError, ModelCount, Tally
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Outcome

# An hour of history for charts and for replaying decisions; the window itself is five minutes.
KEPT_SECONDS: Final = 3600
_DIGITS: Final = 10


class DynamoBuckets:
    """Implements `metrics.ports.BucketStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, provider: str, *, since: int) -> Mapping[int, StoredBucket]:
        """See `metrics.ports.BucketStore.load`."""
        with store_errors("telemetry table", "read buckets"):
            items = query_all(
                self._client,
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk >= :since",
                ExpressionAttributeValues={":pk": {"S": _partition(provider)}, ":since": {"S": _sort_key(since)}},
                ConsistentRead=True,
            )
            stored = [_stored(from_item(item)) for item in items]
        return {entry.bucket.start: entry for entry in stored}

    def save(self, provider: str, stored: StoredBucket) -> bool:
        """See `metrics.ports.BucketStore.save`."""
        item = to_item(_values(provider, stored))
        with store_errors("telemetry table", "write a bucket"):
            return held(
                lambda: self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk)" if not stored.version else "version = :version",
                    **({"ExpressionAttributeValues": to_item({":version": stored.version})} if stored.version else {}),
                )
            )


def _partition(provider: str) -> str:
    return f"BUCKET#{provider}"


def _sort_key(start: int) -> str:
    return f"{start:0{_DIGITS}d}"


def _values(provider: str, stored: StoredBucket) -> dict[str, Any]:
    bucket = stored.bucket
    return {
        "pk": _partition(provider),
        "sk": _sort_key(bucket.start),
        "phases": {phase: _packed(tally) for phase, tally in bucket.phases.items()},
        "applied": bucket.applied.as_strings(),
        "version": stored.version + 1,
        "ttl": bucket.start + KEPT_SECONDS,
    }


def _packed(tally: Tally) -> dict[str, Any]:
    error = tally.last_error
    faults = sorted(tally.faults.items(), key=lambda item: item[1])
    return {
        "counts": {outcome.value: count for outcome, count in tally.counts.items() if count},
        "latency_ms": tally.latency_ms,
        "sketch": tally.sketch.to_bytes(),
        "faults": [fault.start for _, fault in faults],
        "successes": tally.successes,
        "last_error": [error.at, error.outcome, error.code, error.status] if error else None,
        "models": [[model, *count] for model, count in tally.models.items()],
        **({"causes": [[cause, fault.model] for cause, fault in faults]} if faults else {}),
        **({"doubtful": tally.doubtful} if tally.doubtful else {}),
    }


def _stored(item: Mapping[str, Any]) -> StoredBucket:
    phases = {phase: _unpacked(packed) for phase, packed in item["phases"].items()}
    bucket = Bucket(int(item["sk"]), phases, AppliedRuns.from_strings(item["applied"]))
    return StoredBucket(bucket, item["version"])


def _unpacked(packed: Mapping[str, Any]) -> Tally:
    counts = Counter({Outcome(name): count for name, count in packed["counts"].items()})
    starts, causes, models = packed["faults"], packed.get("causes"), packed.get("models")
    if causes is None:  # of before causes were kept: each fault is a request's own
        causes = [[f"@{start}.{number}", ""] for number, start in enumerate(starts)]
    if models is None:
        faulted = sum(count for outcome, count in counts.items() if outcome in PROVIDER_FAULTS)
        succeeded = sum(count for outcome, count in counts.items() if outcome in SUCCESSES)
        models = [["", succeeded, faulted, max(packed["successes"], default=0)]]
    return Tally(
        counts=counts,
        latency_ms=packed["latency_ms"],
        sketch=LatencySketch.from_bytes(bytes(packed["sketch"])),
        faults={cause: FailedRequest(start, model) for start, (cause, model) in zip(starts, causes, strict=True)},
        doubtful=packed.get("doubtful") or {},
        successes=packed["successes"],
        models={model: ModelCount(*count) for model, *count in models},
        last_error=LastError(*packed["last_error"]) if packed["last_error"] else None,
    )
