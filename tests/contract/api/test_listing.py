"""Jobs as they are listed: by what wrote them last, by the moment they were received, and read in stretches."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.api.listing.dynamodb import DynamoListing
from mediarelay.api.listing.listing import ListingService
from mediarelay.api.listing.ports import JobIndex
from mediarelay.api.publishing.dynamodb import DynamoNotes
from mediarelay.job_records.claims import Group, Rejection, Settlement
from mediarelay.job_records.contract import JobError, JobRecord
from mediarelay.job_records.job_spec import DAY_MS
from mediarelay.vocabulary.kinds import JobStatus, Kind
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.clock import ManualClock
from tests.doubles.jobs import MemorySpeechJobs
from tests.doubles.tables.job_stores import JobStores, MemoryListing, in_dynamodb, in_memory
from tests.harness.local_aws import JOBS

RECEIVED = EPOCH_MS - 1500
LATER = RECEIVED + 1000


class Listed:
    """A Jobs table and its index."""

    def __init__(self, stores: JobStores, index: JobIndex) -> None:
        self.stores = stores
        self.index = index

    def all(self, **wanted: str) -> list[Any]:
        """Everything of the last days."""
        service = ListingService(self.index, clock=ManualClock(EPOCH_MS / 1000 + 60))
        return service.page(wanted, since=0, limit=100).items


@pytest.fixture(params=["memory", "dynamodb"])
def listed(request: pytest.FixtureRequest) -> Listed:
    if request.param == "memory":
        memory = MemorySpeechJobs()
        return Listed(in_memory(memory), MemoryListing(memory))
    client = request.getfixturevalue("aws").dynamodb
    return Listed(in_dynamodb(client, JOBS), DynamoListing(client, JOBS))


def test_a_job_is_listed_from_its_claim_on_and_tells_its_end(listed: Listed) -> None:
    served = listed.stores.served
    served.claim(claim("acme!order-1", tenant="acme"))
    (job,) = listed.all()
    assert (job.request_id, job.job, job.status, job.received_at) == ("order-1", "acme!order-1", "running", RECEIVED)
    error = JobError(code="no_provider_left", message="Nobody could.", retryable=True)
    ended = {"latency_ms": 900, "queue_ms": 1500, "provider": "openai-tts", "model": "m", "error": error}
    served.settle(Settlement("acme!order-1", "claim-1", JobStatus.FAILED, EPOCH_MS + 900, **ended))
    (job,) = listed.all()
    assert (job.status, job.kind, job.tenant, job.provider, job.model) == ("failed", "tts", "acme", "openai-tts", "m")
    assert (job.settled_at, job.error_code, job.queue_ms, job.latency_ms) == (
        EPOCH_MS + 900,
        "no_provider_left",
        1500,
        900,
    )


def test_each_first_write_of_a_job_lists_it(listed: Listed, request: pytest.FixtureRequest) -> None:
    stores = listed.stores
    error = JobError(code="not_json", message="the body is not JSON", retryable=False)
    ends = {"settled_at": EPOCH_MS, "error": error, "ttl": EPOCH_MS // 1000 + 60}
    notes: Any = stores.served
    if isinstance(listed.index, DynamoListing):
        notes = DynamoNotes(request.getfixturevalue("aws").dynamodb, JOBS)
    notes.note(JobRecord(request_id="noted", status=JobStatus.QUEUED, received_at=RECEIVED, message_id="m"))
    stores.served.claim(claim("known", known=True))
    stores.served.reject(Rejection("rejected", RECEIVED, **ends))
    stores.served.end_unserved(claim("cancelled"), error)
    stores.jobs.open(claim("clip", kind=Kind.VIDEO))
    assert {job.job: str(job.status) for job in listed.all()} == {
        "noted": "queued",
        "known": "running",
        "rejected": "rejected",
        "cancelled": "failed",
        "clip": "queued",
    }


def test_a_request_of_several_jobs_is_listed_as_they_are_and_a_part_of_a_text_is_not(listed: Listed) -> None:
    served = listed.stores.served
    error = JobError(code="not_json", message="the body is not JSON", retryable=False)
    served.reject(Rejection("both", RECEIVED, EPOCH_MS, error, EPOCH_MS // 1000 + 60))
    served.open_group(Group("both", Kind.TTS, "f", RECEIVED, 1, 2, ["openai-tts", "gemini-tts"], None, EPOCH_MS))
    served.claim(claim("both#openai-tts"))
    served.claim(claim("long/part-1"))
    assert [(job.request_id, job.job) for job in listed.all()] == [("both", "both#openai-tts")]


def test_a_job_stays_where_it_was_first_listed(listed: Listed) -> None:
    served = listed.stores.served
    served.claim(claim("order-1"))
    served.defer("order-1", "claim-1", until=EPOCH_MS + DAY_MS, attempts=[])
    later = EPOCH_MS + DAY_MS
    served.claim(claim("order-1", "claim-2", at=later, received_at=later, lease_until=later + 60_000))
    assert [job.received_at for job in listed.all()] == [RECEIVED]


def test_only_what_is_wanted_is_read_of_a_stretch(listed: Listed) -> None:
    for number, tenant in enumerate(["acme", "other", "acme"]):
        at = RECEIVED + number
        listed.stores.served.claim(claim(f"{tenant}!{number}", tenant=tenant, received_at=at))
    found = listed.index.stretch(RECEIVED, LATER, most=10, wanted={"tenant": "acme", "status": "running"})
    assert {job.job for job in found.jobs} == {"acme!0", "acme!2"}
    assert {job.job for job in listed.index.stretch(RECEIVED + 1, RECEIVED + 1, most=10, wanted={}).jobs} == {"other!1"}


def test_a_stretch_says_from_where_on_it_is_whole_and_gets_past_a_moment_that_many_share(listed: Listed) -> None:
    for number in range(60):
        at = LATER if number < 50 else RECEIVED
        listed.stores.served.claim(claim(f"order-{number}", received_at=at))
    found = listed.index.stretch(RECEIVED, LATER, most=1, wanted={})
    assert len({job.job for job in found.jobs if job.received_at == LATER}) == 50
    assert RECEIVED <= found.known_from < LATER
