"""How far a long text is, in the Jobs table: the fake and DynamoDB keep the same promises."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.job_records.claims import Settlement
from mediarelay.vocabulary.kinds import JobStatus, Kind
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.jobs import MemorySpeechJobs
from tests.doubles.tables.job_stores import JobStores, in_dynamodb, in_memory
from tests.harness.local_aws import JOBS


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> JobStores:
    memory = request.param == "memory"
    stores = in_memory(MemorySpeechJobs()) if memory else in_dynamodb(request.getfixturevalue("aws").dynamodb, JOBS)
    stores.jobs.open(claim(kind=Kind.TTS))
    return stores


def planned(stores: JobStores, total: int = 3, spoken: Any = ()) -> bool:
    return stores.progress.note_plan("job-1", total, spoken=spoken, lease_until=EPOCH_MS + 60_000)


def test_a_plan_says_how_many_parts_there_are_and_that_the_job_runs(stores: JobStores) -> None:
    assert planned(stores)
    record = stores.record
    assert (record.status, record.parts_total, record.parts_done) == (JobStatus.RUNNING, 3, 0)
    assert record.lease_until == EPOCH_MS + 60_000
    assert record.claim_id is None, "an execution serves it, and no worker"


def test_each_part_is_counted_once(stores: JobStores) -> None:
    planned(stores)
    for number in (2, 0, 2):
        stores.progress.note_spoken("job-1", number)
    assert (stores.record.parts_done, stores.record.parts_spoken) == (2, [2, 0])


def test_a_new_plan_keeps_what_is_spoken(stores: JobStores) -> None:
    planned(stores)
    planned(stores, total=5, spoken=[0, 2])
    stores.progress.note_spoken("job-1", 2)
    stores.progress.note_spoken("job-1", 4)
    assert (stores.record.parts_done, stores.record.parts_total) == (3, 5)


def test_what_was_stopped_goes_on_with_the_next_plan(stores: JobStores) -> None:
    planned(stores)
    stores.progress.note_stopped("job-1", EPOCH_MS + 5)
    assert stores.record.stopped_at == EPOCH_MS + 5
    planned(stores)
    assert stores.record.stopped_at is None


def test_of_a_settled_job_nothing_is_noted(stores: JobStores) -> None:
    planned(stores)
    end = Settlement("job-1", "", JobStatus.FAILED, EPOCH_MS + 9, latency_ms=9, queue_ms=1)
    assert stores.jobs.settle_media(end)
    assert not planned(stores)
    stores.progress.note_spoken("job-1", 1)
    stores.progress.note_stopped("job-1", EPOCH_MS + 10)
    assert (stores.record.parts_done, stores.record.stopped_at) == (0, None)


def test_a_job_that_a_worker_deferred_before_its_execution_began_can_be_settled(stores: JobStores) -> None:
    """While somebody took the text at once, it was claimed and deferred as any text is."""
    first = claim("job-2", kind=Kind.TTS)
    stores.served.claim(first)
    assert stores.served.defer("job-2", first.claim_id, until=EPOCH_MS + 5, attempts=[])
    assert stores.jobs.settle_media(Settlement("job-2", "", JobStatus.EXPIRED, EPOCH_MS + 9, latency_ms=9, queue_ms=1))
    found = stores.jobs.get("job-2")
    assert found is not None
    assert found.status is JobStatus.EXPIRED


def test_there_is_nothing_to_note_of_a_job_that_is_not_there(stores: JobStores) -> None:
    assert not stores.progress.note_plan("job-2", 1, spoken=[], lease_until=EPOCH_MS)
    stores.progress.note_spoken("job-2", 0)
    assert stores.jobs.get("job-2") is None
