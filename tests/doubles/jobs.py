"""The Jobs table in memory, what identical requests share, and budgets."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mediarelay.budgets.contract import BudgetLevel, BudgetPlan, parse_plan
from mediarelay.budgets.ports import MOST_BYTES, Allowance, BudgetChange, BudgetState, Changed, Entry, Unchanged
from mediarelay.job_records.claims import (
    OF_PUBLISHER,
    AlreadySettled,
    Cancelled,
    Claim,
    ClaimAnswer,
    Claimed,
    Conflict,
    Group,
    Held,
    Rejection,
    Settlement,
)
from mediarelay.job_records.contract import AttemptSummary, JobError, JobRecord, Spending, Submission
from mediarelay.job_records.job_spec import lost, spent
from mediarelay.long_jobs.ports import OpenAnswer, Opened
from mediarelay.reuse.contract import Reusable, ReuseEntry
from mediarelay.vocabulary.kinds import UNSETTLED, JobStatus, SubmitState
from tests.doubles.tables.job_records import about_to, claimed, end, free, interruption, mark, standing


class MemoryJobs:
    """Implements `job_records.ports.JobStore`. Thread-safe."""

    def __init__(self) -> None:
        self._records: dict[str, JobRecord] = {}
        self._lock = threading.Lock()

    def claim(self, claim: Claim) -> ClaimAnswer:
        """See `job_records.ports.JobStore.claim`."""
        with self._lock:
            before = self._records.get(claim.request_id)
            if before is None or free(before, claim.claimed_at, claim.fingerprint):
                record = claimed(claim, before)
                self._records[claim.request_id] = record
                return Claimed(record.received_at)
            return self._claim_again(claim, before)

    def open_group(self, group: Group) -> Conflict | Cancelled | None:
        """See `job_records.ports.JobStore.open_group`."""
        with self._lock:
            before = self._records.get(group.request_id)
            cancelled_at = None
            if before is not None and not free(before, group.opened_at, group.fingerprint):
                if not before.awaits_request and before.fingerprint != group.fingerprint:
                    return Conflict()
                cancelled_at = before.cancelled_at
            names = Group.__dataclass_fields__.keys() - {"branches", "opened_at"}
            fields = {name: getattr(group, name) for name in names}
            branches = list(group.branches)
            record = JobRecord(status=JobStatus.QUEUED, branches=branches, cancelled_at=cancelled_at, **fields)
            self._records[group.request_id] = record
            return None if cancelled_at is None else Cancelled()

    def end_unserved(self, claim: Claim, error: JobError, purchases: Sequence[Spending] = ()) -> bool:
        """See `job_records.ports.JobStore.end_unserved`."""
        with self._lock:
            before = self._records.get(claim.request_id)
            none = before is None or before.status is JobStatus.REJECTED
            cancelled = before is not None and before.cancelled_at is not None
            waits = cancelled and before is not None and (before.status is JobStatus.DEFERRED or before.noted)
            if not none and not waits:
                return False
            money, claims = spent(lost(purchases)), before.claims if before else 0
            changes = {
                "status": JobStatus.FAILED,
                "received_at": claim.received_at,
                "claims": claims,
                "claim_id": before.claim_id if before else None,
                "lease_until": None,
                "settled_at": claim.claimed_at,
                "cancelled_at": (before.cancelled_at if before else None) or claim.claimed_at,
                "latency_ms": 0,
                "queue_ms": max(0, claim.claimed_at - claim.received_at),
                "purchases": list(money.purchases),
                "cost_usd": money.cost_usd,
                "cost_certain": money.certain,
                "error": error,
            }
            self._records[claim.request_id] = claimed(claim, before).model_copy(update=changes)
            return True

    def settle(self, settlement: Settlement) -> bool:
        """See `job_records.ports.JobStore.settle`."""
        return self._release(settlement.request_id, settlement.claim_id, end(settlement))

    def defer(
        self,
        request_id: str,
        claim_id: str,
        *,
        until: int,
        attempts: Sequence[AttemptSummary],
        purchases: Sequence[Spending] = (),
        history: Sequence[tuple[int, str, str]] = (),
    ) -> bool:
        """See `job_records.ports.JobStore.defer`."""
        deferrals = self._records[request_id].deferrals + 1 if request_id in self._records else 0
        end = {
            "status": JobStatus.DEFERRED,
            "deferred_until": until,
            "attempts": list(attempts),
            "purchases": list(purchases),
            "deferrals": deferrals,
            "history": list(history),
        }
        return self._release(request_id, claim_id, end)

    def reject(self, rejection: Rejection) -> bool:
        """See `job_records.ports.JobStore.reject`."""
        with self._lock:
            before = self._records.get(rejection.request_id)
            own = before is not None and before.noted and before.message_id == rejection.message_id
            if before is not None and before.status is not JobStatus.REJECTED and not own:
                return False
            self._records[rejection.request_id] = JobRecord(
                request_id=rejection.request_id,
                status=JobStatus.REJECTED,
                kind=rejection.kind,
                tenant=rejection.tenant,
                published_id=rejection.published_id,
                received_at=rejection.received_at,
                settled_at=rejection.settled_at,
                error=rejection.error,
                ttl=rejection.ttl,
                **{name: getattr(rejection, name) for name in OF_PUBLISHER},
            )
            return True

    def get(self, request_id: str) -> JobRecord | None:
        """See `job_records.ports.JobStore.get`."""
        with self._lock:
            return self._records.get(request_id)

    def note(self, record: JobRecord) -> bool:
        """See `api.publishing.ports.JobNotes.note`."""
        with self._lock:
            return self._records.setdefault(record.request_id, record) is record

    def all(self) -> dict[str, JobRecord]:
        """Every record by its key."""
        with self._lock:
            return dict(self._records)

    def _claim_again(self, claim: Claim, before: JobRecord) -> ClaimAnswer:
        if before.fingerprint != claim.fingerprint:
            return Cancelled() if before.awaits_request else Conflict()
        if before.status.settled:
            return AlreadySettled(before.status)
        if before.cancelled_at is not None and (before.noted or before.status is JobStatus.DEFERRED):
            return Cancelled(tuple(before.purchases))
        known, attempts, told = tuple(before.interruptions), tuple(before.attempts), tuple(before.history)
        bought = [each for each in before.purchases if each != claim.purchase]
        if before.status is JobStatus.RUNNING and before.claim_id == claim.claim_id:
            return Claimed(before.received_at, known, before.claims > 1, attempts, tuple(bought), before.earmark)
        running = before.status is JobStatus.RUNNING
        served = running and (before.claim_id is None or (before.lease_until or 0) >= claim.claimed_at)
        if served or before.status not in (JobStatus.RUNNING, JobStatus.DEFERRED):
            return Held(before.lease_until or claim.claimed_at)
        if running:
            known = (*known, interruption(before))
        bought = lost(before.purchases)
        changes = {"interruptions": list(known), "purchases": [*bought, *about_to(claim)]}
        self._records[claim.request_id] = claimed(claim, before).model_copy(update=changes)
        return Claimed(before.received_at, known, running, attempts, tuple(bought), before.earmark, history=told)

    def _release(self, request_id: str, claim_id: str, end: dict[str, Any]) -> bool:
        with self._lock:
            before = self._records.get(request_id)
            if before is None or before.claim_id != claim_id:
                return False
            if before.status is not JobStatus.RUNNING:
                return bool(before.status is end["status"])
            self._records[request_id] = before.model_copy(update={**end, "lease_until": None})
            return True


class MemoryMediaJobs(MemoryJobs):
    """Implements `long_jobs.ports.MediaJobStore` as well. Thread-safe."""

    def open(self, claim: Claim) -> OpenAnswer:
        """See `long_jobs.ports.MediaJobStore.open`."""
        with self._lock:
            before = self._records.get(claim.request_id)
            if before is not None and not free(before, claim.claimed_at, claim.fingerprint):
                return standing(before, claim)
            self._records[claim.request_id] = JobRecord(
                request_id=claim.request_id,
                status=JobStatus.QUEUED,
                kind=claim.kind,
                fingerprint=claim.fingerprint,
                received_at=claim.received_at,
                claimed_at=claim.claimed_at,
                expires_at=claim.expires_at,
                ttl=claim.ttl,
                tenant=claim.tenant,
                metadata=dict(claim.metadata),
                message_id=claim.message_id,
                client=claim.client,
                reply_to=claim.reply_to,
                callback_url=claim.callback_url,
                callback_body=claim.callback_body,
                earmark=claim.earmark,
                **(claim.asked or {}),
            )
            return Opened(claim.received_at, claim.claimed_at, again=False)

    def note_submit(
        self, request_id: str, after: Submission, *, before: Submission | None, purchases: Sequence[Spending]
    ) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_submit`."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None or record.status not in UNSETTLED or record.cancelled_at is not None:
                return False
            if record.submit == after:
                return True
            if mark(record.submit) != mark(before):
                return False
            status = JobStatus.POLLING if after.state is SubmitState.ACCEPTED else JobStatus.RUNNING
            self._records[request_id] = record.model_copy(
                update={"submit": after, "status": status, "purchases": list(purchases)}
            )
            return True

    def note_cancel(self, request_id: str, at: int) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_cancel`."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None or record.status not in UNSETTLED:
                return False
            waits = record.claim_id is None or record.status is JobStatus.DEFERRED or record.parts_total is not None
            if not waits:
                return False
            self._records[request_id] = record.model_copy(update={"cancelled_at": record.cancelled_at or at})
            return True

    def await_request(self, request_id: str, at: int, *, tenant: str | None, ttl: int) -> bool:
        """See `long_jobs.ports.MediaJobStore.await_request`."""
        with self._lock:
            if request_id in self._records:
                return False
            facts: dict[str, Any] = {"received_at": at, "cancelled_at": at, "tenant": tenant, "ttl": ttl}
            self._records[request_id] = JobRecord(request_id=request_id, status=JobStatus.QUEUED, **facts)
            return True

    def settle_media(self, settlement: Settlement) -> bool:
        """See `long_jobs.ports.MediaJobStore.settle_media`."""
        with self._lock:
            record = self._records.get(settlement.request_id)
            if record is None:
                return False
            if record.status not in UNSETTLED:
                return (record.status, record.settled_at) == (settlement.status, settlement.settled_at)
            if record.cancelled_at is not None and not settlement.cancelled:
                return False
            self._records[settlement.request_id] = record.model_copy(update=end(settlement))
            return True


class MemorySpeechJobs(MemoryMediaJobs):
    """Implements `long_speech.ports.SpeechProgress` as well. Thread-safe."""

    def note_plan(self, request_id: str, total: int, *, spoken: Sequence[int], lease_until: int) -> bool:
        """See `long_speech.ports.SpeechProgress.note_plan`."""
        changes = {
            "status": JobStatus.RUNNING,
            "parts_total": total,
            "parts_done": len(spoken),
            "parts_spoken": list(spoken),
            "lease_until": lease_until,
            "stopped_at": None,
            "deferred_until": None,
        }
        return self._change(request_id, lambda _record: changes)

    def note_spoken(self, request_id: str, number: int) -> None:
        """See `long_speech.ports.SpeechProgress.note_spoken`."""

        def counted(record: JobRecord) -> dict[str, Any]:
            known = record.parts_spoken
            if number in known:
                return {}
            return {"parts_spoken": [*known, number], "parts_done": (record.parts_done or 0) + 1}

        self._change(request_id, counted)

    def note_stopped(self, request_id: str, at: int) -> None:
        """See `long_speech.ports.SpeechProgress.note_stopped`."""
        self._change(request_id, lambda _record: {"stopped_at": at})

    def _change(self, request_id: str, change: Callable[[JobRecord], dict[str, Any]]) -> bool:
        with self._lock:
            record = self._records.get(request_id)
            if record is None or record.status not in UNSETTLED or record.cancelled_at is not None:
                return False
            self._records[request_id] = record.model_copy(update=change(record))
            return True


class MemoryReuse:
    """Implements `reuse.ports.ReuseStore`. Thread-safe; `loads` and `writes` count what was asked of it."""

    def __init__(self) -> None:
        self.entries: dict[str, ReuseEntry] = {}
        self.loads = 0
        self.writes = 0
        self._lock = threading.Lock()

    def load(self, key: str) -> ReuseEntry:
        """See `reuse.ports.ReuseStore.load`."""
        with self._lock:
            self.loads += 1
            return self.entries.get(key, ReuseEntry())

    def take(self, key: str, job_id: str, *, until: int, seen: ReuseEntry) -> ReuseEntry | None:
        """See `reuse.ports.ReuseStore.take`."""
        with self._lock:
            self.writes += 1
            entry = self.entries.get(key, ReuseEntry())
            same = entry.buyer is None if seen.buyer is None else (entry.buyer, entry.until) == (seen.buyer, seen.until)
            ours, theirs = (each.settled_at if each else None for each in (entry.result, seen.result))
            if ours != theirs or not (same or entry.buyer == job_id):
                return entry
            self.entries[key] = entry.model_copy(update={"buyer": job_id, "until": until})
            return None

    def hold(self, key: str, job_id: str, *, until: int) -> None:
        """See `reuse.ports.ReuseStore.hold`."""
        self._change(key, job_id, {"until": until})

    def publish(self, key: str, job_id: str, result: Reusable) -> None:
        """See `reuse.ports.ReuseStore.publish`."""
        self._change(key, job_id, {"result": result, "buyer": None, "until": 0})

    def free(self, key: str, job_id: str) -> None:
        """See `reuse.ports.ReuseStore.free`."""
        self._change(key, job_id, {"buyer": None, "until": 0})

    def _change(self, key: str, job_id: str, values: dict[str, Any]) -> None:
        with self._lock:
            self.writes += 1
            entry = self.entries.get(key, ReuseEntry())
            if entry.buyer == job_id:
                self.entries[key] = entry.model_copy(update=values)


@dataclass
class _Item:
    used: int = 0
    held: int = 0
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
            full = change.opens and standing is None and item.held + change.more_bytes > MOST_BYTES
            if standing != change.before or over or full:
                return Unchanged(standing, item.used, item.days[change.day], full and not over)
            item.held += change.more_bytes
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

    def entry(self, payer: str, month: str, job_id: str) -> Entry | None:
        """See `budgets.ports.BudgetStore.entry`."""
        with self._lock:
            item = self._items.get((payer, month))
            return item.entries.get(job_id) if item else None

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
