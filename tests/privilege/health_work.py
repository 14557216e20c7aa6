"""The functions of provider health, put to all the work they can have."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import boto3
import pytest
import responses

from functions.aggregate_health import app as aggregate_app
from functions.alert_operators import app as alert_app
from functions.answer_openai import app as openai_app
from functions.authorize_request import app as authorize_app
from functions.count_usage import app as usage_app
from functions.deliver_callback import app as callback_app
from functions.forward_events import app as events_app
from functions.probe_providers import app as probe_app
from functions.serve_api import app as api_app
from functions.wait_for_job import app as wait_app
from mediarelay.aws.stores import Update
from mediarelay.budgets.dynamodb import DynamoBudgets
from mediarelay.budgets.ports import Allowance, BudgetChange, Entry
from mediarelay.budgets.windows import window_at
from mediarelay.health.contract import Override
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.dynamodb_overrides import DynamoOverrides
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.keys.parsing import key_id
from tests.builders.incidents import BACK, DOWN, VERDICT, WELL, alert
from tests.builders.keys import fake_key
from tests.builders.requests import EPOCH_MS
from tests.harness.function_events import (
    DONE,
    KEY,
    ORDER,
    RUNNING,
    health_image,
    http_event,
    job_change,
    metric_records,
    metrics,
    sqs_record,
)
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import BUCKET, JOBS, REGION, TELEMETRY
from tests.privilege.calls import by_the_test

TOKEN = "t" * 32
JOB = {"request_id": "done", "status": "succeeded", "kind": "tts", "received_at": EPOCH_MS, "settled_at": EPOCH_MS}
PICTURE = {"key": "image/x/0.png", "content_type": "image/png", "bytes": 7, "sha256": "ab"}
FILE = {"key": "tts/done.mp3", "content_type": "audio/mpeg", "bytes": 3, "sha256": "ab"}


def aggregate_everything(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """A batch of attempts, and the same once more."""
    with by_the_test():
        records = metric_records(deployed, metrics(12))
    for _ in range(2):
        aggregate_app.handler({"Records": records}, Context())


def count_everything(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """A settled job, and the same once more."""
    assert deployed.aws.dynamodb
    usage_app.service.cache_clear()
    for _ in range(2):
        event = {"shardId": "shard-1", "Records": [job_change(1, RUNNING, DONE)]}
        assert usage_app.handler(event, Context()) == {"state": {}, "batchItemFailures": []}


def alert_everything(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """A provider that falls and rises, a key that is rejected."""
    with by_the_test():
        well, down, back = (health_image(deployed, record) for record in (WELL, DOWN, BACK))
        DynamoKeyStates(deployed.aws.dynamodb, TELEMETRY).save(VERDICT)
        (verdict,) = [item for item in deployed.aws.items(TELEMETRY) if item["pk"]["S"].startswith("KEY#")]
    changes: list[tuple[Any, Any]] = [(well, down), (down, back), (None, verdict)]
    records = [
        {
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "Keys": {"pk": after["pk"], "sk": after["sk"]},
                "SequenceNumber": f"{number:021d}",
                "NewImage": after,
                **({"OldImage": before} if before else {}),
            },
        }
        for number, (before, after) in enumerate(changes)
    ]
    alert_app.handler({"Records": records}, Context())


def probe_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """An idle fleet, an outage, a rejected key that is due, an override that has run out."""
    vendors.add(responses.GET, re.compile("https://.*"), json={"data": []})
    vendors.add(responses.POST, re.compile("https://.*"), json={"data": []})
    with by_the_test():
        health_image(deployed, DOWN)
        known = key_id(fake_key("openai", 0))
        DynamoKeyStates(deployed.aws.dynamodb, TELEMETRY).save(replace(VERDICT, key_id=known))
        facts = {"author": "ann", "reason": "x", "created_at": 1, "expires_at": 2}
        over = Override.model_validate({"subject": f"key:openai:{known}", "force": "disabled", **facts})
        DynamoOverrides(deployed.aws.dynamodb, TELEMETRY).put(over)
    for _ in range(2):
        probe_app.handler({}, Context())


def pool_with_one_key() -> PoolState:
    """As the sweep would have written it."""
    now, member = EPOCH_MS / 1000, PoolKey(key_id=KEY, account="acme")
    return PoolState(vendor="openai", status="usable", since=now, at=now, keys=1, usable=1, members=[member])


def set_aside_of_a_large_budget(deployed: Deployed) -> None:
    """It is spread over several items."""
    month, day = window_at(time.time())
    entry, large = Entry(day, 1, "0123abcd", "openai-tts"), Allowance(day=None, month=10**14)
    store = DynamoBudgets(deployed.aws.dynamodb, TELEMETRY, time.time)
    store.change(BudgetChange("stage", month, "job", None, entry, allowance=large))


def serve_everything(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """Every route, with an override of a provider and of a key forced and taken back."""
    with by_the_test():
        DynamoPools(deployed.aws.dynamodb, TELEMETRY).save(pool_with_one_key())
        DynamoHealth(deployed.aws.dynamodb, TELEMETRY).save(WELL)
        set_aside_of_a_large_budget(deployed)
        item = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in JOB.items()}
        file = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in FILE.items()}
        deployed.aws.dynamodb.put_item(TableName=JOBS, Item={**item, "outputs": {"L": [{"M": file}]}})
    for path in (
        "overview",
        "providers/health",
        "providers/openai-tts/health",
        "keys",
        "jobs",
        "jobs/done",
        "overrides",
        "incidents",
        "usage",
        "budgets",
        "audit",
    ):
        api_app.handler(http_event("GET", f"/api/v1/{path}"), Context())
    say = {"kind": "tts", "input": {"text": "hello"}}
    with by_the_test():
        deployed.aws.sqs.send_message(QueueUrl=deployed.aws.dlq_url, MessageBody=json.dumps(say))
        deployed.aws.sqs.create_queue(QueueName="callbacks")
        deployed.aws.dynamodb.put_item(
            TableName=JOBS, Item={**item, "request_id": {"S": "told"}, "callback_url": {"S": "https://a.example/"}}
        )
    for whom in ("subscribers", "callback"):
        api_app.handler(http_event("POST", "/api/v1/jobs/told/tell", {"whom": whom, "reason": "x"}), Context())
    api_app.handler(http_event("GET", "/api/v1/dlq"), Context())
    api_app.handler(http_event("POST", "/api/v1/dlq/redrive", {"reason": "x", "dry_run": False}), Context())
    api_app.handler(http_event("POST", "/api/v1/requests", say), Context())
    api_app.handler(http_event("POST", "/api/v1/jobs/lookup", {"ids": ["done"]}), Context())
    for subject, force in (("provider:openai-tts", "down"), (f"key:openai:{KEY}", "disabled")):
        order = {**ORDER, "subject": subject, "force": force}
        api_app.handler(http_event("POST", "/api/v1/overrides", order), Context())
        api_app.handler(http_event("DELETE", f"/api/v1/overrides/{quote(subject, safe='')}"), Context())


def authorize_everything(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """One who may pass."""
    with by_the_test():
        deployed.aws.secrets.create_secret(
            Name="api-tokens",
            SecretString=json.dumps([{"name": "ann", "token": TOKEN, "expires_at": 4_102_444_800}]),
        )
    authorize_app.handler({"version": "2.0", "headers": {"authorization": f"Bearer {TOKEN}"}}, Context())


def serve_sdks(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """Speech that is sent again, pictures that are there, and a clip that is deleted."""
    with by_the_test():
        token = {"name": "ann", "token": TOKEN, "expires_at": 4_102_444_800, "role": "operator"}
        deployed.aws.secrets.create_secret(Name="api-tokens", SecretString=json.dumps([token]))
        deployed.aws.s3.put_object(Bucket=BUCKET, Key=PICTURE["key"], Body=b"picture")
    for attempt in ("0", "1"):
        openai_app.handler(sdk_event("POST", "audio/speech", {"input": "x"}, attempt), Context())
    drawn = sdk_event("POST", "images/generations", {"prompt": "x"}, key="order-17")
    job = openai_app.handler(drawn, Context())["headers"]["x-request-id"]
    with by_the_test():
        update = Update({"status": "succeeded", "outputs": [PICTURE]})
        deployed.aws.dynamodb.update_item(TableName=JOBS, Key={"request_id": {"S": job}}, **update.fields())
    assert openai_app.handler(drawn, Context())["statusCode"] == 303
    clip = json.loads(openai_app.handler(sdk_event("POST", "videos", {"prompt": "x"}), Context())["body"])
    openai_app.handler(sdk_event("GET", "videos"), Context())
    openai_app.handler(sdk_event("DELETE", f"videos/{clip['id']}"), Context())


def sdk_event(method: str, route: str, body: Any = None, attempt: str = "0", key: str | None = None) -> dict[str, Any]:
    """As an SDK's request comes by a function URL."""
    headers = {"authorization": f"Bearer {TOKEN}", "x-stainless-retry-count": attempt}
    return http_event(method, f"/v1/{route}", body, headers=headers | ({"idempotency-key": key} if key else {}))


def call_everything_back(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """A receiver that fails, and one that wants no more of it."""
    url = "https://hooks.example.com/media"
    vendors.post(url, status=500)
    vendors.post(url, status=410)
    with by_the_test():
        deployed.aws.sqs.create_queue(QueueName="events")
        queue = deployed.aws.sqs.create_queue(QueueName="callbacks")["QueueUrl"]
        secret = json.dumps({"hooks.example.com": ["whsec_" + "a2tr" * 10 + "a2s="]})
        deployed.aws.secrets.create_secret(Name="callback-secrets", SecretString=secret)
        record = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in JOB.items()}
        deployed.aws.dynamodb.put_item(TableName=JOBS, Item={**record, "callback_url": {"S": url}})
        deployed.aws.dynamodb.put_item(
            TableName=JOBS, Item={**record, "callback_url": {"S": url}, "request_id": {"S": "gone"}}
        )
        gone = {**sqs_record(json.dumps({"event_id": "gone@1", "settled_at": 1}), "c-2"), "receiptHandle": "AQEB"}
        body = json.dumps({"event_id": "done@1", "settled_at": 1})
        deployed.aws.sqs.send_message(QueueUrl=queue, MessageBody=body)
        (sent,) = deployed.aws.received(queue)
    event = {**sqs_record(body, "c-1"), "receiptHandle": sent["ReceiptHandle"]}
    for each in (event, gone):  # one after the other: the answers are in order
        callback_app.handler({"Records": [each]}, Context())


def forward_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """To a pager that is busy; and once more, when nothing is left to try."""
    vendors.post("https://events.pagerduty.com/v2/enqueue", status=429)
    with by_the_test():
        for name in ("events", "events-dlq"):
            deployed.aws.sqs.create_queue(QueueName=name)
        deployed.aws.sns.create_topic(Name="chat-alerts")
        deployed.aws.secrets.create_secret(Name="pager", SecretString="f" * 32)
        boto3.client("events", region_name=REGION).create_event_bus(Name="media-bus")
    body = alert().model_dump_json()
    records = [sqs_record(body, "e-1"), sqs_record(body, "e-2", left="pager", tries="99")]
    assert events_app.handler({"Records": records}, Context())["batchItemFailures"] == []


def wait_for_one(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """A job that nobody knows."""
    assert deployed
    assert wait_app.handler(http_event("GET", "/api/v1/jobs/none/wait"), Context())["statusCode"] == 404


def prepare(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of these functions; each is wired anew."""
    topic = deployed.aws.sns.create_topic(Name="alerts")["TopicArn"]
    monkeypatch.setenv("PROVIDER_ALERTS_TOPIC_ARN", topic)
    monkeypatch.setenv("TOKENS_SECRET_ID", "api-tokens")
    monkeypatch.setenv("CALLBACK_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/callbacks")
    monkeypatch.setenv("CALLBACK_SECRETS_ID", "callback-secrets")
    monkeypatch.setenv("CALLBACK_HOSTS", "hooks.example.com")
    queues = "https://sqs.eu-central-1.amazonaws.com/123456789012/"
    forwarding = {
        "EVENTS_QUEUE_URL": f"{queues}events",
        "EVENTS_DLQ_URL": f"{queues}events-dlq",
        "EVENT_BUS": "arn:aws:events:eu-central-1:123456789012:event-bus/media-bus",
        "CHAT_ALERTS_TOPIC_ARN": topic.replace(":alerts", ":chat-alerts"),
        "PAGER_SECRET_ID": "pager",
    }
    for name, value in forwarding.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_WAIT_SECONDS", "0.1")  # nobody works meanwhile
    openai_app.tokens.cache_clear()
    web = (authorize_app, openai_app, wait_app)
    for app in (*web, aggregate_app, alert_app, callback_app, events_app, probe_app):
        app.service.cache_clear()
    api_app.application.cache_clear()


HEALTH_WORK: dict[str, Callable[[Deployed, responses.RequestsMock], None]] = {
    "AggregateHealthFunction": aggregate_everything,
    "CountUsageFunction": count_everything,
    "AlertOperatorsFunction": alert_everything,
    "AuthorizeRequestFunction": authorize_everything,
    "ProbeProvidersFunction": probe_everything,
    "ServeApiFunction": serve_everything,
    "AnswerOpenaiFunction": serve_sdks,
    "WaitForJobFunction": wait_for_one,
    "DeliverCallbackFunction": call_everything_back,
    "ForwardEventsFunction": forward_everything,
}
