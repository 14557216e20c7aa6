"""Video and audio jobs on the local stack: the shipped template, machine and functions, on waits that really pass."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from nacl.signing import SigningKey

from tests.local.waiting import until
from tools.local.plan import StackPlan, provider_parameters
from tools.local.stack import LocalStack
from tools.simulator import webhook
from tools.simulator.process import SimulatorProcess

pytestmark = pytest.mark.stack

JOBS = 24
STUDIO, SPARE = 4, 2
KEYS = {
    "KLING_API_KEYS": json.dumps(
        [
            {"key": "sim-kling-access-1:sim-kling-secret-1", "account": "studio", "concurrency": STUDIO},
            {"key": "sim-kling-access-2:sim-kling-secret-2", "account": "studio"},
            {"key": "sim-kling-key-3", "account": "spare", "concurrency": SPARE},
        ]
    ),
    "FAL_KEYS": "sim-fal-key-1,sim-fal-key-2",
    "ELEVENLABS_API_KEYS": "sim-elevenlabs-key-1",
    "REPLICATE_API_KEYS": "sim-replicate-key-1",
}
CONFIG: dict[str, Any] = {
    "vendors": {
        "kling": {
            "studio": {
                "keys": ["sim-kling-access-1:sim-kling-secret-1", "sim-kling-access-2:sim-kling-secret-2"],
                "concurrency": STUDIO,
            },
            "spare": {"keys": ["sim-kling-key-3"], "concurrency": SPARE},
        },
        "fal": {"main": {"keys": ["sim-fal-key-1", "sim-fal-key-2"], "concurrency": 10}},
        "elevenlabs": {"main": {"keys": ["sim-elevenlabs-key-1"]}},
        "replicate": {"main": {"keys": ["sim-replicate-key-1"]}},
    },
    "latency": {
        "kling": {"task_run": {"kind": "lognormal", "median": 8.0, "p99": 16.0}},
        "replicate": {"prediction_run": {"kind": "lognormal", "median": 3.0, "p99": 6.0}},
        "fal": {
            "video_run": {"kind": "lognormal", "median": 3.0, "p99": 6.0},
            "audio_run": {"kind": "lognormal", "median": 2.0, "p99": 4.0},
        },
    },
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def stack(simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[LocalStack]:
    parameters = {**provider_parameters(simulator.urls), "FalWebhooks": "on"}
    folder, plan = tmp_path_factory.mktemp("jobs"), StackPlan(built=built)
    with LocalStack.start(folder, parameters=parameters, secret=KEYS, plan=plan) as running:
        # The API's address here is not AWS's, and is known only now.
        change(running, WebhookApiUrl=running.api_url.removesuffix("/"))
        yield running


def change(stack: LocalStack, **parameters: str) -> None:
    """Give parameters of what is deployed another value."""
    cloudformation, name = stack.client("cloudformation"), stack.plan.stack_name
    (known,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    kept = [{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in known["Parameters"]]
    changed = [{"ParameterKey": each, "ParameterValue": value} for each, value in parameters.items()]
    cloudformation.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[*(each for each in kept if each["ParameterKey"] not in parameters), *changed],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@pytest.fixture(autouse=True)
def fresh(simulator: SimulatorProcess) -> None:
    simulator.client.reset()


def publish(stack: LocalStack, *bodies: dict[str, Any]) -> None:
    sqs, url = stack.client("sqs"), stack.outputs["RequestQueueUrl"]
    for start in range(0, len(bodies), 10):
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(body)}
            for number, body in enumerate(bodies[start : start + 10])
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def job(stack: LocalStack, request_id: str) -> dict[str, Any]:
    table = stack.client("dynamodb")
    found = table.get_item(TableName=stack.outputs["JobsTableName"], Key={"request_id": {"S": request_id}})
    item: dict[str, Any] = found.get("Item", {})
    return item


def jobs(stack: LocalStack, prefix: str) -> list[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["JobsTableName"])
    items = (item for page in pages for item in page["Items"])
    return [item for item in items if item["request_id"]["S"].startswith(prefix)]


def statuses(stack: LocalStack, prefix: str) -> Counter[str]:
    """How many jobs stand where; one that ended otherwise than well fails the test at once, with its cause."""
    found = jobs(stack, prefix)
    assert [item for item in found if item["status"]["S"] in {"failed", "rejected", "expired"}] == []
    return Counter(item["status"]["S"] for item in found)


def unfinished(stack: LocalStack, prefix: str) -> list[str]:
    """What the record and the execution of each open job say, for whoever has to find out why it is open."""
    machine = stack.outputs["MediaJobStateMachineArn"].replace(":stateMachine:", ":execution:")
    lines = []
    for item in jobs(stack, prefix):
        if item["status"]["S"] == "succeeded":
            continue
        events: list[Any]
        try:
            told = stack.client("stepfunctions").get_execution_history(
                executionArn=f"{machine}:{item['request_id']['S']}", reverseOrder=True, maxResults=4
            )
            events = [{**event, "timestamp": str(event["timestamp"])} for event in told["events"]]
        except ClientError as error:
            events = [str(error)]
        lines.append(f"{item}\n  {events}")
    queued = stack.client("sqs").get_queue_attributes(QueueUrl=stack.outputs["RequestQueueUrl"], AttributeNames=["All"])
    return [*lines, str(queued["Attributes"])]


def held(stack: LocalStack) -> dict[str, int]:
    """How many slots of each account of Kling are taken now."""
    found = stack.client("dynamodb").query(
        TableName=stack.outputs["TelemetryTableName"],
        KeyConditionExpression="pk = :slots",
        ExpressionAttributeValues={":slots": {"S": "SLOTS#kling"}},
    )
    return {item["sk"]["S"]: len(item["holders"]["M"]) for item in found["Items"]}


def settled(stack: LocalStack, request_id: str) -> dict[str, Any]:
    done = {"succeeded", "failed", "rejected", "expired"}
    until(lambda: job(stack, request_id).get("status", {}).get("S") in done)
    return job(stack, request_id)


def video(prompt: str, request_id: str, **fields: Any) -> dict[str, Any]:
    given = {"providers": ["kling-video"], **fields}
    return {"request_id": request_id, "kind": "video", "input": {"prompt": prompt}, **given}


def test_each_provider_delivers_a_playable_result(stack: LocalStack) -> None:
    sound = {"kind": "audio", "input": {"prompt": "waves", "duration": 5}}
    publish(
        stack,
        video("a lighthouse", "one-kling"),
        video("a lighthouse", "one-fal-kling", providers=["fal-kling"]),
        video("a lighthouse", "one-replicate", providers=["replicate-video"]),
        {**sound, "request_id": "one-stable-audio", "providers": ["fal-stable-audio"]},
        {**sound, "request_id": "one-elevenlabs", "providers": ["elevenlabs-audio"]},
    )
    formats = {
        "one-kling": b"ftyp",
        "one-fal-kling": b"ftyp",
        "one-replicate": b"ftyp",
        "one-stable-audio": b"WAVE",
        "one-elevenlabs": b"\xff\xfb",
    }
    for request_id, mark in formats.items():
        item = settled(stack, request_id)
        assert item["status"]["S"] == "succeeded", item
        output = item["outputs"]["L"][0]["M"]
        body = stack.client("s3").get_object(Bucket=stack.outputs["ResultsBucketName"], Key=output["key"]["S"])
        data = body["Body"].read()
        assert len(data) == int(output["bytes"]["N"])
        assert mark in data[:16]


def test_a_webhook_wakes_a_job_that_would_be_polled_an_hour_from_now(
    stack: LocalStack, simulator: SimulatorProcess
) -> None:
    model = job(stack, "one-fal-kling")["model"]["S"]
    hours = {"seconds": {"L": [{"N": "3600"}] * 20}, "version": {"N": "1000"}}
    key = {"pk": {"S": "TIMES#fal-kling"}, "sk": {"S": model}}
    stack.client("dynamodb").put_item(TableName=stack.outputs["TelemetryTableName"], Item={**key, **hours})
    publish(stack, video("a lighthouse", "woken-1", providers=["fal-kling"], timeout_seconds=7200))
    assert settled(stack, "woken-1")["status"]["S"] == "succeeded"
    asked = {row["operation"]: row["requests"] for row in simulator.client.stats()["rows"] if row["vendor"] == "fal"}
    assert (asked["queue_submit"], asked["queue_status"], asked["queue_result"]) == (1, 1, 1)


def test_a_call_that_fal_has_not_signed_is_turned_away(stack: LocalStack) -> None:
    url = f"{stack.api_url}webhooks/fal"
    forged = webhook.signature("woken-1", b"{}", now=time.time(), key=SigningKey.generate())
    assert requests.post(url, data=b"{}", headers=forged, timeout=600).status_code == 401
    assert requests.post(url, data=b"{}", timeout=600).status_code == 401
    assert requests.post(url, data=b"x" * 300_000, headers=forged, timeout=600).status_code == 413


def test_a_cancelled_job_ends_and_is_stopped_at_the_vendor(stack: LocalStack, simulator: SimulatorProcess) -> None:
    simulator.client.fault(vendor="fal", operation="video_run", kind="timeout")
    publish(stack, video("never ends", "cancelled-1", providers=["fal-kling"]))
    until(lambda: job(stack, "cancelled-1").get("status", {}).get("S") == "polling")
    publish(stack, {"cancel": "cancelled-1"})
    item = settled(stack, "cancelled-1")
    assert (item["status"]["S"], item["error"]["M"]["code"]["S"]) == ("failed", "cancelled")
    outcomes = {row["operation"]: row["by_outcome"] for row in simulator.client.stats()["rows"]}
    assert outcomes["queue_cancel"] == {"cancelled": 1}


def test_a_stopped_execution_is_settled_by_the_event_it_leaves(stack: LocalStack, simulator: SimulatorProcess) -> None:
    simulator.client.fault(vendor="kling", operation="task_run", kind="timeout")
    publish(stack, video("stopped by hand", "stopped-1"))
    until(lambda: job(stack, "stopped-1").get("status", {}).get("S") == "polling")
    machine = stack.outputs["MediaJobStateMachineArn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:stopped-1"
    stack.client("stepfunctions").stop_execution(executionArn=execution, error="Operator", cause="a test")
    item = settled(stack, "stopped-1")
    assert (item["status"]["S"], item["error"]["M"]["code"]["S"]) == ("failed", "internal_error")


def test_a_stuck_job_expires(stack: LocalStack, simulator: SimulatorProcess) -> None:
    simulator.client.fault(vendor="kling", operation="task_run", kind="timeout")
    publish(stack, video("stuck", "stuck-1", timeout_seconds=8))
    assert settled(stack, "stuck-1")["status"]["S"] == "expired"


def test_many_jobs_at_once_over_three_keys_of_two_accounts(stack: LocalStack, simulator: SimulatorProcess) -> None:
    started = time.monotonic()
    publish(stack, *(video(f"clip {number}", f"many-{number}", timeout_seconds=3600) for number in range(JOBS)))
    most_held: Counter[str] = Counter()

    def all_succeeded() -> bool:
        most_held.update({account: max(0, now - most_held[account]) for account, now in held(stack).items()})
        return statuses(stack, "many-") == {"succeeded": JOBS}

    try:
        until(all_succeeded)
    except AssertionError as error:
        error.add_note("\n".join(unfinished(stack, "many-")))
        raise
    stats = simulator.client.stats()
    rows = [row for row in stats["rows"] if row["vendor"] == "kling"]
    most = {each["account"]: each["max_in_flight"] for each in stats["accounts"] if each["vendor"] == "kling"}
    refused = sum(row["by_outcome"].get("concurrency_limited", 0) for row in rows)
    polls = sum(row["requests"] for row in rows if row["operation"] == "poll")
    took = f"{time.monotonic() - started:.0f} s; most at once {most}; {polls} polls; {refused} refused"
    logging.getLogger(__name__).warning("%s jobs in %s", JOBS, took)
    assert stats["foreign_polls"] == 0
    assert stats["leaked_credentials"] == 0
    assert simulator.client.paid("kling") == {f"clip {number}": 1 for number in range(JOBS)}
    # Four jobs wait for each slot, so both accounts fill up, however long a worker takes over a submit. A slot is held
    # until a poll has seen the end: the vendor may count fewer than we hold, and never more than it allows.
    assert most_held == {"studio": STUDIO, "spare": SPARE}
    assert 0 < most["studio"] <= STUDIO
    assert 0 < most["spare"] <= SPARE
    assert refused == 0, "no submit went beyond an account's slots"
    assert sum(row["paid"] for row in rows) == JOBS
