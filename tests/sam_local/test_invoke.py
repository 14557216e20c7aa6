"""`sam local invoke`: the shipped functions and their layer on AWS's own Python runtime, in a container."""

import json
from typing import Any

import pytest

from tests.sam_local.invocation import EVENTS, SamLocal

pytestmark = [pytest.mark.docker, pytest.mark.stack, pytest.mark.timeout(1800)]

SETTLED = {"S": "succeeded"}


def job_of(sam_local: SamLocal, event: str) -> dict[str, Any]:
    """The job that a dispatch event of one record leads to; SQS's message id is its key."""
    record = json.loads((EVENTS / f"{event}.json").read_text(encoding="utf-8"))["Records"][0]
    key = {"request_id": {"S": record["messageId"]}}
    table = sam_local.stack.outputs["JobsTableName"]
    found = sam_local.stack.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
    job: dict[str, Any] = found["Item"]
    return job


@pytest.mark.parametrize("event", ["dispatch-tts", "dispatch-image"])
def test_dispatch_serves_a_request_and_stores_its_result(sam_local: SamLocal, event: str) -> None:
    answer = sam_local.invoke("DispatchRequestFunction", event)

    assert answer == {"batchItemFailures": []}
    job = job_of(sam_local, event)
    assert job["status"] == SETTLED
    bucket = sam_local.stack.outputs["ResultsBucketName"]
    for output in job["outputs"]["L"]:
        stored = sam_local.stack.client("s3").head_object(Bucket=bucket, Key=output["M"]["key"]["S"])
        assert stored["ContentLength"] == int(output["M"]["bytes"]["N"])


def test_dispatch_parks_a_malformed_request_instead_of_failing(sam_local: SamLocal) -> None:
    answer = sam_local.invoke("DispatchRequestFunction", "dispatch-malformed")

    parked = sam_local.stack.client("sqs").receive_message(
        QueueUrl=sam_local.stack.outputs["RequestDlqUrl"], WaitTimeSeconds=5
    )
    assert answer == {"batchItemFailures": []}
    assert [message["Body"] for message in parked["Messages"]] == ['{"kind":"tts","input":{"text":']


@pytest.mark.parametrize("event", ["announce-succeeded", "announce-failed", "announce-rejected"])
def test_announce_publishes_the_result_of_a_settled_job(sam_local: SamLocal, results_queue: str, event: str) -> None:
    answer = sam_local.invoke("AnnounceResultFunction", event)

    received = sam_local.stack.client("sqs").receive_message(QueueUrl=results_queue, WaitTimeSeconds=10)["Messages"]
    published = json.loads(received[0]["Body"])
    assert answer == {"batchItemFailures": []}
    assert published["request_id"] == event.replace("announce", "example")
    assert published["status"] == event.removeprefix("announce-")


def test_announce_says_nothing_of_a_job_that_is_not_settled(sam_local: SamLocal, results_queue: str) -> None:
    answer = sam_local.invoke("AnnounceResultFunction", "announce-not-settled")

    received = sam_local.stack.client("sqs").receive_message(QueueUrl=results_queue, WaitTimeSeconds=1)
    assert answer == {"batchItemFailures": []}
    assert "Messages" not in received
