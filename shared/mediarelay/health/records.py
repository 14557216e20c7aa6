"""From a window of buckets to the next health record. Pure: it is read and written elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mediarelay.health.contract import HealthRecord, PhaseHealth
from mediarelay.health.incident import UNWATCHED
from mediarelay.health.judgement import Health
from mediarelay.health.thresholds import Thresholds
from mediarelay.metrics.tally import BUCKET_SECONDS, CALL, WINDOW_SECONDS, Bucket, Tally, bucket_start, merged

Limits = Callable[[str, str], Thresholds]
EMPTY: Final = Tally()


def window_start(now: float) -> int:
    """Return the start of the oldest bucket of the window that ends now, unix seconds."""
    return bucket_start(round(now * 1000)) - WINDOW_SECONDS + BUCKET_SECONDS


def fresh_record(provider: str, *, now: float) -> HealthRecord:
    """Return the record of a provider that was not called yet."""
    facts = {**_figures(EMPTY), **_memory(Health(since=now)), "provider": provider, "last_check": now}
    return HealthRecord.model_validate(facts)


def judged_record(before: HealthRecord, buckets: Iterable[Bucket], limits: Limits, *, now: float) -> HealthRecord:
    """Return the record after judging these buckets; those outside of the window are left out."""
    oldest = max(window_start(now), bucket_start(round(before.heard_from * 1000)))
    window = merged(bucket for bucket in buckets if bucket.start >= oldest)
    by_phase = {phase: limits(before.provider, phase) for phase in window}
    return rewritten(before, before.judged.next(window, by_phase, now=now), window, now=now)


def rewritten(before: HealthRecord, health: Health, window: Mapping[str, Tally], *, now: float) -> HealthRecord:
    """Return the record of a judgement, with the notice for people."""
    incident = before.incident.next(before.provider, health.status, now=now)
    return before.model_copy(
        update={
            **_figures(_leading(window)),
            **_memory(health),
            "faults_by_model": _faults(window),
            "phases": {phase: _phase(tally) for phase, tally in sorted(window.items()) if phase != CALL},
            "last_check": now,
            "incident": incident,
        }
    )


def unwatched(before: HealthRecord, *, now: float) -> HealthRecord:
    """Return the record of a provider that is gone, disabled or without keys: it begins anew if it comes back."""
    health = Health(since=now, reason=UNWATCHED, heard_from=now)
    figures = {**_figures(EMPTY), **_memory(health), "phases": {}, "faults_by_model": {}, "last_check": now}
    return before.model_copy(update={**figures, "incident": before.incident.unwatched(now)})


def has_news(before: HealthRecord | None, after: HealthRecord) -> bool:
    """Tell whether people must be told of the difference."""
    announced = before.incident.notice.number if before is not None and before.incident.notice else 0
    return after.incident.notice is not None and after.incident.notice.number != announced


def _leading(window: Mapping[str, Tally]) -> Tally:
    """Return the phase for the record's own figures: the one that succeeds least."""
    tallies = [tally for tally in window.values() if tally.samples]
    return min(tallies, key=lambda tally: tally.success_rate or 0.0, default=next(iter(window.values()), EMPTY))


def _phase(tally: Tally) -> PhaseHealth:
    return PhaseHealth.model_validate(_figures(tally))


def _faults(window: Mapping[str, Tally]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for tally in window.values():
        found.update({model: count.faulted for model, count in tally.models.items() if model and count.faulted})
    return dict(found)


def _figures(tally: Tally) -> dict[str, object]:
    return {
        "samples": tally.samples,
        "success_rate": tally.success_rate,
        "avg_latency_ms": tally.mean_ms,
        "p50_ms": tally.sketch.quantile(0.50),
        "p95_ms": tally.sketch.quantile(0.95),
        "p99_ms": tally.sketch.quantile(0.99),
        "throttled": tally.throttled,
        "counts": {outcome: count for outcome, count in sorted(tally.counts.items()) if count},
        "last_error": tally.last_error,
    }


def _memory(health: Health) -> dict[str, object]:
    return {
        "status": health.status,
        "since": health.since,
        "reason": health.reason,
        "circuit": health.circuit,
        "heard_from": health.heard_from,
        "pending": health.pending,
        "pending_since": health.pending_since,
        "model_at_fault": health.model,
    }
