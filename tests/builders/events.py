"""What a worker writes and what the announcer publishes: one attempt's metric, one job's event."""

from __future__ import annotations

from typing import Any

from mediarelay.announce.announcing import result_event
from mediarelay.announce.contract import ResultEvent
from mediarelay.job_records.contract import JobRecord
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import EPOCH_MS
from tests.doubles.recording import PlainLinks


def metric(provider: str, number: int, **fields: Any) -> AttemptMetric:
    return AttemptMetric(
        provider=provider,
        key_id="0123456789ab",
        request_id=f"job-{number}",
        outcome=Outcome.DELIVERED,
        started_at=EPOCH_MS + number,
        latency_ms=120,
        **fields,
    )


def event(**fields: Any) -> ResultEvent:
    record = {"request_id": "job-1", "status": "failed", "received_at": EPOCH_MS, "settled_at": EPOCH_MS + 5, **fields}
    return result_event(JobRecord.model_validate(record), PlainLinks().sign, 0.0)
