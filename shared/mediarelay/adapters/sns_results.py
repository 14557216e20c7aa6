"""The MediaResults topic."""

from __future__ import annotations

from typing import Any

from mediarelay.adapters.aws import store_errors
from mediarelay.contracts.result import ResultEvent


class SnsResults:
    """Implements `ports.ResultTopic`."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, event: ResultEvent) -> None:
        """See `ports.ResultTopic.publish`."""
        facts = {"kind": event.kind, "status": event.status, "provider": event.provider, "tenant": event.tenant}
        with store_errors("results topic", "publish a result"):
            self._client.publish(
                TopicArn=self._topic_arn,
                Message=event.model_dump_json(),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in facts.items() if value
                },
            )
