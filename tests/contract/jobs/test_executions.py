"""The state machine's executions: the fake and Step Functions keep the same promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mediarelay.long_jobs.ports import FoundExecution
from mediarelay.long_jobs.step_functions import StepFunctions
from tests.doubles.long_jobs import MemoryExecutions
from tests.harness.local_aws import KEEP_SESSION, REGION

STATE = {"job": {"request_id": "job-1"}}


@pytest.fixture(params=["memory", "stepfunctions"])
def executions(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryExecutions()
        return
    with mock_aws(config=KEEP_SESSION):
        fake = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        client = boto3.client("stepfunctions", region_name=REGION, **fake)  # type: ignore[call-overload]
        waiting = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}
        role = "arn:aws:iam::123456789012:role/machine"
        machine = client.create_state_machine(name="jobs", definition=json.dumps(waiting), roleArn=role)
        yield StepFunctions(client, machine["stateMachineArn"])


def test_a_name_is_started_once(executions: Any) -> None:
    assert executions.start("job-1@kling-video", STATE)
    again = executions.start("job-1@kling-video", {"job": {"request_id": "another"}})
    assert not again


def test_a_started_execution_is_found_with_what_it_was_given(executions: Any) -> None:
    executions.start("job-1", STATE)
    assert executions.find("job-1") == FoundExecution(running=True, state=STATE)
    assert executions.find("nobody") is None


def test_a_stopped_execution_is_found_at_an_end(executions: Any) -> None:
    executions.start("job-1", STATE)
    assert executions.stop("job-1", error="cancelled", cause="a test")
    assert executions.find("job-1") == FoundExecution(running=False, state=STATE)


def test_stopping_what_does_not_run_is_no_error(executions: Any) -> None:
    assert not executions.stop("nobody", error="cancelled", cause="a test")
