"""What the Jobs table in memory makes of a record, and answers for one."""

from __future__ import annotations

from typing import Any

from mediarelay.job_records.claims import (
    AlreadySettled,
    Cancelled,
    Claim,
    Conflict,
    Settlement,
)
from mediarelay.job_records.contract import Interruption, JobRecord, Spending, Submission
from mediarelay.job_records.job_spec import spent
from mediarelay.long_jobs.ports import OpenAnswer, Opened
from mediarelay.vocabulary.kinds import JobStatus, SubmitState


def claimed(claim: Claim, before: JobRecord | None) -> JobRecord:
    kept = before.model_dump() if before else {}
    fresh = {
        "request_id": claim.request_id,
        "status": JobStatus.RUNNING,
        "kind": claim.kind,
        "fingerprint": claim.fingerprint,
        "received_at": before.received_at if before else claim.received_at,
        "claim_id": claim.claim_id,
        "claimed_at": claim.claimed_at,
        "lease_until": claim.lease_until,
        "expires_at": claim.expires_at,
        "claims": (before.claims if before else 0) + 1,
        "ttl": claim.ttl,
        "metadata": dict(claim.metadata),
        "tenant": claim.tenant or kept.get("tenant"),
        "message_id": claim.message_id,
        "client": claim.client,
        "reply_to": claim.reply_to,
        "callback_url": claim.callback_url,
        "callback_body": claim.callback_body,
        "earmark": claim.earmark or kept.get("earmark"),
        "deferred_until": None,
        "error": None,
        "settled_at": None,
        "cancelled_at": None,
        "purchases": about_to(claim),
        **(claim.asked or {}),
    }
    return JobRecord.model_validate({**kept, **fresh})


def free(before: JobRecord, at: int, fingerprint: str) -> bool:
    """Whether nothing was begun under the id."""
    if before.status is JobStatus.REJECTED:
        return True
    if before.noted and before.fingerprint == fingerprint and before.cancelled_at is None:
        return True
    return before.awaits_request and (before.ttl or 0) < at // 1000


def about_to(claim: Claim) -> list[Spending]:
    return [claim.purchase] if claim.purchase else []


def end(settlement: Settlement) -> dict[str, Any]:
    names = ("status", "settled_at", "latency_ms", "queue_ms", "provider", "model", "error", "voice")
    end: dict[str, Any] = {name: getattr(settlement, name) for name in (*names, "voice_substituted", "cached")}
    end |= {name: list(getattr(settlement, name)) for name in ("attempts", "outputs", "warnings", "interruptions")}
    money = spent(settlement.purchases)
    return {**end, "purchases": list(money.purchases), "cost_usd": money.cost_usd, "cost_certain": money.certain}


def interruption(before: JobRecord) -> Interruption:
    return Interruption(
        claim_id=before.claim_id or "", claimed_at=before.claimed_at or 0, lease_until=before.lease_until or 0
    )


def mark(submit: Submission | None) -> tuple[int, SubmitState] | None:
    return (submit.sent_at, submit.state) if submit else None


def standing(record: JobRecord, claim: Claim) -> OpenAnswer:
    if record.awaits_request:
        return Cancelled()
    if record.fingerprint != claim.fingerprint:
        return Conflict()
    if record.status.settled:
        return AlreadySettled(record.status)
    if record.noted and record.cancelled_at is not None:
        return Cancelled()
    return Opened(record.received_at, record.claimed_at or 0, again=True)


# --- budgets ------------------------------------------------------------------------------------------------------
