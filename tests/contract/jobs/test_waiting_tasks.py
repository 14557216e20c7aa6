"""Executions that wait to be told: the fake and AWS keep the same promises; moto itself lets every token pass."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from mediarelay.long_jobs.webhooks.dynamodb import PARTITION, DynamoWaitingTasks
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.long_jobs import MemoryTasks
from tests.harness.local_aws import REGION, TELEMETRY, LocalAws


def on_aws(aws: LocalAws, error: str) -> DynamoWaitingTasks:
    """With a state machine that answers so."""
    item = {"pk": {"S": PARTITION}, "sk": {"S": "r-1"}, "token": {"S": "token-1"}}
    aws.dynamodb.put_item(TableName=TELEMETRY, Item=item)
    machine = boto3.client("stepfunctions", region_name=REGION)
    stub = Stubber(machine)
    stub.add_client_error("send_task_success", error)
    stub.activate()
    return DynamoWaitingTasks(aws.dynamodb, TELEMETRY, machine)


@pytest.fixture(params=["memory", "TaskTimedOut", "TaskDoesNotExist"])
def tasks(request: pytest.FixtureRequest, aws: LocalAws) -> Any:
    if request.param != "memory":
        return on_aws(aws, request.param)
    made = MemoryTasks()
    made.tokens["r-1"] = "token-1"
    return made


def test_the_token_of_a_job_is_found(tasks: Any) -> None:
    assert tasks.token("r-1") == "token-1"
    assert tasks.token("r-2") is None


def test_waking_who_waits_no_more_is_no_error(tasks: Any) -> None:
    assert tasks.wake("token-1") is False


def test_whatever_else_the_state_machine_answers_is_for_another_time(aws: LocalAws) -> None:
    with pytest.raises(StoreUnavailable):
        on_aws(aws, "ServiceUnavailable").wake("token-1")
