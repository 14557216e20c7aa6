"""Today's code goes on with the jobs of the version before, wherever they stood."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.aws.stores import from_item
from mediarelay.job_records.claims import AlreadySettled, Claimed, Conflict, Held
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.stream import job_change
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs
from mediarelay.long_jobs.ports import Opened
from mediarelay.serving.job_errors import cancelled_error
from mediarelay.vocabulary.kinds import JobStatus, Kind, SubmitState
from tests.compat.files import fill, items, written_before
from tests.compat.jobs import AT, ATTEMPTS, claim, end, submission
from tests.harness.local_aws import JOBS, LocalAws

LATER: dict[str, Any] = {"number": 1000, "known": True}


@pytest.fixture
def jobs(aws: LocalAws) -> DynamoJobs:
    fill(aws, JOBS)
    return DynamoJobs(aws.dynamodb, JOBS)


@pytest.fixture
def long_jobs(aws: LocalAws) -> DynamoMediaJobs:
    fill(aws, JOBS)
    return DynamoMediaJobs(aws.dynamodb, JOBS)


def test_every_status_kind_and_state_of_a_submit_is_among_them() -> None:
    records = [JobRecord.model_validate(from_item(item)) for item in items(JOBS).values()]
    assert {record.status for record in records} == set(JobStatus)
    assert {record.kind for record in records} == {*Kind, None}
    assert {record.submit.state for record in records if record.submit} == set(SubmitState)


def test_a_record_says_what_its_item_says(jobs: DynamoJobs) -> None:
    for key, item in items(JOBS).items():
        record, written = jobs.get(key), from_item(item)
        assert record is not None
        said = record.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        assert said == written


def test_a_stream_tells_both_images_of_every_change() -> None:
    for change in written_before(JOBS):
        images = change["dynamodb"]
        before, after = job_change(change)
        assert after is not None
        assert (before is None) is ("OldImage" not in images)
        assert after.status == images["NewImage"]["status"]["S"]


@pytest.mark.parametrize("job", ["deferred", "deferred-again"])
def test_a_deferred_job_is_claimed_with_what_was_tried(jobs: DynamoJobs, job: str) -> None:
    assert jobs.claim(claim(job, **LATER)) == Claimed(AT - 1500, attempts=ATTEMPTS)
    record = jobs.get(job)
    assert record is not None
    assert (record.status, record.deferred_until) == (JobStatus.RUNNING, None)


def test_a_job_of_a_worker_that_died_is_taken_over(jobs: DynamoJobs) -> None:
    answer = jobs.claim(claim("abandoned", **LATER))
    assert isinstance(answer, Claimed)
    assert answer.interrupted
    assert [lost.claim_id for lost in answer.interruptions] == ["claim-1", "claim-70"]


def test_a_worker_settles_what_it_claimed_before_the_deploy(jobs: DynamoJobs) -> None:
    for job in ("tts-claimed", "image-known"):
        assert jobs.settle(end(job, JobStatus.SUCCEEDED))
        record = jobs.get(job)
        assert record is not None
        assert record.status is JobStatus.SUCCEEDED


def test_duplicates_are_known(jobs: DynamoJobs) -> None:
    assert jobs.claim(claim("tts-succeeded", **LATER)) == AlreadySettled(JobStatus.SUCCEEDED)
    assert isinstance(jobs.claim(claim("tts-claimed", number=2, known=True)), Held)
    assert isinstance(jobs.claim(claim("rejected", **LATER)), Claimed)


def test_an_id_with_another_content_is_a_conflict(aws: LocalAws) -> None:
    fill(aws, JOBS)
    for item in aws.items(JOBS):
        item["fingerprint"] = {"S": "0" * 16}
        aws.dynamodb.put_item(TableName=JOBS, Item=item)
    assert DynamoJobs(aws.dynamodb, JOBS).claim(claim("tts-succeeded", **LATER)) == Conflict()


@pytest.mark.parametrize("kind", [Kind.VIDEO, Kind.AUDIO])
def test_an_execution_goes_on_from_every_state_of_its_submit(long_jobs: DynamoMediaJobs, kind: Kind) -> None:
    assert long_jobs.open(claim(f"{kind}-queued", kind)) == Opened(AT - 1500, AT + 1000, again=True)
    accepted = submission(SubmitState.ACCEPTED, answered_at=AT + 40_000, task={"task_id": "t-2"})
    for state in ("queued", SubmitState.NOT_SENT, SubmitState.SENT_UNKNOWN):
        before = long_jobs.get(f"{kind}-{state}")
        assert before is not None
        assert long_jobs.note_submit(f"{kind}-{state}", accepted, before=before.submit, purchases=[])
    for state in ("queued", *SubmitState, "cancelled"):
        told: dict[str, Any] = {"error": cancelled_error()} if state == "cancelled" else {}
        assert long_jobs.settle_media(end(f"{kind}-{state}", JobStatus.FAILED, **told))
        record = long_jobs.get(f"{kind}-{state}")
        assert record is not None
        assert record.status is JobStatus.FAILED


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.EXPIRED])
def test_a_settled_clip_stays_settled(long_jobs: DynamoMediaJobs, status: JobStatus) -> None:
    job = f"{Kind.VIDEO}-{status}"
    assert long_jobs.open(claim(job, Kind.VIDEO)) == AlreadySettled(status)
    assert not long_jobs.note_cancel(job, AT)
    assert not long_jobs.settle_media(end(job, JobStatus.FAILED, settled_at=AT + 99_000))
