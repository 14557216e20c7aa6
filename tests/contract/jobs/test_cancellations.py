"""Cancelled while nobody serves it: the fake and DynamoDB keep the same promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.job_records.claims import AlreadySettled, Cancelled, Claimed, Conflict, Group, Held, Settlement
from mediarelay.job_records.contract import Spending
from mediarelay.long_jobs.ports import Opened
from mediarelay.serving.job_errors import cancelled_error, lost_execution_error
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.jobs import MemorySpeechJobs
from tests.doubles.tables.job_stores import JobStores, in_dynamodb, in_memory
from tests.harness.local_aws import JOBS

CAME = EPOCH_MS - 1500
ENDS = EPOCH_MS // 1000 + 600  # of a cancellation that waits
BOUGHT = Spending(provider="openai-tts", model="m", estimate_usd=0.5, state=SpendingState.UNKNOWN)
GROUP = Group("job-1", Kind.TTS, "content-1", CAME, 9, ENDS + 9, ["openai-tts"], opened_at=EPOCH_MS)


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> JobStores:
    if request.param == "memory":
        return in_memory(MemorySpeechJobs())
    return in_dynamodb(request.getfixturevalue("aws").dynamodb, JOBS)


def awaits(stores: JobStores) -> None:
    """It was cancelled before it came."""
    assert stores.jobs.await_request("job-1", EPOCH_MS - 9, tenant="acme", ttl=ENDS)


@pytest.mark.parametrize("known", [True, False])
def test_a_request_that_was_cancelled_before_it_came_is_not_claimed(stores: JobStores, *, known: bool) -> None:
    awaits(stores)
    assert stores.record.awaits_request
    assert stores.served.claim(claim(known=known, purchase=BOUGHT)) == Cancelled()
    assert stores.jobs.open(claim(kind=Kind.VIDEO)) == Cancelled()
    assert stores.record.purchases == []


def test_it_is_ended_with_what_its_request_says_and_stays_so(stores: JobStores) -> None:
    awaits(stores)
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
def test_a_cancellation_that_waited_in_vain_is_in_nobodys_way(stores: JobStores, *, known: bool) -> None:
    awaits(stores)
    later = (ENDS + 1) * 1000
    assert isinstance(stores.served.claim(claim(at=later, known=known)), Claimed)
    assert (stores.record.cancelled_at, stores.record.status) == (None, JobStatus.RUNNING)


def test_one_that_waited_in_vain_is_in_the_way_of_no_execution_and_no_group(stores: JobStores) -> None:
    awaits(stores)
    later = (ENDS + 1) * 1000
    assert isinstance(stores.jobs.open(claim(at=later, kind=Kind.VIDEO)), Opened)
    assert stores.record.cancelled_at is None
    assert stores.jobs.await_request("job-2", EPOCH_MS, tenant=None, ttl=ENDS)
    assert stores.served.open_group(replace(GROUP, request_id="job-2", opened_at=later)) is None
    group = stores.jobs.get("job-2")
    assert group is not None
    assert group.cancelled_at is None


def test_a_group_that_was_cancelled_before_it_came_says_so_each_time(stores: JobStores) -> None:
    awaits(stores)
    assert [stores.served.open_group(GROUP) for _ in range(2)] == [Cancelled()] * 2
    assert stores.served.open_group(replace(GROUP, fingerprint="content-2")) == Conflict()
    assert (stores.record.branches, stores.record.fingerprint) == (["openai-tts"], "content-1")


def test_a_group_is_opened_as_often_as_it_comes(stores: JobStores) -> None:
    assert [stores.served.open_group(GROUP) for _ in range(2)] == [None] * 2
    assert stores.served.open_group(replace(GROUP, fingerprint="content-2")) == Conflict()


def test_nothing_is_awaited_where_there_is_a_record(stores: JobStores) -> None:
    stores.served.claim(claim())
    before = stores.record
    assert not stores.jobs.await_request("job-1", EPOCH_MS, tenant=None, ttl=ENDS)
    assert stores.record == before


# --- a job that has begun -----------------------------------------------------------------------------------------


def deferred(stores: JobStores) -> None:
    stores.served.claim(claim())
    assert stores.served.defer("job-1", "claim-1", until=EPOCH_MS + 9, attempts=[], purchases=[BOUGHT])


def test_a_job_that_a_worker_serves_is_not_cancelled(stores: JobStores) -> None:
    stores.served.claim(claim())
    assert not stores.jobs.note_cancel("job-1", EPOCH_MS + 5)
    assert stores.record.cancelled_at is None


def test_a_job_that_an_execution_serves_is_held_for_a_worker_however_it_stands(stores: JobStores) -> None:
    stores.jobs.open(claim())
    late = claim(claim_id="claim-2", at=EPOCH_MS + 9)
    assert stores.served.claim(late) == Held(late.claimed_at)
    assert stores.progress.note_plan("job-1", 3, spoken=[], lease_until=EPOCH_MS + 1)
    assert isinstance(stores.served.claim(late), Held)
    assert stores.record.claim_id is None


def test_a_job_that_waits_is_cancelled_and_claimed_no_more(stores: JobStores) -> None:
    deferred(stores)
    assert [stores.jobs.note_cancel("job-1", EPOCH_MS + number) for number in (5, 6)] == [True, True]
    assert stores.record.cancelled_at == EPOCH_MS + 5, "the first one counts"
    assert stores.served.claim(claim(claim_id="claim-2")) == Cancelled((BOUGHT,))
    assert stores.served.end_unserved(claim(), cancelled_error(), [BOUGHT])
    assert (stores.record.status, stores.record.cost_usd, stores.record.cost_certain) == (JobStatus.FAILED, 0.5, False)


def test_a_job_that_waits_and_is_not_cancelled_is_not_ended(stores: JobStores) -> None:
    deferred(stores)
    assert not stores.served.end_unserved(claim(), cancelled_error())
    assert isinstance(stores.served.claim(claim(claim_id="claim-2")), Claimed)
    assert not stores.served.end_unserved(claim(), cancelled_error())
    assert isinstance(stores.served.claim(claim(claim_id="claim-3")), Held)


def test_a_text_that_was_deferred_and_then_split_is_cancelled_though_it_keeps_a_claim(stores: JobStores) -> None:
    deferred(stores)
    assert stores.progress.note_plan("job-1", 3, spoken=[], lease_until=ENDS * 1000)
    assert stores.record.claim_id == "claim-1"
    assert stores.jobs.note_cancel("job-1", EPOCH_MS + 5)
    before = stores.record
    assert not stores.progress.note_plan("job-1", 4, spoken=[], lease_until=ENDS * 1000)
    stores.progress.note_spoken("job-1", 1)
    stores.progress.note_stopped("job-1", EPOCH_MS + 6)
    assert stores.record == before


def test_a_cancelled_job_has_one_end_only(stores: JobStores) -> None:
    stores.jobs.open(claim(kind=Kind.VIDEO))
    stores.jobs.note_cancel("job-1", EPOCH_MS + 5)

    def ended(**fields: Any) -> Settlement:
        return Settlement("job-1", "", settled_at=EPOCH_MS + 9, latency_ms=9, queue_ms=1, **fields)

    assert not stores.jobs.settle_media(ended(status=JobStatus.SUCCEEDED))
    assert not stores.jobs.settle_media(ended(status=JobStatus.FAILED, error=lost_execution_error("E")))
    assert stores.record.status is JobStatus.QUEUED
    assert stores.jobs.settle_media(ended(status=JobStatus.FAILED, error=cancelled_error(), purchases=[BOUGHT]))
    assert (stores.record.status, stores.record.cost_usd) == (JobStatus.FAILED, 0.5)


def test_a_job_of_which_there_is_no_record_is_ended_as_well(stores: JobStores) -> None:
    asked = claim("job-2", kind=Kind.VIDEO)
    assert stores.jobs.end_unserved(asked, cancelled_error())
    record = stores.jobs.get("job-2")
    assert record is not None
    assert (record.status, record.kind, record.latency_ms) == (JobStatus.FAILED, Kind.VIDEO, 0)
