"""Every kind and status of a job, written through the adapters."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from mediarelay.job_records.claims import Claim, Rejection, Settlement
from mediarelay.job_records.contract import AttemptSummary, Interruption, JobError, Output, Spending, Submission
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState, SubmitState
from mediarelay.vocabulary.outcome import Outcome
from tests.compat.recorder import Recorder
from tests.harness.local_aws import JOBS

AT: Final = 1_798_000_000_000
ENDS: Final = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.EXPIRED)
ATTEMPTS: Final = (
    AttemptSummary(
        provider="openai-tts",
        key_id="0123456789ab",
        outcome=Outcome.THROTTLED,
        latency_ms=85,
        status=429,
        code="rate_limit_exceeded",
    ),
    AttemptSummary(provider="elevenlabs-tts", key_id="ba9876543210", outcome=Outcome.DELIVERED, latency_ms=912),
)


def claim(job: str, kind: Kind = Kind.TTS, number: int = 1, **fields: Any) -> Claim:
    at = AT + number * 1000
    given: dict[str, Any] = {
        "claim_id": f"claim-{number}",
        "received_at": AT - 1500,
        "claimed_at": at,
        "lease_until": at + 60_000,
        "expires_at": AT // 1000 + 3600,
        "ttl": AT // 1000 + 8 * 86_400,
        **fields,
    }
    return Claim(request_id=job, kind=kind, fingerprint="f00dfeed01234567", **given)


PAID = Spending(
    provider="elevenlabs-tts", model="m", estimate_usd=0.002, state=SpendingState.CHARGED, cost_usd=0.00125, at=AT
)


def end(job: str, status: JobStatus, **fields: Any) -> Settlement:
    succeeded = status is JobStatus.SUCCEEDED
    output = Output(key=f"tts/2026/12/23/{job}/x-0.mp3", content_type="audio/mpeg", bytes=4096, sha256="ab" * 32)
    given: dict[str, Any] = {
        "claim_id": "claim-1",
        "settled_at": AT + 5000,
        "latency_ms": 4000,
        "queue_ms": 2500,
        "provider": "elevenlabs-tts",
        "model": "eleven_flash_v2_5" if succeeded else None,
        "attempts": ATTEMPTS,
        "outputs": [output] if succeeded else [],
        "purchases": [PAID] if succeeded else [],
        "error": None if succeeded else JobError(code="no_provider_left", message="Nobody could.", retryable=True),
        "warnings": ["eleven_flash_v2_5 retires on 2027-03-01"] if succeeded else [],
        **fields,
    }
    return Settlement(request_id=job, status=status, **given)


def submission(state: SubmitState, **fields: Any) -> Submission:
    facts = {"provider": "kling-video", "model": "kling-v2-6", "key_id": "0123456789ab", "account": "studio"}
    return Submission(state=state, sent_at=AT + 2000, lease_until=AT + 32_000, **facts, **fields)


def write(recorder: Recorder) -> None:
    """Fill the Jobs table."""
    write_calls(recorder, DynamoJobs(recorder.client, JOBS))
    write_refused(recorder, DynamoJobs(recorder.client, JOBS))
    for kind in (Kind.VIDEO, Kind.AUDIO):
        write_long(recorder, DynamoMediaJobs(recorder.client, JOBS), kind)


def write_calls(recorder: Recorder, jobs: DynamoJobs) -> None:
    """Jobs that a worker serves by itself: claimed, put off, taken over, settled."""
    published: dict[str, Any] = {"tenant": "acme", "metadata": {"order": 17, "tags": ["a", "b"], "draft": False}}
    for kind in (Kind.TTS, Kind.IMAGE):
        recorder.does(partial(jobs.claim, claim(f"{kind}-claimed", kind)))
        recorder.does(partial(jobs.claim, claim(f"{kind}-known", kind, known=True, **published)))
        for status in ENDS:
            for known in (False, True):
                job = f"{kind}-{status}{'-known' if known else ''}"
                recorder.does(partial(jobs.claim, claim(job, kind, known=known, **published)))
                recorder.does(partial(jobs.settle, end(job, status)))
    recorder.does(partial(jobs.claim, claim("branch#openai-tts")))
    recorder.does(partial(jobs.settle, end("branch#openai-tts", JobStatus.SUCCEEDED)))
    for job in ("deferred", "deferred-again", "deferred-served"):
        recorder.does(partial(jobs.claim, claim(job)))
        recorder.does(partial(jobs.defer, job, "claim-1", until=AT + 30_000, attempts=ATTEMPTS))
    for job in ("deferred-again", "deferred-served"):
        recorder.does(partial(jobs.claim, claim(job, number=31, known=True)))
    recorder.does(partial(jobs.defer, "deferred-again", "claim-31", until=AT + 90_000, attempts=ATTEMPTS))
    recorder.does(partial(jobs.settle, end("deferred-served", JobStatus.SUCCEEDED, claim_id="claim-31")))
    for job in ("abandoned", "adopted"):
        recorder.does(partial(jobs.claim, claim(job)))
        recorder.does(partial(jobs.claim, claim(job, number=70, known=True)))
    lost = Interruption(claim_id="claim-1", claimed_at=AT + 1000, lease_until=AT + 61_000, adopted=True)
    adopted = end("adopted", JobStatus.SUCCEEDED, claim_id="claim-70", interruptions=[lost])
    recorder.does(partial(jobs.settle, adopted))


def write_refused(recorder: Recorder, jobs: DynamoJobs) -> None:
    """Messages that could not be served, and one whose publisher mended it."""
    error = JobError(code="invalid_request", message="input.text: Field required", retryable=False)
    facts: dict[str, Any] = {"received_at": AT, "settled_at": AT + 40, "error": error, "ttl": AT // 1000 + 86_400}
    recorder.does(partial(jobs.reject, Rejection("rejected-unread", **facts)))
    for job in ("rejected", "rejected-mended"):
        recorder.does(partial(jobs.reject, Rejection(job, kind=Kind.IMAGE, tenant="acme", **facts)))
    recorder.does(partial(jobs.claim, claim("rejected-mended", Kind.IMAGE, known=True)))


def write_long(recorder: Recorder, jobs: DynamoMediaJobs, kind: Kind) -> None:
    """Jobs that an execution serves, in every state of their submit and settled from each end."""
    job = partial("{}-{}".format, kind)
    states = ("queued", *SubmitState, "cancelled", *ENDS)
    for state in states:
        recorder.does(partial(jobs.open, claim(job(state), kind, tenant="acme", metadata={"order": 17})))
    unknown = submission(SubmitState.SENT_UNKNOWN)
    for state in states[2:]:
        recorder.does(partial(jobs.note_submit, job(state), unknown, before=None, purchases=[]))
    nothing = submission(SubmitState.NOT_SENT)
    recorder.does(partial(jobs.note_submit, job(SubmitState.NOT_SENT), nothing, before=None, purchases=[]))
    looked = submission(SubmitState.SENT_UNKNOWN, absences=1)
    recorder.does(partial(jobs.note_submit, job(SubmitState.SENT_UNKNOWN), looked, before=unknown, purchases=[]))
    accepted = submission(SubmitState.ACCEPTED, answered_at=AT + 2600, task={"task_id": "t-1"})
    for state in states[3:]:
        recorder.does(partial(jobs.note_submit, job(state), accepted, before=unknown, purchases=[]))
    recorder.does(partial(jobs.note_cancel, job("cancelled"), AT + 9000))
    for status in ENDS:
        recorder.does(partial(jobs.settle_media, end(job(status), status, provider="kling-video")))
