"""`python -m tools.bench.overload.worker QUEUE_URL SECONDS SKEW`: one worker, isolated from all others.

It does what Lambda does around the shipped handler: receive up to ten messages, call it, delete what it did not return
as failed. SECONDS is the function's timeout; by SKEW its clock is wrong. Settings are the function's own environment.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import boto3

from tools.bench.lambda_events import context, record

POLL_SECONDS = 1
BATCH = 10


def main(queue: str, seconds: float, skew: float) -> None:
    """Work until killed."""
    if skew:
        _set_clock(skew)
    from functions.dispatch_request import app  # noqa: PLC0415 # after the clock, which it may take by name

    sqs: Any = boto3.client("sqs")
    print("ready", flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what the handler prints would fill the pipe
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=POLL_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        if messages:
            told = app.handler({"Records": [record(each) for each in messages]}, context(seconds))
            _delete(sqs, queue, messages, {failure["itemIdentifier"] for failure in told["batchItemFailures"]})


def _delete(sqs: Any, queue: str, messages: list[dict[str, Any]], failed: set[str]) -> None:
    done = [
        {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]}
        for number, each in enumerate(messages)
        if each["MessageId"] not in failed
    ]
    if done:
        sqs.delete_message_batch(QueueUrl=queue, Entries=done)


def _set_clock(skew: float) -> None:
    """Everything in this process that asks for the time is told a wrong one."""
    right = time.time
    time.time = lambda: right() + skew


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
