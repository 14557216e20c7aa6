"""Attempts in time order through the shipped judgement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mediarelay.health.incident import Notice
from mediarelay.health.records import Limits, fresh_record, has_news, judged_record
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.tally import BUCKET_SECONDS, Attempt, Bucket, bucket_start


@dataclass(frozen=True)
class Told:
    """What people would have been told."""

    provider: str
    notice: Notice
    reason: str


def read_metrics(lines: Iterable[str]) -> list[AttemptMetric]:
    """One JSON object per line, as docs/schemas/attempt-metric has it."""
    return [AttemptMetric.model_validate(json.loads(line)) for line in lines if line.strip()]


def judge_again(metrics: Sequence[AttemptMetric], limits: Limits, *, step: float = 1.0) -> Iterator[Told]:
    """Judge each provider every *step* seconds, as if the metrics came in now.

    What was recorded is what was let through: an outage that other thresholds would have noticed earlier still shows
    the calls that were made then.
    """
    for provider in sorted({metric.provider for metric in metrics}):
        yield from _judge_one(provider, [metric for metric in metrics if metric.provider == provider], limits, step)


def _judge_one(provider: str, metrics: Sequence[AttemptMetric], limits: Limits, step: float) -> Iterator[Told]:
    attempts = sorted(
        (Attempt(m.outcome, m.started_at, m.latency_ms, m.phase, m.code, m.status) for m in metrics),
        key=lambda attempt: attempt.ended_at,
    )
    now, end = attempts[0].ended_at / 1000, attempts[-1].ended_at / 1000 + BUCKET_SECONDS
    buckets: dict[int, Bucket] = {}
    record, position = fresh_record(provider, now=now), 0
    while now <= end:
        while position < len(attempts) and attempts[position].ended_at <= now * 1000:
            start = bucket_start(attempts[position].ended_at)
            buckets.setdefault(start, Bucket(start)).add(attempts[position])
            position += 1
        after = judged_record(record, buckets.values(), limits, now=now)
        if has_news(record, after) and after.incident.notice is not None:
            yield Told(provider, after.incident.notice, after.reason)
        record, now = after, now + step
