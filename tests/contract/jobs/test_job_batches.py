"""Jobs claimed and settled together: each under its own condition, as if it were alone."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.aws.stores import replacement
from mediarelay.job_records.claims import Claimed, Settlement
from mediarelay.job_records.contract import AttemptSummary, Output, Spending
from mediarelay.job_records.dynamodb import DynamoJobs, JobBatches
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import EPOCH_MS, claim
from tests.harness.local_aws import JOBS, LocalAws

RECEIVED = EPOCH_MS - 1500
ATTEMPT = AttemptSummary(provider="openai-tts", key_id="0123456789ab", outcome=Outcome.DELIVERED, latency_ms=7)
OUTPUT = Output(key="k", content_type="audio/mpeg", bytes=3, sha256="ab")


@pytest.fixture
def jobs(aws: LocalAws) -> DynamoJobs:
    return DynamoJobs(aws.dynamodb, JOBS)


@pytest.fixture
def batches(aws: LocalAws) -> JobBatches:
    return JobBatches(aws.dynamodb, JOBS)


def settlement(request_id: str, claim_id: str = "claim-1", **fields: Any) -> Settlement:
    given = {"status": JobStatus.SUCCEEDED, "settled_at": EPOCH_MS + 900, "latency_ms": 900, "queue_ms": 1500}
    return Settlement(request_id=request_id, claim_id=claim_id, **{**given, **fields})


def test_a_claim_in_a_batch_leaves_the_record_that_a_claim_alone_leaves(jobs: DynamoJobs, batches: JobBatches) -> None:
    fields: dict[str, Any] = {"tenant": "acme", "metadata": {"a": [1, 2.5, None]}}
    assert batches.claim([claim("together", **fields)]) == [Claimed(RECEIVED)]
    assert jobs.claim(claim("alone", **fields)) == Claimed(RECEIVED)
    together, alone = jobs.get("together"), jobs.get("alone")
    assert together
    assert alone
    assert together.model_dump(exclude={"request_id"}) == alone.model_dump(exclude={"request_id"})


def test_a_settlement_in_a_batch_leaves_the_record_that_one_alone_leaves(jobs: DynamoJobs, batches: JobBatches) -> None:
    bought = Spending(provider="openai-tts", model="m", estimate_usd=0.5, state=SpendingState.UNKNOWN)
    fields = {"attempts": [ATTEMPT], "outputs": [OUTPUT], "purchases": [bought], "provider": "openai-tts", "model": "m"}
    for request_id in ("together", "alone"):
        jobs.claim(claim(request_id))
    assert batches.settle([settlement("together", **fields)]) == [True]
    assert jobs.settle(settlement("alone", **fields))
    together, alone = jobs.get("together"), jobs.get("alone")
    assert together
    assert alone
    assert together.model_dump(exclude={"request_id"}) == alone.model_dump(exclude={"request_id"})


def test_a_job_that_exists_is_left_as_it_is_and_to_a_claim_of_its_own(jobs: DynamoJobs, batches: JobBatches) -> None:
    jobs.claim(claim("old"))
    before = jobs.get("old")
    assert batches.claim([claim("old", "claim-2"), claim("new", "claim-2")]) == [None, Claimed(RECEIVED)]
    assert jobs.get("old") == before


def test_one_id_twice_in_a_batch_is_written_once(jobs: DynamoJobs, batches: JobBatches) -> None:
    assert batches.claim([claim("one", "claim-1"), claim("one", "claim-2")]) == [Claimed(RECEIVED), None]
    first, second = settlement("one"), settlement("one", "claim-2", status=JobStatus.FAILED)
    assert batches.settle([first, second]) == [True, None]
    record = jobs.get("one")
    assert record
    assert (record.claim_id, record.status) == ("claim-1", JobStatus.SUCCEEDED)


def test_a_claim_that_is_lost_settles_nothing_and_holds_up_nobody(jobs: DynamoJobs, batches: JobBatches) -> None:
    for request_id in ("lost", "kept"):
        jobs.claim(claim(request_id))
    before = jobs.get("lost")
    endings = [settlement("lost", "claim-0"), settlement("kept"), settlement("unheard-of")]
    answers = batches.settle(endings)
    assert answers[1] is True
    assert [_alone(jobs, ending, answer=each) for each, ending in zip(answers, endings, strict=True)] == [
        False,
        True,
        False,
    ]
    assert jobs.get("lost") == before
    assert jobs.get("unheard-of") is None


def test_a_settlement_repeated_because_its_answer_was_lost_is_done(jobs: DynamoJobs, batches: JobBatches) -> None:
    jobs.claim(claim("one"))
    assert batches.settle([settlement("one")]) == [True]
    for again, mine in ((settlement("one"), True), (settlement("one", status=JobStatus.FAILED), False)):
        (answer,) = batches.settle([again])
        assert _alone(jobs, again, answer=answer) is mine


def _alone(jobs: DynamoJobs, ending: Settlement, *, answer: bool | StoreUnavailable | None) -> object:
    """What a batch answers; where that is nothing, what the table says to the settlement alone.

    AWS returns the item that a condition failed on (API reference, BatchStatementError), DynamoDB Local 1.25 does not.
    """
    return jobs._settle_alone(ending) if answer is None else answer


class Refusing:
    """A table that answers each statement with the same error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def batch_execute_statement(self, **call: Any) -> dict[str, Any]:
        """As boto3's."""
        return {"Responses": [{"Error": {"Code": self._code}} for _ in call["Statements"]]}


@pytest.mark.parametrize("code", ["ThrottlingError", "TransactionConflict", "AccessDenied", "InternalServerError"])
def test_a_statement_that_failed_is_the_stores_failure(code: str) -> None:
    batches = JobBatches(Refusing(code), JOBS)
    answers = [*batches.claim([claim()]), *batches.settle([settlement("job-1")])]
    assert all(isinstance(answer, StoreUnavailable) and answer.reason == code for answer in answers)


def test_a_statement_names_one_item_and_all_that_must_hold_of_it() -> None:
    # moto takes any WHERE; DynamoDB wants the whole key by equality (developer guide, PartiQL update statements)
    statement = replacement(
        "jobs", {"status": {"S": "done"}}, ("lease_until",), {"request_id": {"S": "1"}, "claim_id": {"S": "c"}}
    )
    assert (
        statement["Statement"]
        == 'UPDATE "jobs" SET "status"=? REMOVE "lease_until" WHERE "request_id"=? AND "claim_id"=?'
    )
    assert statement["Parameters"] == [{"S": "done"}, {"S": "1"}, {"S": "c"}]
