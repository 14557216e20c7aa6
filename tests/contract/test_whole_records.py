"""Every write of a job's record puts each fact in its own place, however the job stood before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.job_records.claims import Claimed, Rejection, Settlement
from mediarelay.job_records.contract import AttemptSummary, Interruption, JobError, JobRecord, Output, Spending
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.jobs import MemoryMediaJobs
from tests.harness.local_aws import JOBS

RECEIVED = EPOCH_MS - 1500
ERROR = JobError(code="not_json", message="the body is not JSON", retryable=False)
ATTEMPT = AttemptSummary(provider="openai-tts", key_id="0123456789ab", outcome=Outcome.THROTTLED, latency_ms=7)
FIRST = claim(metadata={"order": 1}, tenant="acme")
# No two facts of it are alike.
SECOND = claim(
    claim_id="claim-2",
    at=EPOCH_MS + 70_000,
    kind=Kind.IMAGE,
    lease_until=EPOCH_MS + 140_000,
    expires_at=EPOCH_MS // 1000 + 4000,
    ttl=EPOCH_MS // 1000 + 9000,
    tenant="other",
    metadata={"order": 7},
)
FACTS = {
    "kind": Kind.IMAGE,
    "fingerprint": "content-1",
    "received_at": RECEIVED,
    "claimed_at": EPOCH_MS + 70_000,
    "expires_at": EPOCH_MS // 1000 + 4000,
    "ttl": EPOCH_MS // 1000 + 9000,
    "tenant": "other",
    "metadata": {"order": 7},
}
CLAIMED = {**FACTS, "status": JobStatus.RUNNING, "claim_id": "claim-2", "lease_until": EPOCH_MS + 140_000}
BOUGHT = [
    Spending(provider="fal-flux", key_id="k1", model="m", estimate_usd=0.003, state=SpendingState.UNKNOWN, at=EPOCH_MS)
]
END = Settlement(
    request_id="job-1",
    claim_id="claim-1",
    status=JobStatus.FAILED,
    settled_at=EPOCH_MS + 900,
    latency_ms=901,
    queue_ms=1502,
    provider="fal-flux",
    model="fal-ai/flux/schnell",
    attempts=[ATTEMPT],
    outputs=[Output(key="image/x.png", content_type="image/png", bytes=3, sha256="ab" * 32)],
    purchases=BOUGHT,
    error=JobError(code="x", message="y", retryable=True),
    warnings=["retires soon"],
    interruptions=[Interruption(claim_id="claim-0", claimed_at=1, lease_until=2, adopted=True)],
)
ENDED = {
    name: getattr(END, name)
    for name in [
        "status",
        "settled_at",
        "latency_ms",
        "queue_ms",
        "provider",
        "model",
        "attempts",
        "outputs",
        "purchases",
        "error",
        "warnings",
        "interruptions",
    ]
} | {"cost_usd": 0.003, "cost_certain": False}


@pytest.fixture(params=["memory", "dynamodb"])
def jobs(request: pytest.FixtureRequest) -> JobStore:
    if request.param == "memory":
        return MemoryMediaJobs()
    return DynamoJobs(request.getfixturevalue("aws").dynamodb, JOBS)


@pytest.fixture(params=["memory", "dynamodb"])
def media_jobs(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryMediaJobs()
    return DynamoMediaJobs(request.getfixturevalue("aws").dynamodb, JOBS)


def holds(record: JobRecord | None, expected: dict[str, Any]) -> bool:
    assert record is not None
    assert {name: getattr(record, name) for name in expected} == expected
    return True


def rejection(**fields: Any) -> Rejection:
    return replace(Rejection("job-1", RECEIVED, EPOCH_MS + 3, ERROR, EPOCH_MS // 1000 + 60), **fields)


def nothing(jobs: JobStore) -> None:
    del jobs


def rejected(jobs: JobStore) -> None:
    jobs.reject(rejection())


def deferred(jobs: JobStore) -> None:
    jobs.claim(FIRST)
    jobs.defer("job-1", "claim-1", until=EPOCH_MS + 60_000, attempts=[ATTEMPT])


def abandoned(jobs: JobStore) -> None:
    jobs.claim(FIRST)


@pytest.mark.parametrize("before", [nothing, rejected, deferred, abandoned])
@pytest.mark.parametrize("known", [False, True])
def test_a_claim_writes_all_its_facts(jobs: JobStore, before: Callable[[JobStore], None], *, known: bool) -> None:
    before(jobs)
    assert isinstance(jobs.claim(replace(SECOND, known=known)), Claimed)
    assert holds(jobs.get("job-1"), CLAIMED)
    lost = Interruption(claim_id="claim-1", claimed_at=EPOCH_MS, lease_until=EPOCH_MS + 60_000)
    assert holds(jobs.get("job-1"), {"interruptions": [lost] if before is abandoned else [], "error": None})
    assert jobs.settle(replace(END, claim_id="claim-2")), "it is the claim that was written"


def test_a_deferral_writes_all_its_facts(jobs: JobStore) -> None:
    jobs.claim(FIRST)
    told = [(EPOCH_MS, "claimed", ""), (EPOCH_MS + 9, "deferred", str(EPOCH_MS + 60_000))]
    assert jobs.defer("job-1", "claim-1", until=EPOCH_MS + 60_000, attempts=[ATTEMPT], history=told)
    facts = {"status": JobStatus.DEFERRED, "deferred_until": EPOCH_MS + 60_000, "attempts": [ATTEMPT], "deferrals": 1}
    assert holds(jobs.get("job-1"), {"history": told})
    again = jobs.claim(replace(FIRST, claim_id="claim-2", known=True))
    assert isinstance(again, Claimed)
    assert again.history == tuple(told)
    assert jobs.defer("job-1", "claim-2", until=EPOCH_MS + 60_000, attempts=[ATTEMPT], history=told)
    facts["deferrals"] = 2
    assert holds(jobs.get("job-1"), {**facts, "claim_id": "claim-2", "lease_until": None, "tenant": "acme"})


def test_a_record_keeps_of_a_request_what_its_claim_says(jobs: JobStore, media_jobs: Any) -> None:
    for known in (False, True):
        jobs.claim(claim(f"job-{known}", known=known, asked={"excerpt": "a lighthouse"}))
        assert holds(jobs.get(f"job-{known}"), {"excerpt": "a lighthouse", "request": None})
    media_jobs.open(claim("clip", asked={"request": "{}"}))
    assert holds(media_jobs.get("clip"), {"excerpt": None, "request": "{}"})


def test_a_rejection_writes_all_its_facts(jobs: JobStore) -> None:
    assert jobs.reject(rejection(kind=Kind.IMAGE, tenant="acme"))
    facts = {"received_at": RECEIVED, "settled_at": EPOCH_MS + 3, "error": ERROR, "ttl": EPOCH_MS // 1000 + 60}
    assert holds(jobs.get("job-1"), {**facts, "status": JobStatus.REJECTED, "kind": Kind.IMAGE, "tenant": "acme"})


def test_a_settlement_writes_all_its_facts(jobs: JobStore) -> None:
    jobs.claim(FIRST)
    assert jobs.settle(END)
    assert holds(jobs.get("job-1"), {**ENDED, "lease_until": None, "claim_id": "claim-1", "tenant": "acme"})


def test_a_settlement_that_goes_by_itself_writes_all_its_facts_under_its_own_condition(aws: Any) -> None:
    """One that shares its batch with another of the same job does."""
    jobs = DynamoJobs(aws.dynamodb, JOBS)
    assert not jobs._settle_alone(END)
    assert jobs.get("job-1") is None
    jobs.claim(FIRST)
    before = jobs.get("job-1")
    assert not jobs._settle_alone(replace(END, claim_id="claim-0"))
    assert jobs.get("job-1") == before
    assert jobs._settle_alone(END)
    assert holds(jobs.get("job-1"), {**ENDED, "lease_until": None, "claim_id": "claim-1", "tenant": "acme"})
    assert not jobs._settle_alone(replace(END, status=JobStatus.SUCCEEDED))


@pytest.mark.parametrize("before", [nothing, rejected])
def test_opening_a_job_writes_all_its_facts(media_jobs: Any, before: Callable[[Any], None]) -> None:
    before(getattr(media_jobs, "_records", None) if isinstance(media_jobs, DynamoMediaJobs) else media_jobs)
    media_jobs.open(SECOND)
    assert holds(media_jobs.get("job-1"), {**FACTS, "status": JobStatus.QUEUED, "error": None, "settled_at": None})


def test_settling_a_clip_writes_all_its_facts(media_jobs: Any) -> None:
    media_jobs.open(SECOND)
    assert media_jobs.settle_media(END)
    assert holds(media_jobs.get("job-1"), {**ENDED, "kind": Kind.IMAGE, "tenant": "other"})
