"""A provider that is well, goes down and comes back, and the verdict on a rejected key."""

from __future__ import annotations

from typing import Any

from mediarelay.alerts.contract import Alert
from mediarelay.health.contract import HealthRecord
from mediarelay.health.judgement import Status
from mediarelay.health.records import fresh_record
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.metrics.tally import LastError
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.clock import EPOCH

VERDICT = KeyVerdict(
    vendor="openai",
    key_id="0123456789ab",
    account="acme",
    provider=None,
    status=KeyStatus.REJECTED,
    until=None,
    strikes=1,
    code="invalid_api_key",
    observed_at=EPOCH,
    spreads=False,
)


def moved(before: HealthRecord, status: Status, seconds: float, **fields: Any) -> HealthRecord:
    now = EPOCH + seconds
    incident = before.incident.next(before.provider, status, now=now)
    return before.model_copy(update={"status": status, "since": now, "incident": incident, "last_check": now, **fields})


WELL = fresh_record("openai-tts", now=EPOCH)
DOWN = moved(
    WELL,
    Status.DOWN,
    10,
    reason="3 faults in a row",
    samples=2003,
    success_rate=0.9985,
    p50_ms=410.0,
    p95_ms=905.0,
    counts={Outcome.DELIVERED: 2000, Outcome.PROVIDER_FAULT: 3},
    last_error=LastError(round(EPOCH * 1000), "provider_fault", "server_error", 500),
)
BACK = moved(DOWN, Status.HEALTHY, 95)


def alert(**fields: Any) -> Alert:
    """Of a provider that went down."""
    facts = {
        "alert_id": "1793440000000:provider:openai-tts:1",
        "incident_id": "openai-tts-1793440000",
        "event": "opened",
        "subject": "provider:openai-tts",
        "severity": "critical",
        "provider": "openai-tts",
        "status": "down",
        "previous_status": "healthy",
        "at": 1793440000.5,
        "opened_at": 1793440000.5,
        "summary": "openai-tts is down",
        "reason": "3 faults in a row",
        "what_to_do": "Look at the vendor's status page.",
        "evidence": {"samples": 40, "success_rate": 0.07, "queued_requests": 120},
    }
    return Alert.model_validate({**facts, **fields})
