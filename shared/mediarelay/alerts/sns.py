"""The ProviderAlerts topic: JSON for machines, a text for e-mail, a short one for phones, attributes for filters."""

from __future__ import annotations

import json
from typing import Any, Final

from mediarelay.alerts.contract import Alert
from mediarelay.alerts.texts import long_text, short_text, subject_line
from mediarelay.aws.stores import store_errors

_MACHINES: Final = ("sqs", "lambda", "http", "https", "firehose")


class SnsAlerts:
    """Implements `alerts.ports.AlertTopic`."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, alert: Alert) -> None:
        """See `alerts.ports.AlertTopic.publish`."""
        document, text = alert.model_dump_json(), long_text(alert)
        bodies = {"default": text, "email": text, "sms": short_text(alert), **dict.fromkeys(_MACHINES, document)}
        facts = {
            "provider": alert.provider or alert.vendor,
            "severity": alert.severity,
            "status": alert.status,
            "previous_status": alert.previous_status,
            "event": alert.event,
        }
        with store_errors("alerts topic", "publish an alert"):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=subject_line(alert),
                Message=json.dumps(bodies),
                MessageStructure="json",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": str(value)} for name, value in facts.items() if value
                },
            )
