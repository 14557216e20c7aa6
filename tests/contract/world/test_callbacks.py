"""The ports of callbacks: what stands for them in tests does as AWS does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from mediarelay.callbacks.dynamodb import DynamoCallbacks
from mediarelay.callbacks.ports import CallbackMessage, CallbackQueue, CallbackRecords, CallbackSecrets
from mediarelay.callbacks.secrets_manager import SecretsByHost
from mediarelay.callbacks.sqs import SqsCallbacks, messages_of
from mediarelay.job_records.contract import CallbackTries, JobRecord
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.builders.requests import EPOCH_MS
from tests.doubles.clock import ManualClock
from tests.doubles.tables.callbacks import FixedCallbackSecrets, MemoryCallbackQueue, MemoryCallbackRecords
from tests.harness.local_aws import JOBS, LocalAws

JOB = {"request_id": "job-1", "status": "succeeded", "received_at": EPOCH_MS, "callback_url": "https://a.example/"}
SECRET = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


# --- records ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "dynamodb"])
def records(request: pytest.FixtureRequest) -> CallbackRecords:
    """A table with one job."""
    if request.param == "memory":
        return MemoryCallbackRecords(JobRecord.model_validate(JOB))
    aws: LocalAws = request.getfixturevalue("aws")
    item = {name: {"N": str(value)} if isinstance(value, int) else {"S": str(value)} for name, value in JOB.items()}
    aws.dynamodb.put_item(TableName=JOBS, Item=item)
    return DynamoCallbacks(aws.dynamodb, JOBS)


def of(records: CallbackRecords) -> CallbackTries | None:
    job = records.get("job-1")
    assert job is not None
    return job.callback


def tries(count: int, **fields: Any) -> CallbackTries:
    facts = {"state": "waiting", "tries": count, "last_status": 500, "last_fault": "refused", "next_at": 7}
    return CallbackTries.model_validate({**facts, **fields})


def test_what_is_noted_is_read(records: CallbackRecords) -> None:
    assert of(records) is None
    assert records.note("job-1", tries(1), before=None)
    assert of(records) == tries(1)
    ended = CallbackTries(state="delivered", tries=2, last_status=200)
    assert records.note("job-1", ended, before=tries(1))
    assert of(records) == ended


@pytest.mark.parametrize("stale", [None, tries(1), tries(2, replayed_at=5), tries(2, settled_at=5)])
def test_a_copy_that_is_behind_changes_nothing(records: CallbackRecords, stale: CallbackTries | None) -> None:
    assert records.note("job-1", tries(2), before=None)
    assert not records.note("job-1", tries(3), before=stale)
    assert of(records) == tries(2)


def test_a_record_that_is_gone_is_not_made_anew(records: CallbackRecords) -> None:
    assert records.get("job-2") is None
    assert not records.note("job-2", tries(1), before=None)
    assert records.get("job-2") is None


# --- queue --------------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """A queue, what it gives now, and the passing of time."""

    queue: CallbackQueue
    receive: Callable[[], Sequence[CallbackMessage]]


@pytest.fixture(params=["memory", "sqs"])
def line(request: pytest.FixtureRequest) -> Line:
    if request.param == "memory":
        queue = MemoryCallbackQueue(ManualClock())
        return Line(queue, queue.due)
    aws: LocalAws = request.getfixturevalue("aws")
    url = aws.sqs.create_queue(QueueName="callbacks")["QueueUrl"]

    def receive() -> Sequence[CallbackMessage]:
        given = aws.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        return list(messages_of({"Records": [as_lambda_gives(each) for each in given.get("Messages", ())]}))

    return Line(SqsCallbacks(aws.sqs, url), receive)


def as_lambda_gives(given: dict[str, Any]) -> dict[str, Any]:
    said = {name: {"stringValue": each["StringValue"]} for name, each in given.get("MessageAttributes", {}).items()}
    names = {"messageId": "MessageId", "receiptHandle": "ReceiptHandle", "body": "Body", "attributes": "Attributes"}
    return {**{ours: given[theirs] for ours, theirs in names.items()}, "messageAttributes": said}


@pytest.mark.parametrize("thin", [True, False])
def test_what_is_replayed_comes_with_its_moment(line: Line, *, thin: bool) -> None:
    line.queue.replay('{"a":1}', thin=thin, at=EPOCH_MS)
    (got,) = line.receive()
    assert (got.body, got.thin, got.replayed_at) == ('{"a":1}', thin, EPOCH_MS)


def test_what_is_hidden_does_not_come(line: Line) -> None:
    line.queue.replay("{}", thin=False, at=EPOCH_MS)
    (got,) = line.receive()
    line.queue.hide(got, 43_080.0)
    assert line.receive() == []


def test_a_message_that_sns_sent_is_of_its_first_round() -> None:
    record = {
        "messageId": "m",
        "receiptHandle": "r",
        "body": "{}",
        "attributes": {"SentTimestamp": "17"},
        "messageAttributes": {"callback": {"stringValue": "thin"}, "kind": {"stringValue": "tts"}},
    }
    assert list(messages_of({"Records": [record]})) == [CallbackMessage("m", "r", "{}", 17, thin=True)]


# --- secrets ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "secrets_manager"])
def secrets(request: pytest.FixtureRequest) -> CallbackSecrets:
    if request.param == "memory":
        return FixedCallbackSecrets({"a.example": (b"k" * 32,)})
    aws: LocalAws = request.getfixturevalue("aws")
    aws.secrets.create_secret(Name="callbacks", SecretString=json.dumps({"a.example": [SECRET]}))
    return SecretsByHost(aws.secrets, "callbacks")


def test_the_keys_of_a_host_are_known(secrets: CallbackSecrets) -> None:
    assert dict(secrets.load()) == {"a.example": (b"k" * 32,)}


@pytest.mark.parametrize("written", [None, "whsec_", "[1]"])
def test_a_secret_that_cannot_be_read_is_said_without_its_words(aws: LocalAws, written: str | None) -> None:
    if written is not None:
        aws.secrets.create_secret(Name="callbacks", SecretString=written)
    with pytest.raises(StoreUnavailable) as caught:
        SecretsByHost(aws.secrets, "callbacks").load()
    assert caught.value.__context__ is None
    assert "whsec_" not in str(caught.value)
