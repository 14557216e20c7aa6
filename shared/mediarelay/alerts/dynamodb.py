"""Alerts that were sent (`pk` = ALERT, `sk` = alert id, which sorts by time), what people know of each subject, and the
item that keeps the alert function warm (`pk` = BEAT).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mediarelay.alerts.contract import Alert
from mediarelay.alerts.pairing import IncidentState
from mediarelay.aws.stores import held, query_all, store_errors, to_item

ALERTS: Final = "ALERT"
BEATS: Final = "BEAT"
INCIDENTS: Final = "INCIDENT"
SPOKEN: Final = "SPOKEN"
KEPT_SECONDS: Final = 30 * 24 * 3600
# What is over must be known for as long as a stream may give what led to it once more: a day.
CLOSED_KEPT_SECONDS: Final = 2 * 24 * 3600
OPEN_KEPT_SECONDS: Final = 366 * 24 * 3600


class DynamoAlertLog:
    """Implements `alerts.ports.AlertLog`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

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


class DynamoIncidents:
    """Implements `alerts.ports.IncidentStates`: `pk` = INCIDENT, `sk` = subject; `pk` = SPOKEN, `sk` = topic."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Sequence[IncidentState]:
        """See `alerts.ports.IncidentStates.load`."""
        with store_errors("telemetry table", "read incidents"):
            items = query_all(
                self._client,
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": INCIDENTS}},
                ConsistentRead=True,
            )
        return [_state_of(item) for item in items]

    def get(self, subject: str) -> IncidentState | None:
        """See `alerts.ports.IncidentStates.get`."""
        with store_errors("telemetry table", "read an incident"):
            answer = self._client.get_item(TableName=self._table, Key=_key(INCIDENTS, subject), ConsistentRead=True)
        return _state_of(answer["Item"]) if "Item" in answer else None

    def save(self, state: IncidentState, *, now: float) -> bool:
        """See `alerts.ports.IncidentStates.save`."""
        kept = OPEN_KEPT_SECONDS if state.open or state.due() is not None else CLOSED_KEPT_SECONDS
        written = state.model_copy(update={"version": state.version + 1})
        values = {"state": written.model_dump_json(), "version": written.version, "ttl": math.ceil(now) + kept}
        condition = "version = :version" if state.version else "attribute_not_exists(pk)"
        given = {"ExpressionAttributeValues": to_item({":version": state.version})} if state.version else {}
        with store_errors("telemetry table", "write an incident"):
            return held(
                lambda: self._client.put_item(
                    TableName=self._table,
                    Item=to_item(values) | _key(INCIDENTS, state.subject),
                    ConditionExpression=condition,
                    **given,
                )
            )

    def claim(self, topic: str, *, now: float, seconds: float) -> bool:
        """See `alerts.ports.IncidentStates.claim`."""
        with store_errors("telemetry table", "claim a message"):
            return held(
                lambda: self._client.put_item(
                    TableName=self._table,
                    Item=to_item({"at": now, "ttl": math.ceil(now) + CLOSED_KEPT_SECONDS}) | _key(SPOKEN, topic),
                    ConditionExpression="attribute_not_exists(pk) OR #at <= :before",
                    ExpressionAttributeNames={"#at": "at"},
                    ExpressionAttributeValues=to_item({":before": now - seconds}),
                )
            )


def _state_of(item: Mapping[str, Any]) -> IncidentState:
    state = IncidentState.model_validate_json(item["state"]["S"])
    return state.model_copy(update={"version": int(item["version"]["N"])})


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
