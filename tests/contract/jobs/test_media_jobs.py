"""The Jobs table as executions use it: the fake and DynamoDB keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from mediarelay.budgets.earmarking import Budgets
from mediarelay.budgets.jobs import BudgetedMediaJobs
from mediarelay.job_records.claims import AlreadySettled, Conflict, Rejection, Settlement
from mediarelay.job_records.contract import JobError, Output, Spending, Submission
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs
from mediarelay.long_jobs.ports import Opened
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState, SubmitState
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.clock import ManualClock
from tests.doubles.jobs import FixedPlan, MemoryBudgets, MemoryMediaJobs
from tests.harness.local_aws import JOBS, local_aws
from tools.simulation.aws.stores import Book, WatchedJobs
from tools.simulation.loop import Loop


@pytest.fixture(params=["memory", "watched", "dynamodb", "budgeted"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "budgeted":
        plan, dice = FixedPlan('{"tenants": {"acme": {"day_usd": 100}}}'), Random(0)
        yield BudgetedMediaJobs(MemoryMediaJobs(), Budgets(MemoryBudgets(), plan, ManualClock(), dice))
        return
    if request.param in {"memory", "watched"}:
        yield MemoryMediaJobs() if request.param == "memory" else WatchedJobs(Loop(), Book())
        return
    with local_aws() as account:
        yield DynamoMediaJobs(account.dynamodb, JOBS)


BOUGHT = Spending(
    provider="kling-video",
    model="kling-v2-6",
    estimate_usd=0.3,
    state=SpendingState.CHARGED,
    cost_usd=0.21,
    at=EPOCH_MS,
)


def permit_request(**fields: Any) -> Any:
    return claim(kind=Kind.VIDEO, **fields)


def submit(state: SubmitState = SubmitState.SENT_UNKNOWN, sent_at: int = EPOCH_MS, **fields: Any) -> Submission:
    given = {"provider": "kling-video", "model": "kling-v2-6", "key_id": "k1", "account": "studio", **fields}
    return Submission(state=state, sent_at=sent_at, lease_until=sent_at + 60_000, **given)


def ended(status: JobStatus = JobStatus.SUCCEEDED, settled_at: int = EPOCH_MS + 9, **fields: Any) -> Settlement:
    return Settlement("job-1", "", status, settled_at, latency_ms=9, queue_ms=1, **fields)


def test_a_job_is_opened_once_and_found_open_after_that(store: Any) -> None:
    assert store.open(permit_request()) == Opened(EPOCH_MS - 1500, EPOCH_MS, again=False)
    assert store.open(permit_request(at=EPOCH_MS + 50, received_at=EPOCH_MS)) == Opened(
        EPOCH_MS - 1500, EPOCH_MS, again=True
    )
    record = store.get("job-1")
    assert (record.status, record.kind, record.claimed_at) == (JobStatus.QUEUED, Kind.VIDEO, EPOCH_MS)


def test_another_content_under_the_same_id_is_a_conflict(store: Any) -> None:
    store.open(permit_request())
    assert store.open(permit_request(fingerprint="another")) == Conflict()


def test_a_settled_job_is_not_opened_again(store: Any) -> None:
    store.open(permit_request())
    assert store.settle_media(ended())
    assert store.open(permit_request()) == AlreadySettled(JobStatus.SUCCEEDED)


def test_a_rejected_id_may_be_opened(store: Any) -> None:
    error = JobError(code="invalid_request", message="no", retryable=False)
    rejection = Rejection("job-1", EPOCH_MS, EPOCH_MS, error, ttl=9)
    inner = store._jobs if isinstance(store, BudgetedMediaJobs) else store
    (inner._records if isinstance(inner, DynamoMediaJobs) else inner).reject(rejection)
    assert isinstance(store.open(permit_request()), Opened)
    assert store.get("job-1").error is None


def test_a_submit_is_noted_before_and_after_and_the_status_follows(store: Any) -> None:
    store.open(permit_request())
    sent, taken = submit(), submit(SubmitState.ACCEPTED, task={"task_id": "t-1"}, answered_at=EPOCH_MS + 5)
    assert store.note_submit("job-1", sent, before=None, purchases=[BOUGHT])
    assert (store.get("job-1").status, store.get("job-1").submit) == (JobStatus.RUNNING, sent)
    assert store.note_submit("job-1", taken, before=sent, purchases=[BOUGHT])
    assert (store.get("job-1").status, store.get("job-1").submit) == (JobStatus.POLLING, taken)


def test_only_one_of_two_senders_gets_its_note_in(store: Any) -> None:
    store.open(permit_request())
    assert store.note_submit("job-1", submit(), before=None, purchases=[BOUGHT])
    assert not store.note_submit("job-1", submit(sent_at=EPOCH_MS + 1), before=None, purchases=[BOUGHT])
    assert store.get("job-1").submit == submit()


def test_a_note_on_another_submit_than_the_one_that_stands_is_refused(store: Any) -> None:
    store.open(permit_request())
    store.note_submit("job-1", submit(), before=None, purchases=[BOUGHT])
    late = submit(SubmitState.ACCEPTED, sent_at=EPOCH_MS - 9)
    assert not store.note_submit("job-1", late, before=submit(sent_at=EPOCH_MS - 9), purchases=[])
    assert not store.note_submit(
        "job-1", submit(SubmitState.ACCEPTED), before=submit(SubmitState.NOT_SENT), purchases=[]
    )


def test_a_note_whose_answer_was_lost_is_recognised_as_done(store: Any) -> None:
    store.open(permit_request())
    for _ in range(2):
        assert store.note_submit("job-1", submit(), before=None, purchases=[BOUGHT])
    taken = submit(SubmitState.ACCEPTED)
    for _ in range(2):
        assert store.note_submit("job-1", taken, before=submit(), purchases=[BOUGHT])


def test_nothing_is_noted_on_a_settled_job_or_on_none(store: Any) -> None:
    assert not store.note_submit("job-1", submit(), before=None, purchases=[BOUGHT])
    assert not store.note_cancel("job-1", EPOCH_MS)
    store.open(permit_request())
    store.settle_media(ended())
    assert not store.note_submit("job-1", submit(), before=None, purchases=[BOUGHT])
    assert not store.note_cancel("job-1", EPOCH_MS)
    assert store.get("job-1").cancelled_at is None


@pytest.mark.parametrize("state", [None, SubmitState.SENT_UNKNOWN, SubmitState.ACCEPTED])
def test_an_open_job_is_settled_once_from_wherever_it_stands(store: Any, state: SubmitState | None) -> None:
    store.open(permit_request())
    if state is not None:
        store.note_submit("job-1", submit(state), before=None, purchases=[BOUGHT])
    output = Output(key="k", content_type="video/mp4", bytes=7, sha256="ab")
    assert store.settle_media(ended(provider="kling-video", outputs=[output], purchases=[BOUGHT]))
    assert not store.settle_media(ended(JobStatus.FAILED, settled_at=EPOCH_MS + 99))
    record = store.get("job-1")
    assert (record.status, record.provider, record.outputs) == (JobStatus.SUCCEEDED, "kling-video", [output])
    assert record.cost_usd == pytest.approx(0.21)


def test_a_settlement_whose_answer_was_lost_is_recognised_as_done(store: Any) -> None:
    store.open(permit_request())
    for _ in range(2):
        assert store.settle_media(ended())


def test_no_submit_is_noted_of_a_job_that_was_cancelled(store: Any) -> None:
    store.open(permit_request())
    store.note_cancel("job-1", EPOCH_MS + 7)
    assert not store.note_submit("job-1", submit(), before=None, purchases=[BOUGHT])
    record = store.get("job-1")
    assert (record.submit, record.purchases, record.cancelled_at) == (None, [], EPOCH_MS + 7)


def test_a_cancellation_is_noted(store: Any) -> None:
    store.open(permit_request())
    assert store.note_cancel("job-1", EPOCH_MS + 7)
    assert store.get("job-1").cancelled_at == EPOCH_MS + 7
