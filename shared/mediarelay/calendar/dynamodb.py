"""What is at risk, in the Telemetry table (`pk` = CAPABILITY, `sk` = kind)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.aws.stores import from_item, query_all, store_errors, to_item
from mediarelay.calendar.contract import CapabilityState

CAPABILITIES: Final = "CAPABILITY"


class DynamoCapabilities:
    """Implements `calendar.ports.CapabilityStates`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Mapping[str, CapabilityState]:
        """See `calendar.ports.CapabilityStates.load`."""
        with store_errors("telemetry table", "read capabilities"):
            items = query_all(
                self._client,
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": CAPABILITIES}},
            )
            states = [CapabilityState.model_validate(from_item(item)) for item in items]
        return {state.kind.value: state for state in states}

    def save(self, state: CapabilityState) -> None:
        """See `calendar.ports.CapabilityStates.save`."""
        with store_errors("telemetry table", "write a capability"):
            self._client.put_item(
                TableName=self._table,
                Item=to_item(state.model_dump(mode="json"))
                | {"pk": {"S": CAPABILITIES}, "sk": {"S": state.kind.value}},
            )
