"""`python -m tools.bench.waiting.in_front PICTURES`: the router that there is not, as small as one can be, as JSON.

It reads what kind a message asks for and sends it on to the queue of that kind, ten to a call, with its attributes and
its group. That part of the messages is for pictures.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Final

import boto3

from tools.bench.lambda_events import asked, published

GIVEN: Final = 10
ROUNDS: Final = 200
WARM: Final = 20


def main(pictures: float) -> None:
    """Measure, and print the result as the last line."""
    queues = {"image": os.environ["PICTURE_QUEUE_URL"], "tts": os.environ["REQUEST_QUEUE_URL"]}
    client, processor, served = boto3.client("sqs"), 0.0, 0
    for number in range(ROUNDS + WARM):
        kinds = ["image" if (number + each) % GIVEN < round(GIVEN * pictures) else "tts" for each in range(GIVEN)]
        records = [published(f"{number}-{each}", asked(kind, str(each))) for each, kind in enumerate(kinds)]
        began = time.process_time()
        route(client, queues, records)
        if number >= WARM:
            processor += time.process_time() - began
            served += GIVEN
    print(json.dumps({"processor": processor, "served": served, "sent": served + WARM * GIVEN}))


def route(client: Any, queues: dict[str, str], records: list[dict[str, Any]]) -> None:
    """Send a batch on."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for number, record in enumerate(records):
        attributes = {
            name: {"StringValue": each["stringValue"], "DataType": each["dataType"]}
            for name, each in record.get("messageAttributes", {}).items()
        }
        entry = {"Id": str(number), "MessageBody": record["body"], "MessageAttributes": attributes}
        entries.setdefault(json.loads(record["body"])["kind"], []).append(entry)
    for kind, together in entries.items():
        if client.send_message_batch(QueueUrl=queues[kind], Entries=together).get("Failed"):
            raise RuntimeError("a message was not sent on")


if __name__ == "__main__":
    main(float(sys.argv[1]))
