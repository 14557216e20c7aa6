"""Which result answers a request, and who buys one where none does. Pure."""

from __future__ import annotations

from typing import Final

from mediarelay.job_records.claims import Settlement
from mediarelay.job_records.contract import JobRecord
from mediarelay.reuse.contract import Reusable, ReuseEntry
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, Kind

# A delivered file lives on for as long as any link to it (PresignedUrlSeconds has half a day as its maximum), and an
# hour more. S3 deletes no file before its days are over (S3 user guide, "Expiring objects").
FILE_LEFT_SECONDS: Final = 13 * 3600
# When to look again while another job buys. What takes minutes is asked for less often; every trip adds to it.
PAUSE_SECONDS: Final = {Kind.TTS: 2.0, Kind.IMAGE: 5.0, Kind.VIDEO: 15.0, Kind.AUDIO: 15.0}
# How long after its deadline, or after the moment it was put off to, a buyer may still be at it.
GRACE_SECONDS: Final = 600


@frozen
class UnderWay:
    """Another job buys the same: look again at `at` (unix seconds)."""

    at: float


@frozen
class Need:
    """What one job wants. `max_age` of a result and `kept` of a file, in seconds."""

    job_id: str
    kind: Kind
    max_age: int
    kept: int


def answer_of(entry: ReuseEntry, need: Need, now: float) -> Reusable | UnderWay | None:
    """Return the result that will do, or that one is being bought; None where the job is to buy it."""
    result = entry.result
    if result is not None and fresh(result, need, now):
        return result
    if entry.buyer not in (None, need.job_id) and now * 1000 <= entry.until:
        return UnderWay(min(entry.until / 1000 + 1, now + PAUSE_SECONDS[need.kind]))
    return None


def fresh(result: Reusable, need: Need, now: float) -> bool:
    """Tell whether the result is as new as is wanted, and its files will be there for long enough."""
    new = now < result.settled_at / 1000 + need.max_age
    return new and now < result.received_at / 1000 + need.kept - FILE_LEFT_SECONDS


def busy_until(record: JobRecord | None) -> int:
    """Return until when a buyer that was late may still buy, by its record, in unix ms; 0 when it won't."""
    if record is None or record.status.settled:
        return 0
    match record.status:
        case JobStatus.RUNNING if record.lease_until is not None:
            return record.lease_until
        case JobStatus.DEFERRED:
            return (record.deferred_until or 0) + GRACE_SECONDS * 1000
        case _:
            return ((record.expires_at or 0) + GRACE_SECONDS) * 1000


def result_of(record: JobRecord | None) -> Reusable | None:
    """Return the result that a settled job has bought; None when it has none of its own."""
    if record is None or record.status is not JobStatus.SUCCEEDED or record.cached or record.settled_at is None:
        return None
    return Reusable(
        job_id=record.request_id,
        received_at=record.received_at,
        settled_at=record.settled_at,
        provider=record.provider,
        model=record.model,
        voice=record.voice,
        voice_substituted=record.voice_substituted,
        outputs=record.outputs,
        warnings=record.warnings,
    )


def bought(settlement: Settlement) -> Reusable | None:
    """Return what a job that is being settled has bought; None when it has no result."""
    if settlement.status is not JobStatus.SUCCEEDED or settlement.cached:
        return None
    return Reusable(
        job_id=settlement.request_id,
        received_at=settlement.settled_at - settlement.latency_ms - settlement.queue_ms,
        settled_at=settlement.settled_at,
        provider=settlement.provider,
        model=settlement.model,
        voice=settlement.voice,
        voice_substituted=settlement.voice_substituted,
        outputs=list(settlement.outputs),
        warnings=list(settlement.warnings),
    )


def delivered(result: Reusable, job_id: str, claim_id: str, *, received_at: int, now: float) -> Settlement:
    """Return the end of a job that is answered with the result; nothing was bought for it."""
    at = round(now * 1000)
    return Settlement(
        request_id=job_id,
        claim_id=claim_id,
        status=JobStatus.SUCCEEDED,
        settled_at=at,
        latency_ms=0,
        queue_ms=max(0, at - received_at),
        provider=result.provider,
        model=result.model,
        voice=result.voice,
        voice_substituted=result.voice_substituted,
        outputs=result.outputs,
        warnings=result.warnings,
        cached=True,
    )
