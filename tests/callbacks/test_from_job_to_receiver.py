"""deliver_callback, from a job that settles to its receiver, on moto."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import botocore.client
import pytest
import responses
from standardwebhooks.webhooks import Webhook

from functions.deliver_callback import app
from tests.harness.function_events import DONE, RUNNING, job_change, sqs_record
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS

SECRET = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
URL = "https://hooks.example.com/media"
ASKED = {"callback_url": URL}


@pytest.fixture
def callbacks(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The callback queue, subscribed as the template does it."""
    url = deployed.aws.sqs.create_queue(QueueName="callbacks")["QueueUrl"]
    arn = deployed.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    filtered = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"callback": [{"exists": True}]})}
    deployed.aws.sns.subscribe(TopicArn=deployed.aws.topic_arn, Protocol="sqs", Endpoint=arn, Attributes=filtered)
    secret = json.dumps({"hooks.example.com": [SECRET], "within.example.com": [SECRET[:-4] + "2ts="]})
    deployed.aws.secrets.create_secret(Name="callback-secrets", SecretString=secret)
    monkeypatch.setenv("CALLBACK_QUEUE_URL", url)
    monkeypatch.setenv("CALLBACK_HOSTS", "*.example.com")
    monkeypatch.setenv("CALLBACK_SECRETS_ID", "callback-secrets")
    app.service.cache_clear()
    yield url
    app.service.cache_clear()


def settle(deployed: Deployed, **fields: Any) -> None:
    """Settle the job: in the table, and by way of the stream to the topic."""
    change = job_change(1, {**RUNNING, **fields}, {**DONE, **fields})
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=change["dynamodb"]["NewImage"])
    assert deployed.announce(change) == []


def delivered(deployed: Deployed, url: str) -> list[str]:
    """Have what is in the queue delivered. Returns the ids of what comes again."""
    records = []
    for each in deployed.aws.received(url):
        said = {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
        records.append({**sqs_record(each["Body"], each["MessageId"], **said), "receiptHandle": each["ReceiptHandle"]})
    answer = app.handler({"Records": records}, Context()) if records else {"batchItemFailures": []}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def noted(deployed: Deployed) -> dict[str, Any]:
    item: dict[str, Any] = deployed.job("job-1").get("callback", {}).get("M", {})
    return {name: next(iter(value.values())) for name, value in item.items()}


def test_who_asked_for_it_is_told_and_can_check_who_told(
    deployed: Deployed, callbacks: str, vendors: responses.RequestsMock
) -> None:
    vendors.post(URL, status=204)
    settle(deployed, **ASKED)
    assert delivered(deployed, callbacks) == []
    (call,) = vendors.calls
    said = Webhook(SECRET).verify(call.request.body or b"", dict(call.request.headers))
    assert (said["type"], said["data"]["request_id"], said["data"]["status"]) == ("media.settled", "job-1", "succeeded")
    assert call.request.headers["content-type"] == "application/json"
    assert noted(deployed) == {}


def test_who_did_not_ask_is_no_message_of_the_callback_queue(deployed: Deployed, callbacks: str) -> None:
    settle(deployed)
    assert deployed.aws.received(callbacks) == []


def test_a_thin_callback_names_the_job(deployed: Deployed, callbacks: str, vendors: responses.RequestsMock) -> None:
    vendors.post(URL, status=200)
    settle(deployed, **ASKED, callback_body="thin")
    assert delivered(deployed, callbacks) == []
    assert "outputs" not in json.loads(vendors.calls[0].request.body or b"")["data"]


@pytest.mark.parametrize("status", [500, 302, 404])
def test_what_failed_is_noted_and_comes_again_later(
    deployed: Deployed, callbacks: str, vendors: responses.RequestsMock, status: int
) -> None:
    vendors.post(URL, status=status, headers={"location": "https://elsewhere.example.com/"})
    settle(deployed, **ASKED)
    assert len(delivered(deployed, callbacks)) == 1
    assert (noted(deployed)["state"], noted(deployed)["tries"]) == ("waiting", "1")
    assert noted(deployed)["last_status"] == str(status)
    assert deployed.aws.received(callbacks) == [], "it is hidden"
    assert len(vendors.calls) == 1


def test_a_receiver_that_is_gone_ends_it(deployed: Deployed, callbacks: str, vendors: responses.RequestsMock) -> None:
    vendors.post(URL, status=410)
    settle(deployed, **ASKED)
    assert delivered(deployed, callbacks) == []
    assert (noted(deployed)["state"], noted(deployed)["tries"]) == ("gone", "1")


def test_a_name_that_leads_within_is_never_connected_to(
    deployed: Deployed, callbacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: within)
    settle(deployed, callback_url="https://within.example.com/")
    assert len(delivered(deployed, callbacks)) == 1
    assert (noted(deployed)["last_fault"], noted(deployed)["tries"]) == ("forbidden_address", "1")


def test_no_log_line_and_no_record_has_a_secret(
    deployed: Deployed, callbacks: str, vendors: responses.RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    vendors.post(URL, status=500)
    settle(deployed, **ASKED)
    delivered(deployed, callbacks)
    assert SECRET.removeprefix("whsec_")[:12] not in capsys.readouterr().out + str(deployed.aws.items(JOBS))


def test_a_result_that_asks_for_no_callback_takes_the_calls_that_it_took_and_one_that_does_no_more(
    deployed: Deployed, callbacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    make = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def counted(client: Any, operation: str, parameters: Any) -> Any:
        calls.append(operation)
        return make(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counted)
    for fields in ({}, ASKED):
        calls.clear()
        assert deployed.announce(job_change(1, {**RUNNING, **fields}, {**DONE, **fields})) == []
        assert calls == ["PublishBatch"]
    assert callbacks
