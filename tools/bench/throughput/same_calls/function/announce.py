"""The reference's announcements: what the table's stream tells of settled requests, published ten in a call."""

import os
from typing import Any

import boto3

TOPIC = os.environ["TOPIC"]
sns: Any = boto3.client("sns")


def handler(event: dict[str, Any], _context: object) -> None:
    """Publish one message of the usual size for each."""
    names = [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
    for first in range(0, len(names), 10):
        group = enumerate(names[first : first + 10])
        entries = [{"Id": str(number), "Message": name + "z" * 1200} for number, name in group]
        sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)
