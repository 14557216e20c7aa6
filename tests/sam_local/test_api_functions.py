"""`sam local invoke` of what stands behind the HTTP API: authorizer, API, webhook."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from mediarelay.providers.registry import ALL_PROVIDERS
from tests.sam_local.running import answer_of, answer_to, event_of
from tools.local.provider_secret import store_tokens
from tools.local.stack import LocalStack
from tools.simulator import webhook

pytestmark = [pytest.mark.docker, pytest.mark.stack]

SEEN_SECONDS = 900.0  # ends a hang


@pytest.fixture
def operator(stack: LocalStack) -> None:
    """The token of events/lambda/authorize-known-token.json is one."""
    token = event_of("authorize-known-token")["headers"]["authorization"].removeprefix("Bearer ")
    store_tokens(stack.client("secretsmanager"), [("ann", token, time.time() + 3600)])


@pytest.mark.usefixtures("operator")
def test_authorize_lets_a_known_token_pass(stack: LocalStack) -> None:
    answer = answer_of(stack, "AuthorizeRequestFunction", "authorize-known-token")

    assert answer == {"isAuthorized": True, "context": {"token": "ann", "role": "operator"}}


@pytest.mark.usefixtures("operator")
def test_authorize_refuses_any_other(stack: LocalStack) -> None:
    """By failing with this one word, which API Gateway answers with a 401."""
    answer = answer_of(stack, "AuthorizeRequestFunction", "authorize-unknown-token")

    assert answer["errorMessage"] == "Unauthorized"


def test_serve_answers_with_the_health_of_every_provider(stack: LocalStack) -> None:
    answer = answer_of(stack, "ServeApiFunction", "serve-providers-health")

    listed = json.loads(answer["body"])["providers"]
    assert answer["statusCode"] == 200
    assert {entry["provider"] for entry in listed} == set(ALL_PROVIDERS)


def test_wait_answers_at_once_that_there_is_no_such_job(stack: LocalStack) -> None:
    answer = answer_of(stack, "WaitForJobFunction", "wait-for-job")

    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (404, "not_found")


@pytest.mark.usefixtures("operator")
def test_answer_publishes_speech_and_sends_its_sdk_to_the_file_or_back_again(stack: LocalStack) -> None:
    answer = answer_of(stack, "AnswerOpenaiFunction", "answer-speech")

    assert answer["statusCode"] in (303, 504)
    assert answer["headers"]["x-request-id"].startswith("o-")


def test_receive_wakes_the_execution_that_waits_and_only_for_the_vendor(stack: LocalStack, tmp_path: Path) -> None:
    job = event_of("receive-job-over")["headers"]["x-fal-webhook-request-id"]
    execution = waiting_for(stack, job)

    forged = answer_to(stack, "ReceiveWebhookFunction", signed(SigningKey.generate()), tmp_path)
    before = status(stack, execution)
    good = answer_to(stack, "ReceiveWebhookFunction", signed(), tmp_path)

    assert (forged, before) == ({"statusCode": 401}, "RUNNING")
    assert good == {"statusCode": 204}
    assert eventually_over(stack, execution) == "SUCCEEDED"


def signed(key: SigningKey | None = None) -> dict[str, Any]:
    """The delivery of events/lambda, signed this moment: by the vendor, or by somebody else."""
    event = event_of("receive-job-over")
    request_id = event["headers"]["x-fal-webhook-request-id"]
    own = {"key": key} if key else {}
    headers = webhook.signature(request_id, event["body"].encode(), now=time.time(), **own)
    event["headers"] |= {name.lower(): value for name, value in headers.items()}
    return event


def waiting_for(stack: LocalStack, job: str) -> str:
    """An execution that waits to be told of this job, as the shipped machine's `Wait to be told` does; its ARN."""
    machines = stack.client("stepfunctions")
    item = {"pk": {"S": "WEBHOOK#fal"}, "sk": {"S": job}, "token": {"S.$": "$$.Task.Token"}}
    wait = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken",
        "Parameters": {"TableName": stack.outputs["TelemetryTableName"], "Item": item},
        "TimeoutSeconds": 600,
        "End": True,
    }
    role = machines.describe_state_machine(stateMachineArn=stack.outputs["MediaJobStateMachineArn"])["roleArn"]
    definition = json.dumps({"StartAt": "Wait", "States": {"Wait": wait}})
    machine = machines.create_state_machine(name="waits-to-be-told", definition=definition, roleArn=role)
    execution: str = machines.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    return execution


def status(stack: LocalStack, execution: str) -> str:
    found: str = stack.client("stepfunctions").describe_execution(executionArn=execution)["status"]
    return found


def eventually_over(stack: LocalStack, execution: str) -> str:
    """How it ended; RUNNING when it did not."""
    max_wait = time.monotonic() + SEEN_SECONDS
    while status(stack, execution) == "RUNNING" and time.monotonic() < max_wait:
        time.sleep(0.2)
    return status(stack, execution)
