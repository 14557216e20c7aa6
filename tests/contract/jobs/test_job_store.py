"""Both job stores, the table and its fake, keep the same promises."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from random import Random
from typing import Any

import pytest

from mediarelay.api.publishing.dynamodb import DynamoNotes
from mediarelay.budgets.earmarking import Budgets
from mediarelay.budgets.jobs import BudgetedJobs
from mediarelay.job_records.claims import (
    AlreadySettled,
    Cancelled,
    Claimed,
    Conflict,
    Group,
    Held,
    Rejection,
    Settlement,
)
from mediarelay.job_records.contract import AttemptSummary, Interruption, JobError, JobRecord, Output, Spending
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.clock import ManualClock
from tests.doubles.jobs import FixedPlan, MemoryBudgets, MemoryJobs
from tests.harness.local_aws import JOBS

LATER = EPOCH_MS + 60_001
ATTEMPT = AttemptSummary(provider="openai-tts", key_id="0123456789ab", outcome=Outcome.THROTTLED, latency_ms=7)
RECEIVED = EPOCH_MS - 1500


Note = Callable[[JobRecord], bool]


@pytest.fixture(params=["memory", "dynamodb", "budgeted"])
def stores(request: pytest.FixtureRequest) -> tuple[JobStore, Note]:
    """A job store, and what the API writes to the same one."""
    if request.param == "dynamodb":
        client = request.getfixturevalue("aws").dynamodb
        return DynamoJobs(client, JOBS), DynamoNotes(client, JOBS).note
    records = MemoryJobs()
    if request.param == "memory":
        return records, records.note
    plan, dice = FixedPlan('{"tenants": {"acme": {"day_usd": 100}}}'), Random(0)
    return BudgetedJobs(records, Budgets(MemoryBudgets(), plan, ManualClock(), dice)), records.note


@pytest.fixture
def jobs(stores: tuple[JobStore, Note]) -> JobStore:
    return stores[0]


def settlement(claim_id: str = "claim-1", **fields: Any) -> Settlement:
    given = {"status": JobStatus.SUCCEEDED, "settled_at": EPOCH_MS + 900, "latency_ms": 900, "queue_ms": 1500}
    return Settlement(request_id="job-1", claim_id=claim_id, **{**given, **fields})


def rejection(request_id: str = "job-1", code: str = "not_json", **fields: Any) -> Rejection:
    error = JobError(code=code, message="the body is not JSON", retryable=False)
    return Rejection(request_id, RECEIVED, EPOCH_MS, error, EPOCH_MS // 1000 + 60, **fields)


OF_PUBLISHER: dict[str, Any] = {
    "metadata": {"order": 7},
    "message_id": "message-1",
    "client": "studio-7",
    "reply_to": f"mediarelay-reply-{'0' * 32}",
    "callback_url": "https://hooks.example.com/",
    "callback_body": "thin",
}


def of_publisher(jobs: JobStore) -> dict[str, Any]:
    record = jobs.get("job-1")
    assert record is not None
    return record.model_dump(include={*OF_PUBLISHER}, exclude_defaults=True)


def test_who_published_is_kept_of_a_claim_and_of_a_rejection(jobs: JobStore) -> None:
    jobs.reject(rejection(**OF_PUBLISHER))
    assert of_publisher(jobs) == OF_PUBLISHER
    jobs.claim(claim(**{**OF_PUBLISHER, "client": "studio-8"}))
    assert of_publisher(jobs) == {**OF_PUBLISHER, "client": "studio-8"}


def test_nothing_of_another_publisher_stays_after_a_rejection(jobs: JobStore) -> None:
    jobs.reject(rejection(**OF_PUBLISHER))
    jobs.reject(rejection())
    assert of_publisher(jobs) == {}
    jobs.reject(rejection(**OF_PUBLISHER))
    jobs.claim(claim())
    assert of_publisher(jobs) == {}


def note(stores: tuple[JobStore, Note], **fields: Any) -> None:
    """A note that the request is on the queue, as the API leaves it."""
    facts: dict[str, Any] = {"request_id": "job-1", "fingerprint": "content-1", "message_id": "message-1", **fields}
    record = JobRecord(status=JobStatus.QUEUED, received_at=RECEIVED, kind=Kind.TTS, **facts)
    assert stores[1](record)


def test_a_request_that_is_noted_as_queued_is_claimed(stores: tuple[JobStore, Note], jobs: JobStore) -> None:
    note(stores)
    assert jobs.claim(claim()) == Claimed(RECEIVED)
    assert isinstance(jobs.claim(claim(claim_id="claim-2", at=EPOCH_MS + 10)), Held)


def test_what_is_known_of_a_job_is_not_replaced_by_a_note(stores: tuple[JobStore, Note], jobs: JobStore) -> None:
    jobs.claim(claim())
    before = jobs.get("job-1")
    assert before is not None
    assert not stores[1](before.model_copy(update={"status": JobStatus.QUEUED, "claimed_at": None}))
    assert jobs.get("job-1") == before


def test_a_note_is_of_its_own_request_only(stores: tuple[JobStore, Note], jobs: JobStore) -> None:
    note(stores)
    assert jobs.claim(claim(fingerprint="content-2")) == Conflict()
    assert jobs.reject(rejection(message_id="message-2")) is False
    assert jobs.reject(rejection(message_id="message-1")) is True
    record = jobs.get("job-1")
    assert record is not None
    assert record.status is JobStatus.REJECTED


def test_a_group_is_opened_where_its_request_is_noted(stores: tuple[JobStore, Note], jobs: JobStore) -> None:
    note(stores, fingerprint=group().fingerprint)
    assert jobs.open_group(group()) is None
    record = jobs.get("job-1")
    assert record is not None
    assert record.branches == list(group().branches)


def test_what_was_cancelled_while_it_was_queued_is_not_served(stores: tuple[JobStore, Note], jobs: JobStore) -> None:
    note(stores, cancelled_at=EPOCH_MS)
    assert jobs.claim(claim()) == Cancelled()
    error = JobError(code="cancelled", message="x", retryable=False)
    assert jobs.end_unserved(claim(), error)
    assert jobs.claim(claim()) == AlreadySettled(JobStatus.FAILED)


def test_the_first_claim_wins(jobs: JobStore) -> None:
    assert jobs.claim(claim()) == Claimed(RECEIVED)


def test_a_second_worker_is_told_until_when_the_job_is_held(jobs: JobStore) -> None:
    jobs.claim(claim())
    assert jobs.claim(claim(claim_id="claim-2", at=EPOCH_MS + 10)) == Held(EPOCH_MS + 60_000)


def test_a_lease_is_held_through_its_last_millisecond(jobs: JobStore) -> None:
    jobs.claim(claim())
    assert jobs.claim(claim(claim_id="claim-2", at=EPOCH_MS + 60_000)) == Held(EPOCH_MS + 60_000)


def test_a_settled_job_is_already_settled(jobs: JobStore) -> None:
    jobs.claim(claim())
    jobs.settle(settlement())
    assert jobs.claim(claim(claim_id="claim-2", at=LATER)) == AlreadySettled(JobStatus.SUCCEEDED)


def test_another_content_under_the_same_id_is_a_conflict_however_the_job_stands(jobs: JobStore) -> None:
    other = claim(claim_id="claim-2", at=LATER, fingerprint="content-2")
    jobs.claim(claim())
    assert jobs.claim(other) == Conflict()
    jobs.defer("job-1", "claim-1", until=LATER, attempts=[])
    assert jobs.claim(other) == Conflict()
    jobs.claim(claim(claim_id="claim-3"))
    jobs.settle(settlement("claim-3"))
    assert jobs.claim(other) == Conflict()


def test_an_expired_lease_is_taken_over_and_the_interruption_recorded_at_once(jobs: JobStore) -> None:
    jobs.claim(claim())
    lost = Interruption(claim_id="claim-1", claimed_at=EPOCH_MS, lease_until=EPOCH_MS + 60_000)
    assert jobs.claim(claim(claim_id="claim-2", at=LATER)) == Claimed(RECEIVED, (lost,), interrupted=True)
    record = jobs.get("job-1")
    assert record is not None
    assert (record.interruptions, record.claim_id, record.claims) == ([lost], "claim-2", 2)


def test_every_interruption_is_kept_in_order(jobs: JobStore) -> None:
    for number in range(4):
        answer = jobs.claim(claim(claim_id=f"claim-{number}", at=EPOCH_MS + number * 70_000))
    assert isinstance(answer, Claimed)
    assert [lost.claim_id for lost in answer.interruptions] == ["claim-0", "claim-1", "claim-2"]


def test_a_deferred_job_can_be_claimed_and_tells_what_was_tried(jobs: JobStore) -> None:
    jobs.claim(claim())
    assert jobs.defer("job-1", "claim-1", until=LATER, attempts=[ATTEMPT])
    assert jobs.claim(claim(claim_id="claim-2", at=EPOCH_MS + 5)) == Claimed(RECEIVED, attempts=(ATTEMPT,))


def test_a_deferral_drops_the_lease_and_is_counted(jobs: JobStore) -> None:
    jobs.claim(claim())
    jobs.defer("job-1", "claim-1", until=LATER, attempts=[])
    record = jobs.get("job-1")
    assert record is not None
    assert (record.status, record.deferred_until, record.lease_until, record.deferrals) == (
        JobStatus.DEFERRED,
        LATER,
        None,
        1,
    )


def test_a_claim_ends_the_deferral(jobs: JobStore) -> None:
    jobs.claim(claim())
    jobs.defer("job-1", "claim-1", until=LATER, attempts=[])
    jobs.claim(claim(claim_id="claim-2"))
    record = jobs.get("job-1")
    assert record is not None
    assert (record.status, record.deferred_until) == (JobStatus.RUNNING, None)


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.EXPIRED])
def test_settling_drops_the_lease(jobs: JobStore, status: JobStatus) -> None:
    jobs.claim(claim())
    assert jobs.settle(settlement(status=status))
    record = jobs.get("job-1")
    assert record is not None
    assert (record.status, record.lease_until) == (status, None)


def test_settling_by_a_stale_claim_writes_nothing(jobs: JobStore) -> None:
    jobs.claim(claim())
    jobs.claim(claim(claim_id="claim-2", at=LATER))
    before = jobs.get("job-1")
    assert jobs.settle(settlement("claim-1")) is False
    assert jobs.defer("job-1", "claim-1", until=LATER, attempts=[ATTEMPT]) is False
    assert jobs.get("job-1") == before


def test_settling_a_job_nobody_claimed_writes_nothing(jobs: JobStore) -> None:
    assert jobs.settle(settlement()) is False
    assert jobs.defer("job-1", "claim-1", until=LATER, attempts=[]) is False
    assert jobs.get("job-1") is None


def test_a_settlement_repeated_because_its_answer_was_lost_succeeds_and_changes_nothing(jobs: JobStore) -> None:
    jobs.claim(claim())
    assert jobs.settle(settlement())
    before = jobs.get("job-1")
    assert jobs.settle(settlement()) is True
    assert jobs.get("job-1") == before


def test_a_deferral_repeated_because_its_answer_was_lost_succeeds_and_counts_once(jobs: JobStore) -> None:
    jobs.claim(claim())
    for _ in range(2):
        assert jobs.defer("job-1", "claim-1", until=LATER, attempts=[]) is True
    record = jobs.get("job-1")
    assert record is not None
    assert record.deferrals == 1


def test_a_claim_repeated_because_its_answer_was_lost_is_still_ours(jobs: JobStore) -> None:
    jobs.claim(claim())
    assert jobs.claim(claim()) == Claimed(RECEIVED)


def test_a_repeated_takeover_still_says_that_it_was_one(jobs: JobStore) -> None:
    jobs.claim(claim())
    first = jobs.claim(claim(claim_id="claim-2", at=LATER))
    assert jobs.claim(claim(claim_id="claim-2", at=LATER)) == first


def test_a_deferred_claim_is_not_ours_any_more_but_can_be_taken_like_any_deferred_job(jobs: JobStore) -> None:
    jobs.claim(claim())
    jobs.defer("job-1", "claim-1", until=LATER, attempts=[ATTEMPT])
    assert jobs.claim(claim()) == Claimed(RECEIVED, attempts=(ATTEMPT,))


def test_a_rejected_id_may_be_claimed_by_a_mended_request(jobs: JobStore) -> None:
    assert jobs.reject(rejection())
    assert isinstance(jobs.claim(claim()), Claimed)
    record = jobs.get("job-1")
    assert record is not None
    assert (record.status, record.error, record.settled_at) == (JobStatus.RUNNING, None, None)


def test_a_rejection_may_be_repeated(jobs: JobStore) -> None:
    assert jobs.reject(rejection())
    assert jobs.reject(rejection(code="unknown_kind"))
    record = jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.REJECTED, "unknown_kind")


def test_the_id_of_a_served_job_is_never_rejected(jobs: JobStore) -> None:
    jobs.claim(claim())
    before = jobs.get("job-1")
    assert jobs.reject(rejection()) is False
    assert jobs.get("job-1") == before
    jobs.settle(settlement())
    assert jobs.reject(rejection()) is False


def test_a_record_round_trips_with_all_its_fields(jobs: JobStore) -> None:
    metadata = {"order": 7, "nested": {"ratio": 0.25, "none": None, "list": [1, "två", True]}}
    jobs.claim(claim(kind=Kind.IMAGE, tenant="acme", **{**OF_PUBLISHER, "metadata": metadata}))
    lost = Interruption(claim_id="claim-0", claimed_at=1, lease_until=2, adopted=True)
    outputs = [Output(key="image/x.png", content_type="image/png", bytes=3, sha256="ab" * 32)]
    attempt = ATTEMPT.model_copy(update={"status": 429, "code": "rate_limit_exceeded"})
    bought = Spending(
        provider="fal-flux", model="m", estimate_usd=0.5, state=SpendingState.CHARGED, cost_usd=0.003, at=EPOCH_MS
    )
    end = settlement(
        provider="fal-flux",
        model="fal-ai/flux/schnell",
        voice="Kore",
        voice_substituted=True,
        attempts=[attempt, ATTEMPT],
        outputs=outputs,
        purchases=[bought],
        error=JobError(code="x", message="y", retryable=True, would_take_seconds=70.5),
        warnings=["retires soon"],
        interruptions=[lost],
    )
    assert jobs.settle(end)
    record = jobs.get("job-1")
    assert record is not None
    assert record.model_dump() == {
        "request_id": "job-1",
        "status": JobStatus.SUCCEEDED,
        "kind": Kind.IMAGE,
        "fingerprint": "content-1",
        "received_at": RECEIVED,
        "expires_at": EPOCH_MS // 1000 + 3600,
        "claim_id": "claim-1",
        "claimed_at": EPOCH_MS,
        "lease_until": None,
        "claims": 1,
        "deferrals": 0,
        "deferred_until": None,
        "history": [],
        "excerpt": None,
        "request": None,
        "cancelled_at": None,
        "earmark": None,  # the claim buys nothing
        "submit": None,
        "published_id": None,
        "branches": [],
        "parts_total": None,
        "parts_done": None,
        "parts_spoken": [],
        "stopped_at": None,
        "interruptions": [lost.model_dump()],
        "tenant": "acme",
        **OF_PUBLISHER,
        "metadata": metadata,
        "callback": None,
        "provider": "fal-flux",
        "model": "fal-ai/flux/schnell",
        "voice": "Kore",
        "voice_substituted": True,
        "attempts": [attempt.model_dump(), ATTEMPT.model_dump()],
        "outputs": [output.model_dump() for output in outputs],
        "purchases": [bought.model_dump()],
        "cost_usd": 0.003,
        "cost_certain": True,
        "cached": False,
        "warnings": ["retires soon"],
        "error": {"code": "x", "message": "y", "retryable": True, "would_take_seconds": 70.5},
        "queue_ms": 1500,
        "latency_ms": 900,
        "settled_at": EPOCH_MS + 900,
        "ttl": EPOCH_MS // 1000 + 7200,
    }


def test_an_unknown_job_is_none(jobs: JobStore) -> None:
    assert jobs.get("nobody") is None


def test_of_eight_workers_at_once_exactly_one_gets_the_job(jobs: JobStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: jobs.claim(claim(claim_id=f"claim-{n}")), range(8)))
    assert sum(isinstance(answer, Claimed) for answer in answers) == 1
    assert sum(isinstance(answer, Held) for answer in answers) == 7


def test_of_eight_workers_at_once_exactly_one_takes_over(jobs: JobStore) -> None:
    jobs.claim(claim())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: jobs.claim(claim(claim_id=f"heir-{n}", at=LATER)), range(8)))
    assert sum(isinstance(answer, Claimed) for answer in answers) == 1


def group(**fields: Any) -> Group:
    given: dict[str, Any] = {
        "request_id": "job-1",
        "kind": Kind.TTS,
        "fingerprint": "f-1",
        "received_at": RECEIVED,
        "expires_at": EPOCH_MS + 90_000,
        "ttl": EPOCH_MS // 1000 + 86_400,
        "branches": ("openai-tts", "polly-tts"),
        "tenant": "acme",
    }
    return Group(**{**given, **fields})


def test_a_group_is_recorded_with_all_that_it_is_of(jobs: JobStore) -> None:
    assert jobs.open_group(group()) is None
    record = jobs.get("job-1")
    assert record is not None
    kept = record.model_dump(exclude_defaults=True, mode="json")
    asked = {name: value for name, value in asdict(group()).items() if name != "opened_at"}
    assert kept == {**asked, "branches": ["openai-tts", "polly-tts"], "status": "queued", "kind": "tts"}


def test_a_group_may_be_opened_again_by_the_same_request_and_by_no_other(jobs: JobStore) -> None:
    assert jobs.open_group(group()) is None
    assert jobs.open_group(group(fingerprint="f-2", branches=("polly-tts",))) == Conflict()
    record = jobs.get("job-1")
    assert record is not None
    assert (record.fingerprint, record.branches) == ("f-1", ["openai-tts", "polly-tts"])
    assert jobs.open_group(group()) is None


def test_a_group_is_not_opened_over_a_job(jobs: JobStore) -> None:
    jobs.claim(claim())
    before = jobs.get("job-1")
    assert jobs.open_group(group()) == Conflict()
    assert jobs.get("job-1") == before


def test_a_group_is_opened_under_an_id_that_was_rejected_and_nothing_of_the_rejection_stays(jobs: JobStore) -> None:
    jobs.reject(rejection(**OF_PUBLISHER))
    assert jobs.open_group(group()) is None
    assert of_publisher(jobs) == {}
    record = jobs.get("job-1")
    assert record is not None
    assert (record.status, record.error, record.settled_at) == (JobStatus.QUEUED, None, None)
