"""A real subscriber: an SQS queue of its own behind MediaResults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mediarelay.contracts.result import ResultEvent

WAIT_SECONDS = 1


class Subscriber:
    """Receives result events as any consumer would, and acknowledges them."""

    def __init__(self, sqs: Any, sns: Any, topic_arn: str, name: str) -> None:
        self._sqs = sqs
        self._url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": _policy(arn, topic_arn)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    def receive(self) -> Iterator[ResultEvent]:
        """The events of one receive call; none when nothing came within a second."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=WAIT_SECONDS, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            yield ResultEvent.model_validate_json(message["Body"])
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


def _policy(queue_arn: str, topic_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
