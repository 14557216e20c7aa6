"""`sam local invoke`: the shipped functions and their layer on AWS's own Python runtime, in a container."""

import json
from typing import Any

import pytest

from mediarelay.usage.dynamodb import DynamoUsage
from tests.sam_local.running import EVENTS, answer_of, event_of
from tools.local.outage.inbox import Inbox
from tools.local.sam_local.invocation import InvokeError, invoke
from tools.local.stack import LocalStack

pytestmark = [pytest.mark.docker, pytest.mark.stack]

SETTLED = {"S": "succeeded"}


@pytest.mark.parametrize("event", ["dispatch-tts", "dispatch-image", "dispatch-polly", "dispatch-google"])
def test_dispatch_serves_a_request_and_stores_its_result(stack: LocalStack, event: str) -> None:
    serves(stack, event, answer_of(stack, "DispatchRequestFunction", event))


def test_draw_serves_a_request_for_a_picture_and_stores_it(stack: LocalStack) -> None:
    serves(stack, "draw-image", answer_of(stack, "DrawPictureFunction", "draw-image"))


def serves(stack: LocalStack, event: str, answer: Any) -> None:
    assert answer == {"batchItemFailures": []}
    job = record(stack, event_of(event)["Records"][0]["messageId"])
    assert job["status"] == SETTLED
    bucket = stack.outputs["ResultsBucketName"]
    for output in job["outputs"]["L"]:
        stored = stack.client("s3").head_object(Bucket=bucket, Key=output["M"]["key"]["S"])
        assert stored["ContentLength"] == int(output["M"]["bytes"]["N"])


def test_dispatch_parks_a_malformed_request_instead_of_failing(stack: LocalStack) -> None:
    answer = answer_of(stack, "DispatchRequestFunction", "dispatch-malformed")

    parked = stack.client("sqs").receive_message(QueueUrl=stack.outputs["RequestDlqUrl"], WaitTimeSeconds=5)
    assert answer == {"batchItemFailures": []}
    assert [message["Body"] for message in parked["Messages"]] == ['{"kind":"tts","input":{"text":']


@pytest.mark.parametrize("event", ["announce-succeeded", "announce-failed", "announce-rejected"])
def test_announce_publishes_the_result_of_a_settled_job(stack: LocalStack, results: Inbox, event: str) -> None:
    answer = answer_of(stack, "AnnounceResultFunction", event)

    published = json.loads(next(results.receive(wait_seconds=10)))
    assert answer == {"batchItemFailures": []}
    assert published["request_id"] == event.replace("announce", "example")
    assert published["status"] == event.removeprefix("announce-")


def test_announce_says_nothing_of_a_job_that_is_not_settled(stack: LocalStack, results: Inbox) -> None:
    answer = answer_of(stack, "AnnounceResultFunction", "announce-not-settled")

    assert answer == {"batchItemFailures": []}
    assert list(results.receive()) == []


def test_deliver_calls_nobody_for_a_job_that_asked_for_none(stack: LocalStack) -> None:
    assert answer_of(stack, "DeliverCallbackFunction", "deliver-callback") == {"batchItemFailures": []}


def test_forward_tells_a_chat_of_an_alert(stack: LocalStack) -> None:
    assert answer_of(stack, "ForwardEventsFunction", "forward-alert") == {"batchItemFailures": []}


def test_count_adds_a_settled_job_to_the_totals_of_its_day_once(stack: LocalStack) -> None:
    for _ in range(2):
        answer = answer_of(stack, "CountUsageFunction", "count-succeeded")
        assert answer == {"state": {}, "batchItemFailures": []}

    counted = DynamoUsage(stack.client("dynamodb"), stack.outputs["UsageTableName"]).load(["2026-11-23"])
    (amounts,) = counted.values()
    assert (amounts["jobs"], amounts["succeeded"], amounts["charged"]) == (1, 1, 600_000)


def opened(stack: LocalStack, event: str) -> str:
    """An open job for an event of the state machine's; its id."""
    state = event_of(event)
    if "detail" in state:
        state = json.loads(state["detail"]["input"])
    request_id: str = state.get("failed", state)["job"]["request_id"]
    facts = {"status": "queued", "kind": "video"}
    item = {"request_id": {"S": request_id}, "received_at": {"N": "1"}, **{name: {"S": facts[name]} for name in facts}}
    stack.client("dynamodb").put_item(TableName=stack.outputs["JobsTableName"], Item=item)
    return request_id


def record(stack: LocalStack, request_id: str) -> dict[str, Any]:
    """The job's record."""
    key = {"request_id": {"S": request_id}}
    table = stack.outputs["JobsTableName"]
    item: dict[str, Any] = stack.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    return item


def test_submit_has_a_job_accepted(stack: LocalStack) -> None:
    request_id = opened(stack, "submit-video")
    answer = answer_of(stack, "SubmitJobFunction", "submit-video")

    assert answer["job"]["next"] == "wait_to_poll"
    assert answer["job"]["vendor"]["provider"] == "kling-video"
    assert record(stack, request_id)["status"] == {"S": "polling"}


def test_a_part_of_a_text_that_nobody_wants_is_left(stack: LocalStack) -> None:
    answer = answer_of(stack, "SpeakPartFunction", "speak-part")

    assert answer["next"] == "done"


@pytest.mark.parametrize("event", ["steer-speech", "steer-aborted-execution"])
def test_a_text_that_nobody_wants_is_not_spoken(stack: LocalStack, event: str) -> None:
    answer = answer_of(stack, "SteerSpeechFunction", event)

    assert answer["job"]["next"] == "done"


def test_poll_asks_again_about_a_job_that_the_vendor_does_not_know_yet(stack: LocalStack) -> None:
    answer = answer_of(stack, "PollJobFunction", "poll-video")

    assert answer["job"]["next"] == "wait_to_poll"
    assert answer["job"]["vendor"]["polls"] == 2


@pytest.mark.parametrize("event", ["settle-failed", "settle-caught-error", "settle-aborted-execution"])
def test_settle_brings_a_job_to_its_end(stack: LocalStack, event: str) -> None:
    request_id = opened(stack, event)
    answer = answer_of(stack, "SettleJobFunction", event)

    assert answer["job"]["next"] == "done"
    assert record(stack, request_id)["status"] == {"S": "failed"}


def test_a_function_that_is_not_there_is_one_clear_message(stack: LocalStack) -> None:
    with pytest.raises(InvokeError, match=r"no function Dispatch; the stack has .*DispatchRequestFunction"):
        invoke(stack, "Dispatch", EVENTS / "dispatch-tts.json")
