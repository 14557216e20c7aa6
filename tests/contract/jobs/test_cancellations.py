"""Cancelled while nobody serves it: the fake and DynamoDB keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from mediarelay.job_records.claims import AlreadySettled, Cancelled, Claimed, Conflict, Group, Held, Settlement
from mediarelay.job_records.contract import JobRecord, Spending
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs
from mediarelay.long_jobs.ports import MediaJobStore, Opened
from mediarelay.long_speech.dynamodb import DynamoSpeechProgress
from mediarelay.long_speech.ports import SpeechProgress
from mediarelay.serving.job_errors import cancelled_error, lost_execution_error
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.jobs import MemorySpeechJobs
from tests.harness.local_aws import JOBS, local_aws

CAME = EPOCH_MS - 1500
ENDS = EPOCH_MS // 1000 + 600  # of a cancellation that waits
BOUGHT = Spending(provider="openai-tts", model="m", estimate_usd=0.5, state=SpendingState.UNKNOWN)
GROUP = Group("job-1", Kind.TTS, "content-1", CAME, 9, ENDS + 9, ["openai-tts"], opened_at=EPOCH_MS)


class Stores(NamedTuple):
    """One table, as each of its ports."""

    served: JobStore
    jobs: MediaJobStore
    progress: SpeechProgress

    @property
    def record(self) -> JobRecord:
        found = self.jobs.get("job-1")
        assert found is not None
        return found

    def awaits(self) -> None:
        """It was cancelled before it came."""
        assert self.jobs.await_request("job-1", EPOCH_MS - 9, tenant="acme", ttl=ENDS)


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    if request.param == "memory":
        memory = MemorySpeechJobs()
        yield Stores(memory, memory, memory)
        return
    with local_aws() as account:
        jobs = DynamoMediaJobs(account.dynamodb, JOBS)
        yield Stores(DynamoJobs(account.dynamodb, JOBS), jobs, DynamoSpeechProgress(account.dynamodb, JOBS))


@pytest.mark.parametrize("known", [True, False])
def test_a_request_that_was_cancelled_before_it_came_is_not_claimed(stores: Stores, *, known: bool) -> None:
    stores.awaits()
    assert stores.record.awaits_request
    assert stores.served.claim(claim(known=known, purchase=BOUGHT)) == Cancelled()
    assert stores.jobs.open(claim(kind=Kind.VIDEO)) == Cancelled()
    assert stores.record.purchases == []


def test_it_is_ended_with_what_its_request_says_and_stays_so(stores: Stores) -> None:
    stores.awaits()
    asked = claim(tenant="acme", metadata={"order": 17}, purchase=BOUGHT)
    assert stores.served.end_unserved(asked, cancelled_error())
    record = stores.record
    assert (record.status, record.error, record.settled_at) == (JobStatus.FAILED, cancelled_error(), EPOCH_MS)
    assert (record.kind, record.fingerprint, record.tenant) == (Kind.TTS, "content-1", "acme")
    assert (record.received_at, record.metadata, record.cancelled_at) == (CAME, {"order": 17}, EPOCH_MS - 9)
    assert (record.purchases, record.cost_usd, record.cost_certain) == ([], 0.0, True)
    assert stores.served.claim(claim()) == AlreadySettled(JobStatus.FAILED)
    assert stores.served.claim(claim(fingerprint="content-2")) == Conflict()
    assert not stores.served.end_unserved(asked, cancelled_error()), "once"


@pytest.mark.parametrize("known", [True, False])
def test_a_cancellation_that_waited_in_vain_is_in_nobodys_way(stores: Stores, *, known: bool) -> None:
    stores.awaits()
    later = (ENDS + 1) * 1000
    assert isinstance(stores.served.claim(claim(at=later, known=known)), Claimed)
    assert (stores.record.cancelled_at, stores.record.status) == (None, JobStatus.RUNNING)


def test_one_that_waited_in_vain_is_in_the_way_of_no_execution_and_no_group(stores: Stores) -> None:
    stores.awaits()
    later = (ENDS + 1) * 1000
    assert isinstance(stores.jobs.open(claim(at=later, kind=Kind.VIDEO)), Opened)
    assert stores.record.cancelled_at is None
    assert stores.jobs.await_request("job-2", EPOCH_MS, tenant=None, ttl=ENDS)
    assert stores.served.open_group(replace(GROUP, request_id="job-2", opened_at=later)) is None
    group = stores.jobs.get("job-2")
    assert group is not None
    assert group.cancelled_at is None


def test_a_group_that_was_cancelled_before_it_came_says_so_each_time(stores: Stores) -> None:
    stores.awaits()
    assert [stores.served.open_group(GROUP) for _ in range(2)] == [Cancelled()] * 2
    assert stores.served.open_group(replace(GROUP, fingerprint="content-2")) == Conflict()
    assert (stores.record.branches, stores.record.fingerprint) == (["openai-tts"], "content-1")


def test_a_group_is_opened_as_often_as_it_comes(stores: Stores) -> None:
    assert [stores.served.open_group(GROUP) for _ in range(2)] == [None] * 2
    assert stores.served.open_group(replace(GROUP, fingerprint="content-2")) == Conflict()


def test_nothing_is_awaited_where_there_is_a_record(stores: Stores) -> None:
    stores.served.claim(claim())
    before = stores.record
    assert not stores.jobs.await_request("job-1", EPOCH_MS, tenant=None, ttl=ENDS)
    assert stores.record == before


# --- a job that has begun -----------------------------------------------------------------------------------------


def deferred(stores: Stores) -> None:
    stores.served.claim(claim())
    assert stores.served.defer("job-1", "claim-1", until=EPOCH_MS + 9, attempts=[], purchases=[BOUGHT])


def test_a_job_that_a_worker_serves_is_not_cancelled(stores: Stores) -> None:
    stores.served.claim(claim())
    assert not stores.jobs.note_cancel("job-1", EPOCH_MS + 5)
    assert stores.record.cancelled_at is None


def test_a_job_that_waits_is_cancelled_and_claimed_no_more(stores: Stores) -> None:
    deferred(stores)
    assert [stores.jobs.note_cancel("job-1", EPOCH_MS + number) for number in (5, 6)] == [True, True]
    assert stores.record.cancelled_at == EPOCH_MS + 5, "the first one counts"
    assert stores.served.claim(claim(claim_id="claim-2")) == Cancelled((BOUGHT,))
    assert stores.served.end_unserved(claim(), cancelled_error(), [BOUGHT])
    assert (stores.record.status, stores.record.cost_usd, stores.record.cost_certain) == (JobStatus.FAILED, 0.5, False)


def test_a_job_that_waits_and_is_not_cancelled_is_not_ended(stores: Stores) -> None:
    deferred(stores)
    assert not stores.served.end_unserved(claim(), cancelled_error())
    assert isinstance(stores.served.claim(claim(claim_id="claim-2")), Claimed)
    assert not stores.served.end_unserved(claim(), cancelled_error())
    assert isinstance(stores.served.claim(claim(claim_id="claim-3")), Held)


def test_a_text_that_was_deferred_and_then_split_is_cancelled_though_it_keeps_a_claim(stores: Stores) -> None:
    deferred(stores)
    assert stores.progress.note_plan("job-1", 3, spoken=[], lease_until=ENDS * 1000)
    assert stores.record.claim_id == "claim-1"
    assert stores.jobs.note_cancel("job-1", EPOCH_MS + 5)
    before = stores.record
    assert not stores.progress.note_plan("job-1", 4, spoken=[], lease_until=ENDS * 1000)
    stores.progress.note_spoken("job-1", 1)
    stores.progress.note_stopped("job-1", EPOCH_MS + 6)
    assert stores.record == before


def test_a_cancelled_job_has_one_end_only(stores: Stores) -> None:
    stores.jobs.open(claim(kind=Kind.VIDEO))
    stores.jobs.note_cancel("job-1", EPOCH_MS + 5)

    def ended(**fields: Any) -> Settlement:
        return Settlement("job-1", "", settled_at=EPOCH_MS + 9, latency_ms=9, queue_ms=1, **fields)

    assert not stores.jobs.settle_media(ended(status=JobStatus.SUCCEEDED))
    assert not stores.jobs.settle_media(ended(status=JobStatus.FAILED, error=lost_execution_error("E")))
    assert stores.record.status is JobStatus.QUEUED
    assert stores.jobs.settle_media(ended(status=JobStatus.FAILED, error=cancelled_error(), purchases=[BOUGHT]))
    assert (stores.record.status, stores.record.cost_usd) == (JobStatus.FAILED, 0.5)


def test_a_job_of_which_there_is_no_record_is_ended_as_well(stores: Stores) -> None:
    asked = claim("job-2", kind=Kind.VIDEO)
    assert stores.jobs.end_unserved(asked, cancelled_error())
    record = stores.jobs.get("job-2")
    assert record is not None
    assert (record.status, record.kind, record.latency_ms) == (JobStatus.FAILED, Kind.VIDEO, 0)
