"""What a claim and a settlement write into a job's item, in plain Python; None is absent."""

from __future__ import annotations

from typing import Any

from mediarelay.aws.dynamodb import compact
from mediarelay.job_records.claims import Claim, Settlement
from mediarelay.vocabulary.kinds import JobStatus


def claim_values(claim: Claim) -> dict[str, Any]:
    """Return the fields that each claim sets anew."""
    return {
        "status": JobStatus.RUNNING,
        "kind": claim.kind,
        "fingerprint": claim.fingerprint,
        "claim_id": claim.claim_id,
        "claimed_at": claim.claimed_at,
        "lease_until": claim.lease_until,
        "expires_at": claim.expires_at,
        "ttl": claim.ttl,
        "tenant": claim.tenant,
        "metadata": dict(claim.metadata) or None,
    }


def settlement_values(settlement: Settlement) -> dict[str, Any]:
    """Return the fields of a job's end."""
    return {
        "status": settlement.status,
        "settled_at": settlement.settled_at,
        "latency_ms": settlement.latency_ms,
        "queue_ms": settlement.queue_ms,
        "provider": settlement.provider,
        "model": settlement.model,
        "attempts": compact(settlement.attempts),
        "outputs": compact(settlement.outputs),
        "cost_usd": settlement.cost_usd or None,
        "error": settlement.error.model_dump() if settlement.error else None,
        "warnings": list(settlement.warnings) or None,
        "interruptions": compact(settlement.interruptions),
    }
