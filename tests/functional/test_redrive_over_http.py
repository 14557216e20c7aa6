"""Dead letters by HTTP: told by class of failure, and moved back where nothing was bought for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.serve_api import app
from mediarelay.api.access import PREFIX
from mediarelay.aws.stores import to_item
from mediarelay.job_records.job_spec import RECORD_SECONDS
from mediarelay.providers.registry import ALL_PROVIDERS
from tests.harness.function_events import RUNNING, http_event, now_ms
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS

SAY: dict[str, Any] = {"kind": "tts", "input": {"text": "hello"}, "providers": ["openai-tts"]}
Ask = Callable[..., Any]


@pytest.fixture
def ask(deployed: Deployed) -> Ask:
    app.application.cache_clear()
    assert deployed.aws.dynamodb

    def call(name: str, body: Any = None) -> Any:
        method, path = name.split(" ")
        answer = app.handler(http_event(method, f"{PREFIX}{path}", body), Context())
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])

    return call


def park(deployed: Deployed, code: str | None, number: int, body: Any = SAY, *, sent_at: int | None = None) -> None:
    first = 1_000 + number if sent_at is None else sent_at
    known = {"mediarelay_request_id": f"m-{number}", "mediarelay_sent_at": str(first), "mine": "x"}
    attributes = known | ({"error_code": code, "error_message": f"why {number}"} if code else {})
    deployed.aws.sqs.send_message(
        QueueUrl=deployed.aws.dlq_url,
        MessageBody=json.dumps(body),
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )


def test_dead_letters_are_told_by_class_and_stay_where_they_are(deployed: Deployed, ask: Ask) -> None:
    for number, code in enumerate(["no_provider", "no_provider", "invalid_request", None]):
        park(deployed, code, number)
    for _ in range(2):
        answer = ask("GET /dlq")
        told = {each["code"]: (each["count"], each["oldest"], each["first"]) for each in answer["classes"]}
        assert told == {
            "no_provider": (2, 1.0, "why 0"),
            "invalid_request": (1, 1.002, "why 2"),
            "none": (1, 1.003, ""),
        }
        assert (answer["looked_at"], answer["at_least"]) == (4, False)


def test_only_the_class_is_moved_under_its_own_id_and_only_when_it_is_no_dry_run(deployed: Deployed, ask: Ask) -> None:
    park(deployed, "no_provider", 0)
    park(deployed, "invalid_request", 1)
    order = {"code": "no_provider", "reason": "keys were added"}
    tried = ask("POST /dlq/redrive", order)
    assert (tried["dry_run"], tried["moved"], ask("GET /dlq")["looked_at"]) == (True, ["m-0"], 2)
    assert ask("GET /audit")["entries"] == []
    done = ask("POST /dlq/redrive", {**order, "dry_run": False})
    assert (done["moved"], done["paid_already"], done["looked_at"]) == (["m-0"], [], 2)
    (message,) = deployed.aws.received(deployed.aws.queue_url)
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert attributes == {
        "mediarelay_request_id": "m-0",
        "mediarelay_sent_at": "1000",
        "redriven_by": "ann",
        "mine": "x",
    }
    assert [each["code"] for each in ask("GET /dlq")["classes"]] == ["invalid_request"]
    (entry,) = ask("GET /audit")["entries"]
    told = (entry["author"], entry["action"], entry["subject"], entry["reason"], entry["before"])
    assert told == ("ann", "dlq.redrive", "m-0", "keys were added", "no_provider")


@pytest.mark.parametrize("state", ["charged", "unknown", "sending"])
def test_what_was_paid_for_or_may_have_been_stays(deployed: Deployed, ask: Ask, state: str) -> None:
    bought = {"provider": "openai-tts", "model": "m", "estimate_usd": 0.01, "state": state}
    item = {**RUNNING, "request_id": "acme!order-17", "tenant": "acme", "purchases": [bought]}
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item(item))
    park(deployed, "no_provider", 0, {**SAY, "request_id": "order-17", "tenant": "acme"})
    answer = ask("POST /dlq/redrive", {"reason": "x", "dry_run": False})
    assert (answer["moved"], answer["paid_already"]) == ([], ["m-0"])
    assert (ask("GET /dlq")["looked_at"], deployed.aws.received(deployed.aws.queue_url)) == (1, [])


@pytest.mark.parametrize(
    ("order", "moved"),
    [
        ({"provider": "openai-tts"}, ["m-0"]),
        ({"provider": "fal-flux"}, []),
        ({"older_than_seconds": 60}, ["m-0"]),
        ({"older_than_seconds": 4_102_444_800}, []),
    ],
)
def test_a_class_is_also_a_provider_and_an_age(
    deployed: Deployed, ask: Ask, order: dict[str, Any], moved: list[str]
) -> None:
    park(deployed, "no_provider", 0)
    assert ask("POST /dlq/redrive", {**order, "reason": "x"})["moved"] == moved


def test_a_deadline_begins_anew_only_where_that_is_asked_for(deployed: Deployed, ask: Ask) -> None:
    park(deployed, "no_provider", 0, sent_at=now_ms())
    ask("POST /dlq/redrive", {"reason": "x", "dry_run": False, "renew": True})
    (message,) = deployed.aws.received(deployed.aws.queue_url)
    assert "mediarelay_sent_at" not in message["MessageAttributes"]


def test_it_does_not_where_the_record_that_would_tell_of_a_purchase_is_gone(deployed: Deployed, ask: Ask) -> None:
    park(deployed, "no_provider", 0, sent_at=now_ms() - 1000 * RECORD_SECONDS)
    order = {"reason": "x", "renew": True}
    assert ask("POST /dlq/redrive", order)["paid_already"] == ["m-0"]
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item({**RUNNING, "request_id": "m-0"}))
    assert ask("POST /dlq/redrive", order)["moved"] == ["m-0"]


def test_one_is_named_with_what_was_wrong_and_deleted_for_good(deployed: Deployed, ask: Ask) -> None:
    park(deployed, "no_provider", 1)
    park(deployed, "invalid_request", 2, {**SAY, "request_id": "order-2"})
    letters = ask("GET /dlq")["letters"]
    assert [(each["request_id"], each["code"], each["message"]) for each in letters] == [
        ("m-1", "no_provider", "why 1"),
        ("order-2", "invalid_request", "why 2"),
    ]
    gone = http_event("DELETE", f"{PREFIX}/dlq/order-2", None, {"reason": "told the publisher"})
    assert [app.handler(gone, Context())["statusCode"] for _ in range(2)] == [204, 404]
    assert [each["request_id"] for each in ask("GET /dlq")["letters"]] == ["m-1"]
    (entry,) = ask("GET /audit")["entries"]
    assert (entry["action"], entry["subject"], entry["reason"]) == ("dlq.drop", "order-2", "told the publisher")


def test_another_tenants_letter_of_the_same_id_is_not_deleted_with_it(deployed: Deployed, ask: Ask) -> None:
    for number, tenant in enumerate(("acme", "globex")):
        park(deployed, "no_provider", number, {**SAY, "request_id": "order-17", "tenant": tenant})

    def drop(**query: str) -> int:
        gone = http_event("DELETE", f"{PREFIX}/dlq/order-17", None, {"reason": "told acme", **query})
        return int(app.handler(gone, Context())["statusCode"])

    assert [drop(), drop(tenant="initech")] == [409, 404]
    assert [each["tenant"] for each in ask("GET /dlq")["letters"]] == ["acme", "globex"]
    assert drop(tenant="acme") == 204
    assert [each["tenant"] for each in ask("GET /dlq")["letters"]] == ["globex"]
    assert [each["subject"] for each in ask("GET /audit")["entries"]] == ["acme!order-17"]


def test_a_viewer_is_told_no_ids(deployed: Deployed, ask: Ask) -> None:
    park(deployed, "no_provider", 1)
    assert ask
    viewer = {"token": "vic", "role": "viewer"}
    answer = app.handler(http_event("GET", f"{PREFIX}/dlq", caller=viewer), Context())
    told = json.loads(answer["body"])
    assert (told["letters"], [each["code"] for each in told["classes"]]) == ([], ["no_provider"])


def test_models_and_voices_are_told_as_they_are_shipped(ask: Ask) -> None:
    models = {(each["provider"], each["model"]): each for each in ask("GET /models")["models"]}
    assert models["openai-tts", "gpt-4o-mini-tts"]["default"]
    assert {each["provider"] for each in ask("GET /models")["models"]} == set(ALL_PROVIDERS)
    voices = ask("GET /voices")["voices"]
    assert {each["voice"] for each in voices if each["provider"] is None} >= {"alloy"}
    of_one = http_event("GET", f"{PREFIX}/voices", None, {"language": "de", "provider": "polly-tts"})
    told = json.loads(app.handler(of_one, Context())["body"])["voices"]
    assert told
    assert all(each["provider"] == "polly-tts" for each in told if each["provider"] is not None)
    assert all(any(tag.startswith("de") for tag in each["languages"]) for each in told if each["provider"] is not None)
