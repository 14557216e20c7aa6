from __future__ import annotations

import pytest
from pydantic import ValidationError

from mediarelay.announce.contract import ResultEvent
from mediarelay.job_records.contract import JobRecord
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.vocabulary.kinds import SETTLED, JobStatus
from mediarelay.vocabulary.model import Record
from mediarelay.vocabulary.outcome import Outcome

JOB = {"request_id": "order-17", "status": "queued", "received_at": 1_793_440_000_000}
METRIC = {
    "provider": "openai-tts",
    "key_id": "3f1c00000000",
    "request_id": "order-17",
    "outcome": "throttled",
    "started_at": 1_793_440_000_000,
    "latency_ms": 31,
}
EVENT: dict[str, object] = {
    "event_id": "order-17@1",
    "request_id": "order-17",
    "job_id": "order-17#openai-tts",
    "kind": None,
    "status": "rejected",
    "provider": None,
    "model": None,
    "tenant": None,
    "outputs": [],
    "url_expires_at": None,
    "attempts": [],
    "key_rotations": 0,
    "latency_ms": None,
    "queue_ms": None,
    "cost_usd": 0.0,
    "cost_certain": True,
    "cached": False,
    "error": {"code": "not_json", "message": "the body is empty", "retryable": False, "would_take_seconds": None},
    "client": None,
    "message_id": None,
    "reply_to": None,
    "callback": None,
    "warnings": [],
    "metadata": {},
    "voice": None,
    "voice_substituted": False,
    "settled_at": 1,
}


def test_a_job_record_needs_an_id_a_status_and_the_time_it_came() -> None:
    record = JobRecord.model_validate(JOB)
    assert record.status is JobStatus.QUEUED
    assert (record.attempts, record.outputs, record.claims, record.cost_usd) == ([], [], 0, 0.0)


@pytest.mark.parametrize("missing", JOB)
def test_a_job_record_without_one_of_these_is_no_record(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        JobRecord.model_validate({name: value for name, value in JOB.items() if name != missing})


def test_the_publishers_id_is_the_record_id_without_its_branch() -> None:
    assert JobRecord.model_validate(JOB | {"request_id": "order-17#openai-tts"}).publisher_request_id == "order-17"
    assert JobRecord.model_validate(JOB).publisher_request_id == "order-17"


def test_a_newer_writers_fields_are_ignored() -> None:
    interruption = {"claim_id": "c", "claimed_at": 1, "lease_until": 2, "worker": "later"}
    record = JobRecord.model_validate(JOB | {"colour": "blue", "interruptions": [interruption]})
    assert record == JobRecord.model_validate(JOB | {"interruptions": [interruption]})
    assert not hasattr(record, "colour")
    assert record.interruptions[0].adopted is False


def test_the_four_settled_states_are_settled() -> None:
    assert {status for status in JobStatus if status.settled} == SETTLED
    assert {status.value for status in SETTLED} == {"succeeded", "failed", "rejected", "expired"}


@pytest.mark.parametrize(("model", "values"), [(JobRecord, JOB), (AttemptMetric, METRIC), (ResultEvent, EVENT)])
def test_records_survive_the_way_through_json_and_cannot_be_changed(model: type[Record], values: object) -> None:
    record = model.model_validate(values)
    assert model.model_validate_json(record.model_dump_json()) == record
    with pytest.raises(ValidationError, match="frozen"):
        record.request_id = "other"  # type: ignore[attr-defined]


def test_a_metric_speaks_the_vocabulary_of_outcomes() -> None:
    assert AttemptMetric.model_validate(METRIC).outcome is Outcome.THROTTLED
    with pytest.raises(ValidationError, match="outcome"):
        AttemptMetric.model_validate(METRIC | {"outcome": "oops"})


def test_an_event_is_sent_with_every_field_present() -> None:
    sent = ResultEvent.model_validate(EVENT).model_dump(mode="json")
    assert sent == {"version": "1", **EVENT}
