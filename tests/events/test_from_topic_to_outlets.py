"""forward_events, from what a topic told to a bus, a chat and PagerDuty, on moto."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import responses
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from functions.forward_events import app
from mediarelay.events.forwarding import DELAYS
from tests.builders.events import event
from tests.builders.incidents import alert
from tests.harness.function_events import sqs_record
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import REGION

PAGER = "https://events.pagerduty.com/v2/enqueue"
KEY = "f" * 32


@dataclass
class Outlets:
    """What is told, and where it arrives."""

    deployed: Deployed
    bus: str
    chat: str
    again: str
    dead: str

    def forward(self, *bodies: str) -> list[str]:
        """Have the function send on what it is given."""
        records = [sqs_record(body, f"m-{number}") for number, body in enumerate(bodies)]
        answer = app.handler({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def received(self, queue: str) -> list[dict[str, Any]]:
        return self.deployed.aws.received(queue)


@pytest.fixture
def outlets(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Outlets:
    aws = deployed.aws
    queues = {name: aws.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("bus", "chat", "again", "dead")}

    def arn(name: str) -> str:
        asked = aws.sqs.get_queue_attributes(QueueUrl=queues[name], AttributeNames=["QueueArn"])
        return str(asked["Attributes"]["QueueArn"])

    events = boto3.client("events", region_name=REGION)
    events.create_event_bus(Name="media")
    pattern = json.dumps({"source": ["mediarelay.prod"]})
    events.put_rule(Name="all", EventBusName="media", EventPattern=pattern)
    events.put_targets(Rule="all", EventBusName="media", Targets=[{"Id": "1", "Arn": arn("bus")}])
    topic = aws.sns.create_topic(Name="chat-alerts")["TopicArn"]
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn("chat"), Attributes={"RawMessageDelivery": "true"})
    aws.secrets.create_secret(Name="pager", SecretString=KEY)
    environment = {
        "STAGE": "prod",
        "EVENTS_QUEUE_URL": queues["again"],
        "EVENTS_DLQ_URL": queues["dead"],
        "EVENT_BUS": "media",
        "CHAT_ALERTS_TOPIC_ARN": topic,
        "PAGER_SECRET_ID": "pager",
        "CONSOLE_URL": "https://api.example.com/",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app.service.cache_clear()
    return Outlets(deployed, **queues)


def test_a_result_is_on_the_bus_as_a_cloudevent(outlets: Outlets) -> None:
    assert outlets.forward(event().model_dump_json()) == []
    (seen,) = outlets.received(outlets.bus)
    body = json.loads(seen["Body"])
    assert (body["source"], body["detail-type"]) == ("mediarelay.prod", "Media Settled")
    found = JSONFormat().read(CloudEvent, json.dumps(body["detail"]))
    assert (found.get_type(), found.get_data()) == ("mediarelay.media.settled.v1", event().model_dump(mode="json"))


def test_an_alert_is_heard_by_all_three_and_by_pagerduty_with_its_key(
    outlets: Outlets, vendors: responses.RequestsMock
) -> None:
    vendors.post(PAGER, status=202, json={"status": "success", "dedup_key": "openai-tts-1793440000"})
    assert outlets.forward(alert().model_dump_json()) == []
    assert len(outlets.received(outlets.bus)) == 1
    (told,) = outlets.received(outlets.chat)
    assert json.loads(told["Body"])["content"]["title"] == ":red_circle: openai-tts is down"
    (call,) = vendors.calls
    sent = json.loads(call.request.body or b"")
    assert (sent["routing_key"], sent["event_action"]) == (KEY, "trigger")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_pager_that_is_busy_is_told_later_and_the_others_once(
    outlets: Outlets, vendors: responses.RequestsMock, status: int
) -> None:
    vendors.post(PAGER, status=status)
    assert outlets.forward(alert().model_dump_json()) == []
    (kept,) = outlets.deployed.aws.sqs.get_queue_attributes(
        QueueUrl=outlets.again, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )["Attributes"].values()
    assert kept == "1"
    assert len(outlets.received(outlets.chat)) == 1


def test_what_pagerduty_refuses_for_good_is_not_told_again_and_its_key_is_not_told(
    outlets: Outlets, vendors: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.post(PAGER, status=400, json={"status": "invalid event"})
    assert outlets.forward(alert().model_dump_json()) == []
    assert outlets.received(outlets.again) == []
    assert "PagerDuty refuses an event" in caplog.text
    assert KEY not in caplog.text


def test_what_is_given_up_says_where_it_did_not_get_to(outlets: Outlets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_ALERTS_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:gone")
    monkeypatch.setenv("EVENT_BUS", "")
    monkeypatch.setenv("PAGER_SECRET_ID", "")
    app.service.cache_clear()
    record = sqs_record(alert().model_dump_json(), "m-0", left="chat", tries=str(len(DELAYS)))
    assert app.handler({"Records": [record]}, Context())["batchItemFailures"] == []
    (parked,) = outlets.received(outlets.dead)
    assert parked["MessageAttributes"]["left"]["StringValue"] == "chat"
