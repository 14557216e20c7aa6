"""The local AWS with what the dispatch function needs of it, and nothing that would work beside it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3

from tools.localaws.environment import CREDENTIALS, REGION
from tools.localaws.ministack_process import MiniStackProcess

JOBS, TELEMETRY, BUCKET = "jobs", "telemetry", "results"
STATE_MACHINE: Final = "arn:aws:states:us-east-1:000000000000:stateMachine:none"
# As often as the template lets a message be received before it is parked.
RECEIVES: Final = 5
POLL_SECONDS: Final = 0.2
BATCH: Final = 10


class StillQueued(Exception):
    """The queue did not empty in time; the message says how many were left."""


@dataclass(frozen=True)
class Queue:
    """A request queue and its dead-letter queue."""

    sqs: Any
    url: str
    dlq_url: str

    def send(self, bodies: list[dict[str, Any]]) -> None:
        """Publish, ten at a time."""
        for start in range(0, len(bodies), BATCH):
            some = bodies[start : start + BATCH]
            entries = [{"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(some)]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def await_empty(self, max_wait: float) -> None:
        """Until nothing is queued, delayed or being worked at."""
        ends_at = time.monotonic() + max_wait
        while left := _size(self.sqs, self.url):
            if time.monotonic() > ends_at:
                raise StillQueued(f"{left} messages are left after {max_wait:.0f} s")
            time.sleep(POLL_SECONDS)

    @property
    def parked(self) -> int:
        """Messages in the dead-letter queue."""
        return _size(self.sqs, self.dlq_url)


def _size(sqs: Any, url: str) -> int:
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


@dataclass(frozen=True)
class LocalAws:
    """A running MiniStack with the tables and the bucket."""

    endpoint: str

    def client(self, service: str) -> Any:
        """A client of it."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def queue(self, name: str, *, visibility: float) -> Queue:
        """A new one."""
        sqs = self.client("sqs")
        dlq = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
        attributes = {"VisibilityTimeout": f"{visibility:.0f}", "RedrivePolicy": redrive}
        return Queue(sqs, sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], dlq)

    def job_statuses(self, prefix: str) -> Counter[str]:
        """How many jobs whose ids begin so have come to which status."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=JOBS)
        items = (item for page in pages for item in page["Items"])
        return Counter(item["status"]["S"] for item in items if item["request_id"]["S"].startswith(prefix))


@contextmanager
def local_aws(workdir: Path) -> Iterator[LocalAws]:
    """Start it; it ends with the block."""
    with MiniStackProcess.start(workdir) as ministack:
        aws = LocalAws(ministack.endpoint)
        _make_table(aws.client("dynamodb"), JOBS, "request_id")
        _make_table(aws.client("dynamodb"), TELEMETRY, "pk", "sk")
        aws.client("s3").create_bucket(Bucket=BUCKET)
        yield aws


def _make_table(dynamodb: Any, name: str, *keys: str) -> None:
    schema = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
    types = [{"AttributeName": key, "AttributeType": "S"} for key in keys]
    dynamodb.create_table(TableName=name, KeySchema=schema, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
