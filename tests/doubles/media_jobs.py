"""The Jobs table in memory, as executions use it; the records are those of `MemoryJobs`."""

from __future__ import annotations

from mediarelay.job_records.claims import AlreadySettled, Claim, Conflict, Settlement
from mediarelay.job_records.contract import JobRecord, Submission
from mediarelay.long_jobs.ports import OpenAnswer, Opened
from mediarelay.vocabulary.kinds import JobStatus, SubmitState
from tests.doubles.jobs import MemoryJobs

UNSETTLED = {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.POLLING}


class MemoryMediaJobs(MemoryJobs):
    """Implements `long_jobs.ports.MediaJobStore` as well. Thread-safe."""

    def open(self, claim: Claim) -> OpenAnswer:
        """See `long_jobs.ports.MediaJobStore.open`."""
        with self._lock:
            before = self._records.get(claim.request_id)
            if before is not None and before.status is not JobStatus.REJECTED:
                return _standing(before, claim)
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
            )
            return Opened(claim.received_at, claim.claimed_at, again=False)

    def note_submit(self, request_id: str, after: Submission, *, before: Submission | None) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_submit`."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None or record.status not in UNSETTLED:
                return False
            if record.submit == after:
                return True
            if _mark(record.submit) != _mark(before):
                return False
            status = JobStatus.POLLING if after.state is SubmitState.ACCEPTED else JobStatus.RUNNING
            self._records[request_id] = record.model_copy(update={"submit": after, "status": status})
            return True

    def note_cancel(self, request_id: str, at: int) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_cancel`."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None or record.status not in UNSETTLED:
                return False
            self._records[request_id] = record.model_copy(update={"cancelled_at": at})
            return True

    def settle_media(self, settlement: Settlement) -> bool:
        """See `long_jobs.ports.MediaJobStore.settle_media`."""
        with self._lock:
            record = self._records.get(settlement.request_id)
            if record is None:
                return False
            if record.status not in UNSETTLED:
                return (record.status, record.settled_at) == (settlement.status, settlement.settled_at)
            names = ("status", "settled_at", "latency_ms", "queue_ms", "provider", "model", "cost_usd", "error")
            end = {name: getattr(settlement, name) for name in names}
            lists = ("attempts", "outputs", "warnings", "interruptions")
            end |= {name: list(getattr(settlement, name)) for name in lists}
            self._records[settlement.request_id] = record.model_copy(update=end)
            return True


def _mark(submit: Submission | None) -> tuple[int, SubmitState] | None:
    return (submit.sent_at, submit.state) if submit else None


def _standing(record: JobRecord, claim: Claim) -> OpenAnswer:
    if record.fingerprint != claim.fingerprint:
        return Conflict()
    if record.status.settled:
        return AlreadySettled(record.status)
    return Opened(record.received_at, record.claimed_at or 0, again=True)
