"""A bus of EventBridge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mediarelay.aws.stores import store_errors
from mediarelay.events.ports import BusEvent


class EventBridgeBus:
    """Implements `events.ports.EventBus`."""

    def __init__(self, client: Any, bus: str) -> None:
        """`bus` is its ARN, or its name within the account."""
        self._client = client
        self._bus = bus

    def put(self, events: Sequence[BusEvent]) -> Sequence[bool]:
        """See `events.ports.EventBus.put`."""
        entries = [
            {
                "EventBusName": self._bus,
                "Source": each.source,
                "DetailType": each.detail_type,
                "Detail": each.detail,
            }
            for each in events
        ]
        with store_errors("event bus", "put events"):
            answer = self._client.put_events(Entries=entries)
        return ["ErrorCode" not in each for each in answer["Entries"]]
