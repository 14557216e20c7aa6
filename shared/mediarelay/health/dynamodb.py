"""Health records: `pk` = HEALTH, `sk` = provider. The stream of these writes is the outbox of the alerts.

An item that tells people something new carries `news`, so that the stream's consumer can be filtered to it. The trials
of the same partition are `health/circuit/dynamodb.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.aws.clients import store_errors
from mediarelay.aws.conditions import held
from mediarelay.aws.items import from_item, to_item
from mediarelay.aws.pages import query_all
from mediarelay.health.contract import HealthRecord

PARTITION: Final = "HEALTH"
# What the sort keys of the trials begin with: before every provider's name.
TRIALS: Final = "TRIAL#"


class DynamoHealth:
    """Implements `health.ports.HealthStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Mapping[str, HealthRecord]:
        """See `health.ports.HealthStore.load`."""
        with store_errors("telemetry table", "read health records"):
            items = read_partition(self._client, self._table)
            records = [record_of(item) for name, item in items.items() if not name.startswith(TRIALS)]
        return {record.provider: record for record in records}

    def get(self, provider: str) -> HealthRecord | None:
        """See `health.ports.HealthStore.get`."""
        with store_errors("telemetry table", "read a health record"):
            answer = self._client.get_item(TableName=self._table, Key=_key(provider), ConsistentRead=True)
        return record_of(answer["Item"]) if "Item" in answer else None

    def save(self, record: HealthRecord) -> bool:
        """See `health.ports.HealthStore.save`."""
        notice = record.incident.notice
        values = record.model_dump(mode="json") | {
            "version": record.version + 1,
            # Only the write that changed the status has news: its notice is of the same moment.
            "news": notice.event.value if notice is not None and notice.at == record.last_check else None,
        }
        condition = "version = :version" if record.version else "attribute_not_exists(pk)"
        given = {"ExpressionAttributeValues": to_item({":version": record.version})} if record.version else {}
        with store_errors("telemetry table", "write a health record"):
            return held(
                lambda: self._client.put_item(
                    TableName=self._table,
                    Item=to_item(values) | _key(record.provider),
                    ConditionExpression=condition,
                    **given,
                )
            )


def read_partition(client: Any, table: str) -> dict[str, Mapping[str, Any]]:
    """Read all items, records and half-open permits, in wire form by sort key: one query."""
    items = query_all(
        client,
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": PARTITION}},
    )
    return {item["sk"]["S"]: item for item in items}


def record_of(item: Mapping[str, Any]) -> HealthRecord:
    """Read a record from its wire form."""
    return HealthRecord.model_validate(from_item(item))


def _key(provider: str) -> dict[str, Any]:
    return {"pk": {"S": PARTITION}, "sk": {"S": provider}}
