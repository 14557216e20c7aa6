"""Alerts that were sent (`pk` = ALERT, `sk` = alert id, which sorts by time), pools (`pk` = POOL, `sk` = vendor), and
the item that keeps the alert function warm (`pk` = BEAT).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from mediarelay.alerts.contract import Alert
from mediarelay.aws.stores import store_errors, to_item

ALERTS: Final = "ALERT"
BEATS: Final = "BEAT"
KEPT_SECONDS: Final = 30 * 24 * 3600


class DynamoAlertLog:
    """Implements `alerts.ports.AlertLog`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def has(self, alert_id: str) -> bool:
        """See `alerts.ports.AlertLog.has`."""
        with store_errors("telemetry table", "look up an alert"):
            answer = self._client.get_item(
                TableName=self._table, Key=_key(ALERTS, alert_id), ProjectionExpression="sk", ConsistentRead=True
            )
        return "Item" in answer

    def add(self, alert: Alert) -> None:
        """See `alerts.ports.AlertLog.add`."""
        values = {"alert": alert.model_dump_json(), "ttl": math.ceil(alert.at) + KEPT_SECONDS}
        with store_errors("telemetry table", "note an alert"):
            self._client.put_item(TableName=self._table, Item=to_item(values) | _key(ALERTS, alert.alert_id))

    def latest(self, limit: int) -> Sequence[Alert]:
        """See `alerts.ports.AlertLog.latest`."""
        with store_errors("telemetry table", "read alerts"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": ALERTS}},
                ScanIndexForward=False,
                Limit=limit,
            )
        return [Alert.model_validate_json(item["alert"]["S"]) for item in answer["Items"]]


class DynamoAlertPath:
    """Implements `health.ports.AlertPath`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def keep_warm(self, now: float) -> None:
        """See `health.ports.AlertPath.keep_warm`."""
        with store_errors("telemetry table", "write a beat"):
            self._client.put_item(TableName=self._table, Item=to_item({"at": now}) | _key(BEATS, "alerts"))


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": sort}}
