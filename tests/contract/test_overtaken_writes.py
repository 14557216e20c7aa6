"""What another worker writes between the reads and writes of one operation is never overwritten."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.job_records.claims import Cancelled, Claimed, Conflict, Group, Held
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.long_jobs.dynamodb import DynamoSlots
from mediarelay.long_jobs.polling.dynamodb import DynamoCompletionTimes
from mediarelay.long_speech.dynamodb import DynamoSpeechProgress
from mediarelay.vocabulary.kinds import Kind
from tests.builders.requests import EPOCH_MS, claim
from tests.doubles.tables.job_stores import in_dynamodb
from tests.harness.local_aws import JOBS, TELEMETRY, LocalAws

NOW = 1_000_000


class RecordChanged:
    """A client of DynamoDB; `before` says what others do just before its n-th update."""

    def __init__(self, client: Any, before: Mapping[int, Callable[[], object]]) -> None:
        self._client = client
        self._before = before
        self._updates = 0

    def update_item(self, **fields: Any) -> Any:
        self._updates += 1
        self._before.get(self._updates, lambda: None)()
        return self._client.update_item(**fields)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_a_writer_of_times_that_was_held_up_overwrites_nothing(aws: LocalAws) -> None:
    others = DynamoCompletionTimes(aws.dynamodb, TELEMETRY)

    def add_two() -> None:
        for seconds in (1.0, 2.0):
            others.add("kling-video", "kling-v3", seconds)

    DynamoCompletionTimes(RecordChanged(aws.dynamodb, {1: add_two}), TELEMETRY).add("kling-video", "kling-v3", 3.0)
    assert list(others.load("kling-video", "kling-v3")) == [1.0, 2.0]


def test_a_holder_that_comes_back_just_in_time_keeps_its_slot(aws: LocalAws) -> None:
    others = DynamoSlots(aws.dynamodb, TELEMETRY)
    others.take("kling", "a", "one", limit=1, until=NOW + 10, now=NOW)

    def come_back() -> None:
        others.take("kling", "a", "one", limit=1, until=NOW + 900, now=NOW + 20)

    slots = DynamoSlots(RecordChanged(aws.dynamodb, {2: come_back}), TELEMETRY)
    assert not slots.take("kling", "a", "two", limit=1, until=NOW + 900, now=NOW + 20)
    assert others.release("kling", "a", "one")


def test_of_two_workers_that_find_an_account_new_both_hold_a_slot(aws: LocalAws) -> None:
    others = DynamoSlots(aws.dynamodb, TELEMETRY)

    def be_first() -> None:
        others.take("kling", "a", "one", limit=2, until=NOW + 900, now=NOW)

    slots = DynamoSlots(RecordChanged(aws.dynamodb, {2: be_first}), TELEMETRY)
    assert slots.take("kling", "a", "two", limit=2, until=NOW + 900, now=NOW)
    assert [others.release("kling", "a", job) for job in ("one", "two")] == [True, True]


def test_of_two_heirs_of_a_job_the_second_does_not_get_it(aws: LocalAws) -> None:
    others = DynamoJobs(aws.dynamodb, JOBS)
    others.claim(claim())
    late = EPOCH_MS + 60_001
    answers: list[Any] = []

    def inherit() -> None:
        answers.append(others.claim(claim(claim_id="claim-2", at=late, known=True)))

    jobs = DynamoJobs(RecordChanged(aws.dynamodb, {2: inherit}), JOBS)
    assert jobs.claim(claim(claim_id="claim-3", at=late, known=True)) == Held(late + 60_000)
    (first,) = answers
    assert isinstance(first, Claimed)
    assert first.interrupted
    record = others.get("job-1")
    assert record is not None
    assert record.claim_id == "claim-2"


def test_a_job_whose_worker_settles_at_the_last_moment_is_not_taken_over(aws: LocalAws) -> None:
    others = DynamoJobs(aws.dynamodb, JOBS)
    others.claim(claim())

    def defer() -> None:
        assert others.defer("job-1", "claim-1", until=EPOCH_MS + 90_000, attempts=[])

    jobs = DynamoJobs(RecordChanged(aws.dynamodb, {2: defer}), JOBS)
    assert not isinstance(jobs.claim(claim(claim_id="claim-2", at=EPOCH_MS + 60_001, known=True)), Claimed)
    record = others.get("job-1")
    assert record is not None
    assert (record.claim_id, record.interruptions) == ("claim-1", [])


def test_an_heir_whose_own_lease_has_lapsed_since_is_not_passed_over(aws: LocalAws) -> None:
    others = DynamoJobs(aws.dynamodb, JOBS)
    others.claim(claim())

    def inherit() -> None:
        others.claim(claim(claim_id="claim-2", at=EPOCH_MS + 60_001, known=True))

    jobs, later = DynamoJobs(RecordChanged(aws.dynamodb, {2: inherit}), JOBS), EPOCH_MS + 120_002
    assert not isinstance(jobs.claim(claim(claim_id="claim-3", at=later, known=True)), Claimed)
    again = others.claim(claim(claim_id="claim-3", at=later, known=True))
    assert isinstance(again, Claimed)
    assert [each.claim_id for each in again.interruptions] == ["claim-1", "claim-2"]


@pytest.mark.parametrize("lease_until", [EPOCH_MS + 60_001, EPOCH_MS + 900_000])
def test_a_text_whose_worker_plans_its_parts_at_the_last_moment_is_not_taken_over(
    aws: LocalAws, lease_until: int
) -> None:
    others = DynamoJobs(aws.dynamodb, JOBS)
    others.claim(claim())

    def plan() -> None:
        assert DynamoSpeechProgress(aws.dynamodb, JOBS).note_plan("job-1", 7, spoken=[], lease_until=lease_until)

    jobs = DynamoJobs(RecordChanged(aws.dynamodb, {2: plan}), JOBS)
    assert jobs.claim(claim(claim_id="claim-2", at=EPOCH_MS + 60_001, known=True)) == Held(lease_until)


def test_of_two_cancelled_groups_that_open_under_one_id_the_second_is_a_conflict(aws: LocalAws) -> None:
    stores = in_dynamodb(aws.dynamodb, JOBS)
    assert stores.jobs.await_request("job-1", EPOCH_MS - 9, tenant="acme", ttl=EPOCH_MS // 1000 + 600)
    first = Group("job-1", Kind.TTS, "content-1", EPOCH_MS, 9, 99, ["openai-tts"], opened_at=EPOCH_MS)

    def open_first() -> None:
        assert stores.served.open_group(first) == Cancelled()

    jobs = DynamoJobs(RecordChanged(aws.dynamodb, {2: open_first}), JOBS)
    assert jobs.open_group(replace(first, fingerprint="content-2")) == Conflict()
    assert (stores.record.fingerprint, stores.record.branches) == ("content-1", ["openai-tts"])
