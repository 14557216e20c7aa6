"""What operators have forced: `pk` = OVERRIDE, `sk` = subject."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from mediarelay.aws.stores import from_item, query_all, store_errors, to_item
from mediarelay.health.contract import Override

PARTITION: Final = "OVERRIDE"
# An override that has ended stays readable for a day, for those who ask what it was.
KEPT_SECONDS: Final = 24 * 3600


class DynamoOverrides:
    """Implements `health.ports.OverrideStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Sequence[Override]:
        """See `health.ports.OverrideStore.load`."""
        with store_errors("telemetry table", "read overrides"):
            items = query_all(
                self._client,
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": PARTITION}},
                ConsistentRead=True,
            )
            return [Override.model_validate(from_item(item)) for item in items]

    def put(self, override: Override) -> None:
        """See `health.ports.OverrideStore.put`."""
        values = override.model_dump(mode="json") | {"ttl": math.ceil(override.expires_at) + KEPT_SECONDS}
        with store_errors("telemetry table", "write an override"):
            self._client.put_item(TableName=self._table, Item=to_item(values) | _key(override.subject))

    def delete(self, subject: str) -> bool:
        """See `health.ports.OverrideStore.delete`."""
        with store_errors("telemetry table", "delete an override"):
            answer = self._client.delete_item(TableName=self._table, Key=_key(subject), ReturnValues="ALL_OLD")
        return "Attributes" in answer


def _key(subject: str) -> dict[str, Any]:
    return {"pk": {"S": PARTITION}, "sk": {"S": subject}}
