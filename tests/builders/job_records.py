"""What the Jobs table in memory makes of a record, and answers for one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mediarelay.budgets.contract import BudgetLevel, BudgetPlan, parse_plan
from mediarelay.budgets.ports import Allowance, BudgetChange, BudgetState, Changed, Entry, Unchanged
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
        "metadata": dict(claim.metadata) or kept.get("metadata", {}),
        "tenant": claim.tenant or kept.get("tenant"),
        "earmark": claim.earmark or kept.get("earmark"),
        "deferred_until": None,
        "error": None,
        "settled_at": None,
        "cancelled_at": None,
        "purchases": about_to(claim),
    }
    return JobRecord.model_validate({**kept, **fresh})


def free(before: JobRecord, at: int) -> bool:
    """Whether nothing was begun under the id."""
    if before.status is JobStatus.REJECTED:
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
    return Opened(record.received_at, record.claimed_at or 0, again=True)


# --- budgets ------------------------------------------------------------------------------------------------------


@dataclass
class _Item:
    used: int = 0
    most_ever: int = 0
    days: Counter[int] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    entries: dict[str, Entry] = field(default_factory=dict)
    allowance: Allowance = field(default_factory=lambda: Allowance(None, None))


class MemoryBudgets:
    """Implements `budgets.ports.BudgetStore`. Thread-safe."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], _Item] = {}
        self._lock = threading.Lock()
        self.levels: dict[tuple[str, str, int], BudgetLevel] = {}
        self.changes = 0

    def change(self, change: BudgetChange) -> Changed | Unchanged:
        """See `budgets.ports.BudgetStore.change`."""
        with self._lock:
            self.changes += 1
            item = self._items.setdefault((change.payer, change.month), _Item())
            standing = item.entries.get(change.job_id)
            most = change.allowance or Allowance(None, None)
            over = any(
                bound is not None and used + change.more > bound
                for bound, used in ((most.month, item.used), (most.day, item.days[change.day]))
            )
            if standing != change.before or over:
                return Unchanged(standing, item.used, item.days[change.day])
            if change.after is None:
                del item.entries[change.job_id]
            else:
                item.entries[change.job_id] = change.after
            if change.allowance is not None:
                item.allowance = Allowance(most.day, most.month)
            item.used += change.more
            item.days[change.day] += change.more
            item.spent.update(change.charged)
            item.most_ever = max(item.most_ever, item.used)
            return Changed(item.used, item.days[change.day])

    def tell(self, level: BudgetLevel) -> bool:
        """See `budgets.ports.BudgetStore.tell`."""
        with self._lock:
            key = (level.payer, level.window, level.level)
            return self.levels.setdefault(key, level) is level

    def month(self, month: str) -> Sequence[BudgetState]:
        """See `budgets.ports.BudgetStore.month`."""
        with self._lock:
            return [
                BudgetState(
                    payer,
                    month,
                    item.used,
                    {day: used for day, used in item.days.items() if used},
                    {name: usd for name, usd in item.spent.items() if usd},
                    dict(item.entries),
                    item.allowance,
                )
                for (payer, of), item in self._items.items()
                if of == month
            ]

    @property
    def peaks(self) -> Mapping[tuple[str, str], int]:
        """What was ever used at most."""
        return {key: item.most_ever for key, item in self._items.items()}


class FixedPlan:
    """Implements `budgets.ports.BudgetSource` over a document that a test writes."""

    def __init__(self, written: Any) -> None:
        self.written = written

    def load(self) -> BudgetPlan:
        """See `budgets.ports.BudgetSource.load`."""
        return parse_plan(self.written)
