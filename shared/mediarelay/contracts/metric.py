"""The attempt metric: one per provider call, several to an item of the Telemetry table."""

from __future__ import annotations

from mediarelay.contracts.job import Record
from mediarelay.core.outcome import Outcome


class AttemptMetric(Record):
    """One call. `started_at` in unix milliseconds."""

    provider: str
    key_id: str
    request_id: str
    outcome: Outcome
    started_at: int
    latency_ms: int
    status: int | None = None
    code: str | None = None
    cost_usd: float = 0.0
