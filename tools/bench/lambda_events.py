"""Batches of good requests as the SQS event source delivers them, and the context that comes with them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class _Context:
    """The part of a Lambda context that handlers look at."""

    function_name: str = "bench"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:bench"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    seconds: float = 150.0

    def get_remaining_time_in_millis(self) -> int:
        """What the timeout leaves to an invocation that has just begun."""
        return round(1000 * self.seconds)


def context(seconds: float = 150.0) -> Any:
    """Stands in for Powertools' `LambdaContext`, which nobody can construct; *seconds* is the function's timeout."""
    return _Context(seconds=seconds)


def record(message: dict[str, Any]) -> dict[str, Any]:
    """A message as SQS's own API gives it, in the words of the event source."""
    attributes = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {"stringValue": each.get("StringValue"), "dataType": each["DataType"]}
            for name, each in attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:requests",
        "awsRegion": "us-east-1",
    }


def batch(first: int, size: int) -> dict[str, Any]:
    """An event with so many requests for speech, numbered from *first*."""
    return {"Records": [_record(number) for number in range(first, first + size)]}


def _record(number: int) -> dict[str, Any]:
    return published(f"{number:06d}", asked("tts", str(number)))


PICTURE_BYTES: Final = 1_500_000  # of a megapixel as PNG


def asked(kind: str, number: str) -> dict[str, Any]:
    """A request for speech, or for a picture of the instant server's."""
    if kind == "image":
        return {"kind": kind, "input": {"prompt": str(PICTURE_BYTES)}, "providers": ["openai-image"]}
    return {"kind": kind, "input": {"text": f"a sentence to say, {number}"}, "providers": ["openai-tts"]}


def published(number: str, request: dict[str, Any]) -> dict[str, Any]:
    """The record of a request that was published a moment ago."""
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": json.dumps({"request_id": f"bench-{number}", **request}),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(round(time.time() * 1000))},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:requests",
        "awsRegion": "us-east-1",
    }
