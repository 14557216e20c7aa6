"""Requests by HTTP, from the route to the queue, the record and the worker's claim."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.serve_api import app
from mediarelay.api.access import PREFIX
from mediarelay.aws import clients
from mediarelay.aws.stores import to_item
from tests.harness.function_events import DONE, OPERATOR, http_event
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS

PUBLISHER = {"token": "pat", "role": "publisher", "tenant": "acme"}
SAY: dict[str, Any] = {"kind": "tts", "input": {"text": "hello"}}
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(deployed: Deployed) -> Ask:
    app.application.cache_clear()
    assert deployed.aws.dynamodb

    def call(
        name: str, body: Any = None, caller: Mapping[str, str] = PUBLISHER, key: str | None = None, **query: str
    ) -> tuple[int, Any]:
        method, path = name.split(" ")
        headers = {"idempotency-key": key} if key else {}
        event = http_event(method, f"{PREFIX}{path}", body, query, caller=caller, headers=headers)
        answer = app.handler(event, Context())
        return answer["statusCode"], json.loads(answer["body"])

    return call


def queued(deployed: Deployed) -> list[dict[str, Any]]:
    return [json.loads(each["Body"]) for each in deployed.aws.received(deployed.aws.queue_url)]


def test_a_request_is_on_the_queue_as_its_tenants_and_its_job_is_there_at_once(deployed: Deployed, ask: Ask) -> None:
    status, answer = ask("POST /requests", {**SAY, "metadata": {"order": 7}})
    assert (status, answer["status"]) == (202, "queued")
    assert queued(deployed) == [{**SAY, "metadata": {"order": 7}, "tenant": "acme"}]
    status, found = ask(f"GET /jobs/{answer['request_id']}")
    assert (status, [(job["status"], job["metadata"]) for job in found["jobs"]]) == (200, [("queued", {"order": 7})])


def test_what_the_queue_would_reject_is_refused_in_its_words_and_nothing_is_sent(deployed: Deployed, ask: Ask) -> None:
    wrong = {"kind": "tts", "input": {"text": "x", "speed": 9}}
    status, answer = ask("POST /requests", [SAY, wrong])
    assert (status, answer["code"]) == (400, "invalid_request")
    assert answer["message"] == "1: input.speed: must be less than or equal to 4"
    assert ask("POST /requests", {**SAY, "tenant": "other"})[0] == 403
    assert ask("POST /requests", {"cancel": "order-17"})[0] == 400
    assert (
        ask("POST /requests", {"kind": "tts", "input": {"text": "x" * 100_000, "instructions": "y" * 4000}})[0] == 413
    )
    assert queued(deployed) == []


def test_who_may_not_be_called_back_is_said_before_anything_is_sent(
    deployed: Deployed, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {**SAY, "request_id": "order-1", "callback_url": "https://hooks.example.com/media"}
    status, answer = ask("POST /requests", wanted)
    assert (status, answer["code"], queued(deployed)) == (400, "callback_not_allowed", [])
    monkeypatch.setenv("CALLBACK_HOSTS", "*.example.com")
    app.application.cache_clear()
    assert ask("POST /requests", wanted)[0] == 202
    (job,) = ask("GET /jobs/order-1")[1]["jobs"]
    assert job["callback_url"] == wanted["callback_url"]


def test_several_go_in_one_call_and_are_answered_one_by_one(deployed: Deployed, ask: Ask) -> None:
    status, answer = ask("POST /requests", [{**SAY, "request_id": f"order-{number}"} for number in range(3)])
    assert (status, [each["taken"]["request_id"] for each in answer["items"]]) == (
        202,
        ["order-0", "order-1", "order-2"],
    )
    assert len(queued(deployed)) == 3


def test_two_requests_of_a_list_are_not_published_under_one_id(deployed: Deployed, ask: Ask) -> None:
    first, second = {**SAY, "request_id": "order-1"}, {**SAY, "request_id": "order-1", "input": {"text": "else"}}
    _, answer = ask("POST /requests", [first, second])
    assert answer["items"][0]["taken"]["request_id"] == "order-1"
    assert answer["items"][1]["error"]["code"] == "idempotency_conflict"
    assert [each["input"] for each in queued(deployed)] == [first["input"]]


def test_the_same_key_is_the_same_request_and_another_body_under_it_a_conflict(deployed: Deployed, ask: Ask) -> None:
    first, second = (ask("POST /requests", SAY, key="k-1") for _ in range(2))
    assert (first, len(queued(deployed))) == (second, 1)
    status, answer = ask("POST /requests", {**SAY, "input": {"text": "else"}}, key="k-1")
    assert (status, answer["code"]) == (409, "idempotency_conflict")
    other = ask("POST /requests", SAY, caller={**PUBLISHER, "token": "pip"}, key="k-1")
    assert other[1]["request_id"] != first[1]["request_id"]


def test_a_key_never_goes_unheeded(deployed: Deployed, ask: Ask) -> None:
    envelope = {"Type": "Notification", "Message": json.dumps({**SAY, "tenant": "acme"})}
    status, answer = ask("POST /requests", envelope, key="k-1")
    assert (status, answer["code"], queued(deployed)) == (400, "invalid_request", [])
    assert ask("POST /requests", envelope)[0] == 202


def test_a_request_whose_cancellation_came_before_it_is_the_queues_to_judge(deployed: Deployed, ask: Ask) -> None:
    awaits = {"request_id": "acme!order-1", "status": "queued", "received_at": 1, "cancelled_at": 1, "tenant": "acme"}
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item(awaits))
    status, answer = ask("POST /requests", {**SAY, "request_id": "order-1"})
    assert (status, answer["status"], len(queued(deployed))) == (202, "queued", 1)


def test_what_is_settled_is_answered_with_200_and_not_published_again(deployed: Deployed, ask: Ask) -> None:
    ask("POST /requests", {**SAY, "request_id": "order-1"})
    assert len(queued(deployed)) == 1
    deployed.aws.dynamodb.update_item(
        TableName=JOBS,
        Key={"request_id": {"S": "acme!order-1"}},
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "succeeded"}},
    )
    status, answer = ask("POST /requests", {**SAY, "request_id": "order-1"})
    assert (status, answer["status"], queued(deployed)) == (200, "succeeded", [])


def test_a_request_is_on_the_queue_though_the_table_is_away(
    deployed: Deployed, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBS_TABLE", "gone")
    assert ask("POST /requests", SAY)[0] == 202
    assert len(queued(deployed)) == 1


def test_what_may_be_on_the_queue_is_not_sent_again_by_itself(
    deployed: Deployed, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    make = clients.client

    def unanswered(request: Any, **_: Any) -> None:
        sent.append(request.url)
        raise ReadTimeoutError(endpoint_url=request.url)

    def made(service: str, *config: Any) -> Any:
        client = make(service, *config)
        if service == "sqs":
            client.meta.events.register_first("before-send.sqs.SendMessageBatch", unanswered)
        return client

    monkeypatch.setattr(clients, "client", made)
    status, answer = ask("POST /requests", SAY)
    assert (status, answer["retryable"], len(sent), queued(deployed)) == (503, True, 1, [])


def test_many_are_looked_up_at_once_and_those_of_others_are_missing(deployed: Deployed, ask: Ask) -> None:
    for key, more in {
        "acme!one": {"tenant": "acme"},
        "acme!both": {"tenant": "acme", "status": "queued", "branches": ["fal-flux"]},
        "acme!both#fal-flux": {"tenant": "acme"},
        "other!two": {"tenant": "other"},
    }.items():
        deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item({**DONE, "request_id": key, **more}))
    status, answer = ask("POST /jobs/lookup", {"ids": ["one", "both", "two"]})
    assert (status, answer["missing"]) == (200, ["two"])
    assert {job["request_id"] for job in answer["jobs"]} == {"acme!one", "acme!both", "acme!both#fal-flux"}


def test_a_job_is_cancelled_by_its_publisher_and_by_an_operator_who_says_why(deployed: Deployed, ask: Ask) -> None:
    ask("POST /requests", {**SAY, "request_id": "order-1"})
    assert len(queued(deployed)) == 1
    assert ask("DELETE /jobs/order-1") == (202, {"status": "queued"})
    assert queued(deployed) == [{"cancel": "order-1", "tenant": "acme"}]
    assert ask("DELETE /jobs/order-1", caller={**PUBLISHER, "tenant": "other"})[0] == 404
    assert ask("DELETE /jobs/order-1", caller=OPERATOR, tenant="acme")[0] == 409
    assert ask("DELETE /jobs/order-1", caller=OPERATOR, tenant="acme", reason="a mistake")[0] == 202
    (entry,) = ask("GET /audit", caller=OPERATOR)[1]["entries"]
    assert (entry["author"], entry["action"], entry["subject"]) == ("ann", "job.cancel", "acme!order-1")


@pytest.mark.parametrize(
    ("fields", "answer"),
    [({}, 200), ({"status": "running", "lease_until": 4_102_444_800_000}, 409), ({"status": "deferred"}, 202)],
)
def test_what_has_ended_is_left_alone_and_what_is_served_cannot_be_stopped(
    deployed: Deployed, ask: Ask, fields: dict[str, Any], answer: int
) -> None:
    item = {**DONE, "request_id": "acme!one", "tenant": "acme", **fields}
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item(item))
    assert ask("DELETE /jobs/one")[0] == answer
