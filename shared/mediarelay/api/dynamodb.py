"""What was changed through the API: `pk` = AUDIT, `sk` = the moment in milliseconds and what tells two apart."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

from mediarelay.api.contract import AuditEntry
from mediarelay.aws.stores import store_errors, to_item

PARTITION: Final = "AUDIT"
KEPT_SECONDS: Final = 90 * 24 * 3600


class DynamoAudit:
    """Implements `api.ports.AuditLog`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, entry: AuditEntry) -> None:
        """See `api.ports.AuditLog.add`."""
        values = {"entry": entry.model_dump_json(), "ttl": round(entry.at) + KEPT_SECONDS}
        key = {"pk": PARTITION, "sk": f"{_moment(entry.at)}#{uuid.uuid4().hex[:8]}"}
        with store_errors("telemetry table", "note what is changed"):
            self._client.put_item(TableName=self._table, Item=to_item({**key, **values}))

    def since(self, moment: float, limit: int) -> Sequence[AuditEntry]:
        """See `api.ports.AuditLog.since`."""
        with store_errors("telemetry table", "read the audit"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk >= :sk",
                ExpressionAttributeValues={":pk": {"S": PARTITION}, ":sk": {"S": _moment(moment)}},
                ScanIndexForward=False,
                Limit=limit,
                ConsistentRead=True,
            )
        return [AuditEntry.model_validate_json(item["entry"]["S"]) for item in answer["Items"]]


def _moment(seconds: float) -> str:
    return f"{round(seconds * 1000):015d}"
