"""A real subscriber: an SQS queue of its own behind a topic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mediarelay.alerts.contract import Alert

BATCH = 10  # the most that SQS hands out at once
# CloudWatch's alarms go to the topic of the alerts too; an alert of ours begins with the version of its contract.
_ALERT_BEGINS = '{"version"'


class Inbox:
    """Receives what a topic publishes as any consumer would, and acknowledges it."""

    def __init__(self, sqs: Any, sns: Any, topic_arn: str, name: str) -> None:
        self._sqs = sqs
        self._url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": _policy(arn, topic_arn)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    def receive(self, wait_seconds: int = 1) -> Iterator[str]:
        """The bodies of one receive call; none when nothing came in the time."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait_seconds, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            yield str(message["Body"])
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def alerts(self, wait_seconds: int = 0) -> Iterator[Alert]:
        """The alerts of one receive call, of an inbox behind ProviderAlerts; alarms are left out."""
        for body in self.receive(wait_seconds):
            if body.startswith(_ALERT_BEGINS):
                yield Alert.model_validate_json(body)


def _policy(queue_arn: str, topic_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
