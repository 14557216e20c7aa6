"""What the functions are invoked with, as AWS sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mediarelay.aws.stores import to_item
from mediarelay.aws.system_clock import SystemClock
from mediarelay.health.contract import HealthRecord
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import EPOCH_MS
from tests.harness.functions import Deployed
from tests.harness.local_aws import REGION, TELEMETRY

Record = dict[str, Any]
KEY = "0123456789ab"
ORDER = {"subject": "provider:openai-tts", "force": "down", "author": "ann", "reason": "x", "expires_in_seconds": 60}


RUNNING = {"request_id": "job-1", "status": "running", "kind": "tts", "received_at": EPOCH_MS, "claim_id": "c"}
OUTPUT = {"key": "tts/2026/08/01/job-1/openai-tts-0.mp3", "content_type": "audio/mpeg", "bytes": 3, "sha256": "ab"}
REPLIES = f"mediarelay-reply-{'ab' * 16}"
DONE = {**RUNNING, "status": "succeeded", "settled_at": EPOCH_MS + 900, "provider": "openai-tts", "outputs": [OUTPUT]}


def now_ms() -> int:
    """Unix time on this machine."""
    return round(SystemClock().now() * 1000)


def sqs_record(body: Any, message_id: str, **attributes: str) -> dict[str, Any]:
    """One record as the SQS event source delivers it."""
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt-{message_id}",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(now_ms()),
            "SenderId": "sender",
            "ApproximateFirstReceiveTimestamp": str(now_ms()),
        },
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String", "stringListValues": [], "binaryListValues": []}
            for name, value in attributes.items()
        },
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:requests",
        "awsRegion": REGION,
    }


def job_change(number: int, before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    """One record of the stream."""
    images = {"OldImage": before, "NewImage": after}
    name = "REMOVE" if after is None else "INSERT" if before is None else "MODIFY"
    return {
        "eventID": f"event-{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "Keys": {"request_id": {"S": "job-1"}},
            "SequenceNumber": f"{number:021d}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{image: to_item(value) for image, value in images.items() if value is not None},
        },
    }


def metrics(count: int, **fields: Any) -> list[AttemptMetric]:
    given = {"provider": "openai-tts", "key_id": "0123456789ab", "outcome": Outcome.DELIVERED, "latency_ms": 250}
    return [
        AttemptMetric.model_validate({**given, "request_id": f"r-{n}", "started_at": now_ms() - 1000 - n, **fields})
        for n in range(count)
    ]


def metric_records(deployed: Deployed, *batches: Sequence[AttemptMetric]) -> list[Record]:
    """Write the batches as the dispatcher does; their stream records."""
    sink = DynamoMetrics(deployed.aws.dynamodb, TELEMETRY)
    for batch in batches:
        sink.write(batch)
    items = [item for item in deployed.aws.items(TELEMETRY) if item["pk"]["S"].startswith("METRIC#")]
    return [
        {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": f"{100 + n:021d}"}}
        for n, item in enumerate(items)
    ]


def health_image(deployed: Deployed, record: HealthRecord) -> dict[str, Any]:
    """The item as the adapter writes it."""
    store = DynamoHealth(deployed.aws.dynamodb, TELEMETRY)
    current = store.get(record.provider)
    assert store.save(record.model_copy(update={"version": current.version if current else 0}))
    (item,) = [item for item in deployed.aws.items(TELEMETRY) if item["pk"]["S"] == "HEALTH"]
    return item


OPERATOR = MappingProxyType({"token": "ann", "role": "operator"})


def http_event(
    method: str,
    path: str,
    body: Any = None,
    query: dict[str, str] | None = None,
    *,
    caller: Mapping[str, str] = OPERATOR,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """As API Gateway sends it once the authorizer has let *caller* in."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items()),
        "queryStringParameters": query or {},
        "headers": {"content-type": "application/json", **headers},
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "requestId": "http-1",
            "authorizer": {"lambda": dict(caller)},
        },
        "body": json.dumps(body) if body is not None else None,
        "isBase64Encoded": False,
    }
