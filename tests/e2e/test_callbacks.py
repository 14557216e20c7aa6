"""Callbacks on the deployed template: from the queue of requests to a publisher's server."""

from __future__ import annotations

import json

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks.webhooks import Webhook

from mediarelay.job_records.contract import CallbackTries
from tests.builders.requests import tts
from tests.harness.callbacks.receiver import HOST, SECRET, CallbackReceiver
from tests.harness.deployed import Relay, until
from tools.deployment.__main__ import callbacks
from tools.localaws.environment import client_environment

pytestmark = pytest.mark.stack

URL = f"https://{HOST}/media?of=17"


def delivered(relay: Relay, request_id: str) -> CallbackTries | None:
    """What the record says once the receiver has taken it."""
    found = relay.jobs(request_id)[request_id].callback
    return found if found is not None and found.state == "delivered" else None


def test_a_result_waits_for_no_receiver_who_is_told_once_it_is_up_and_again_when_asked_for(
    relay: Relay, receiver: CallbackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers(503, 204, held=True)
    relay.publish([tts("call me back", request_id="e2e-told", callback_url=URL)])
    (event,) = relay.await_events(["e2e-told"])["e2e-told"]
    assert (event.status, event.callback) == ("succeeded", "full")
    until(lambda: receiver.told, "the first try")
    receiver.let_go()
    until(lambda: len(receiver.told) > 1, "the second try")
    noted = until(lambda: delivered(relay, "e2e-told"), "what came of it")
    assert noted is not None
    assert (noted.tries, noted.last_status) == (2, 204)

    for name, value in client_environment(relay.stack.endpoint).items():
        monkeypatch.setenv(name, value)
    callbacks(since="2026-01-01", stack="mediarelay-local", request_id=["e2e-told"])
    until(lambda: len(receiver.told) > 2, "the replay")
    bodies = [Webhook(SECRET).verify(each.body, each.headers) for each in receiver.told]
    assert {(body["type"], body["data"]["request_id"]) for body in bodies} == {("media.settled", "e2e-told")}
    assert {each.path for each in receiver.told} == {"/media?of=17"}
    assert len({each.headers["webhook-id"] for each in receiver.told}) == 1


def test_a_rule_of_the_bus_hears_of_a_result_as_a_cloudevent(relay: Relay) -> None:
    sqs, events = relay.stack.client("sqs"), relay.stack.client("events")
    url = sqs.create_queue(QueueName="e2e-rule")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["mediarelay.local"], "detail": {"subject": ["e2e-event"]}}
    events.put_rule(Name="e2e", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="e2e", Targets=[{"Id": "1", "Arn": arn}])
    relay.publish([tts("tell the bus", request_id="e2e-event")])
    (seen,) = until(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), "the event")
    body = json.loads(seen["Body"])
    found = JSONFormat().read(CloudEvent, json.dumps(body["detail"]))
    assert (body["detail-type"], found.get_type()) == ("Media Settled", "mediarelay.media.settled.v1")
    assert found.get_data() == relay.await_events(["e2e-event"])["e2e-event"][0].model_dump(mode="json")


def test_who_may_not_be_called_is_told_to_the_publisher(relay: Relay) -> None:
    wanted = tts("call them", request_id="e2e-others", callback_url="https://others.example.com/")
    relay.publish([wanted])
    (event,) = relay.await_events(["e2e-others"])["e2e-others"]
    assert event.error is not None
    assert (event.status, event.error.code, event.callback) == ("rejected", "callback_not_allowed", None)
