"""AWS in this process, by moto, with the tables, bucket, queues and topic of the template."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.config import DefaultConfig
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.responses import DynamoHandler

from tests.harness.moto_statements import conditional_statements
from tests.harness.template import load_template

REGION = "eu-central-1"
JOBS, TELEMETRY, USAGE, BUCKET = "jobs", "telemetry", "usage", "results-bucket"
# A new session reads megabytes of AWS's service descriptions again: half the time of every test of a handler.
KEEP_SESSION: DefaultConfig = {"core": {"reset_boto3_session": False}}


@functools.cache
def _client(service: str) -> Any:
    """Made once: building a boto3 client takes longer than any test. moto answers it whenever it is active."""
    fake = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, region_name=REGION, **fake)  # type: ignore[call-overload]  # the name is a variable


def dynamodb_client() -> Any:
    """Make a client of tables; `make test-dynamodb` puts another one in its place."""
    return _client("dynamodb")


class LocalAws:
    """What the template would have made, each part when it is first asked for."""

    @cached_property
    def dynamodb(self) -> Any:
        """With the Jobs, Telemetry and Usage tables."""
        client = dynamodb_client()
        _make_table(client, JOBS, "request_id", **jobs_table())
        _make_table(client, TELEMETRY, "pk", "sk")
        _make_table(client, USAGE, "pk", "sk")
        return client

    @cached_property
    def s3(self) -> Any:
        """With the results bucket."""
        _client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        return _client("s3")

    @cached_property
    def sqs(self) -> Any:
        """No queue yet."""
        return _client("sqs")

    @cached_property
    def sns(self) -> Any:
        """No topic yet."""
        return _client("sns")

    @cached_property
    def secrets(self) -> Any:
        """No secret yet."""
        return _client("secretsmanager")

    @cached_property
    def ssm(self) -> Any:
        """No parameter yet."""
        return _client("ssm")

    @cached_property
    def state_machine_arn(self) -> str:
        """The machine of video and audio jobs."""
        return self._machine("media-job")

    @cached_property
    def speech_machine_arn(self) -> str:
        """The machine of long texts."""
        return self._machine("long-speech")

    @staticmethod
    def _machine(name: str) -> str:
        """A machine under the name of ours, whose executions only wait."""
        waiting = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
        made = _client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(waiting), roleArn="arn:aws:iam::123456789012:role/machine"
        )
        return str(made["stateMachineArn"])

    @cached_property
    def executions(self) -> Any:
        """Of both machines."""
        return _client("stepfunctions")

    @cached_property
    def queue_url(self) -> str:
        """The request queue."""
        return str(self.sqs.create_queue(QueueName="requests")["QueueUrl"])

    @cached_property
    def picture_url(self) -> str:
        """The queue of pictures."""
        return str(self.sqs.create_queue(QueueName="pictures")["QueueUrl"])

    @cached_property
    def dlq_url(self) -> str:
        """Its dead-letter queue."""
        return str(self.sqs.create_queue(QueueName="requests-dlq")["QueueUrl"])

    @cached_property
    def lost_url(self) -> str:
        """The queue of lost requests."""
        return str(self.sqs.create_queue(QueueName="lost-requests")["QueueUrl"])

    @cached_property
    def inbox_url(self) -> str:
        """A queue that subscribes to `topic_arn`; ask for it before anything is published."""
        url = str(self.sqs.create_queue(QueueName="inbox")["QueueUrl"])
        self.sns.subscribe(
            TopicArn=self.topic_arn,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:123456789012:inbox",
            Attributes={"RawMessageDelivery": "true"},
        )
        return url

    @cached_property
    def topic_arn(self) -> str:
        """MediaResults."""
        return str(self.sns.create_topic(Name="results")["TopicArn"])

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item, in wire form."""
        found: list[dict[str, Any]] = self.dynamodb.scan(TableName=table)["Items"]
        return found

    def objects(self) -> dict[str, dict[str, Any]]:
        """The head of every stored object, by key."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {entry["Key"]: self.s3.head_object(Bucket=BUCKET, Key=entry["Key"]) for entry in listed}

    def received(self, url: str) -> list[dict[str, Any]]:
        """Receive (and so hide) everything visible in a queue."""
        messages: list[dict[str, Any]] = []
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
            )
            if not answer.get("Messages"):
                return messages
            messages.extend(answer["Messages"])


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """An empty account."""
    with mock_aws(config=KEEP_SESSION), _atomic_writes(), conditional_statements(), _quick_answers():
        yield LocalAws()


@contextmanager
def _atomic_writes() -> Iterator[None]:
    """DynamoDB's conditional writes are atomic; moto's are only while its calls take turns, whoever makes them."""
    lock, act = threading.RLock(), DynamoHandler.call_action

    def in_turn(handler: DynamoHandler) -> Any:
        with lock:
            return act(handler)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoHandler, "call_action", in_turn)
        yield


@contextmanager
def _quick_answers() -> Iterator[None]:
    """An attribute's value is answered as it is stored. moto looks for ten kinds of value under four names each, which
    is half of what a read takes.
    """
    serialize = BaseJSONSerializer._serialize_type_structure

    def quickly(serializer: BaseJSONSerializer, answer: Any, value: Any, shape: Any, key: str) -> None:
        match value if shape.name == "AttributeValue" and key else None:
            case {"S": str()} | {"N": str()} | {"BOOL": bool()} if len(value) == 1:
                answer[key] = value
            case {"M": dict(fields)} if len(value) == 1:
                answer[key] = {"M": {}}
                for name, field in fields.items():
                    serializer._serialize(answer[key]["M"], field, shape, name)
            case _:
                serialize(serializer, answer, value, shape, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseJSONSerializer, "_serialize_type_structure", quickly)
        yield


@functools.cache
def jobs_table() -> dict[str, Any]:
    """Return the template's keys and index of the Jobs table, as they are created."""
    made = load_template()["Resources"]["JobsTable"]["Properties"]
    indexes = [
        {name: value for name, value in index.items() if name != "WarmThroughput"}
        for index in made["GlobalSecondaryIndexes"]
    ]
    return {"AttributeDefinitions": made["AttributeDefinitions"], "GlobalSecondaryIndexes": indexes}


def _make_table(client: Any, name: str, *keys: str, **more: Any) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
        BillingMode="PAY_PER_REQUEST",
        **{"AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys], **more},
    )
