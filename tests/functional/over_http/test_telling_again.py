"""A job's end, told once more over HTTP: to subscribers, and to the publisher's server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.serve_api import app
from mediarelay.api.access import PREFIX
from mediarelay.aws.stores import to_item
from tests.harness.function_events import DONE, RUNNING, http_event
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS

Ask = Callable[..., tuple[int, Any]]
ASKED = {"callback_url": "https://hooks.example.com/media", "callback_body": "thin"}


@pytest.fixture
def callbacks(deployed: Deployed) -> str:
    return str(deployed.aws.sqs.create_queue(QueueName="callbacks")["QueueUrl"])


@pytest.fixture
def ask(deployed: Deployed, callbacks: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv("CALLBACK_QUEUE_URL", callbacks)
    app.application.cache_clear()
    assert deployed.aws.inbox_url

    def call(name: str, body: Any = None, **query: str) -> tuple[int, Any]:
        method, path = name.split(" ")
        answer = app.handler(http_event(method, f"{PREFIX}{path}", body, query), Context())
        return answer["statusCode"], json.loads(answer["body"])

    return call


def keep(deployed: Deployed, record: dict[str, Any], **fields: Any) -> None:
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item({**record, **fields}))


def order(whom: str) -> dict[str, str]:
    return {"whom": whom, "reason": "the subscriber was away"}


def test_subscribers_hear_it_again_under_its_own_id_and_the_audit_says_who_wanted_it(
    deployed: Deployed, ask: Ask
) -> None:
    keep(deployed, DONE)
    status, answer = ask("POST /jobs/job-1/tell", order("subscribers"))
    (seen,) = deployed.aws.received(deployed.aws.inbox_url)
    event = json.loads(seen["Body"])
    assert (status, answer["event_ids"]) == (200, [event["event_id"]])
    assert (event["request_id"], event["status"]) == ("job-1", "succeeded")
    (entry,) = ask("GET /audit")[1]["entries"]
    assert (entry["action"], entry["subject"], entry["reason"]) == ("event.resend", "job-1", "the subscriber was away")


def test_a_publishers_server_is_called_anew_with_what_it_asked_for(
    deployed: Deployed, ask: Ask, callbacks: str
) -> None:
    keep(deployed, DONE, **ASKED)
    assert ask("POST /jobs/job-1/tell", order("callback"))[0] == 200
    (seen,) = deployed.aws.received(callbacks)
    said = {name: value["StringValue"] for name, value in seen["MessageAttributes"].items()}
    assert (said["callback"], said["replayed_at"].isdecimal()) == ("thin", True)
    assert deployed.aws.received(deployed.aws.inbox_url) == []
    assert [entry["action"] for entry in ask("GET /audit")[1]["entries"]] == ["callback.replay"]


def test_of_strategy_all_each_end_is_told(deployed: Deployed, ask: Ask, callbacks: str) -> None:
    keep(deployed, DONE, request_id="acme!order-1", tenant="acme", branches=["openai-tts", "elevenlabs-tts"])
    for name in ("openai-tts", "elevenlabs-tts"):
        keep(deployed, DONE, request_id=f"acme!order-1#{name}", tenant="acme", **ASKED)
    status, answer = ask("POST /jobs/order-1/tell", order("callback"), tenant="acme")
    assert (status, len(answer["event_ids"]), len(deployed.aws.received(callbacks))) == (200, 2, 2)
    assert ask("POST /jobs/order-1/tell", order("callback"))[0] == 404


@pytest.mark.parametrize(
    ("record", "whom", "code"), [(RUNNING, "subscribers", "not_ended"), (DONE, "callback", "no_callback")]
)
def test_what_cannot_be_told_is_refused_and_nothing_is_noted(
    deployed: Deployed, ask: Ask, record: dict[str, Any], whom: str, code: str
) -> None:
    keep(deployed, record)
    status, answer = ask("POST /jobs/job-1/tell", order(whom))
    assert (status, answer["code"]) == (409, code)
    assert ask("GET /audit")[1]["entries"] == []


def test_without_callbacks_nobody_is_called(deployed: Deployed, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALLBACK_QUEUE_URL")
    app.application.cache_clear()
    keep(deployed, DONE, **ASKED)
    assert ask("POST /jobs/job-1/tell", order("callback"))[1]["code"] == "no_callback"
