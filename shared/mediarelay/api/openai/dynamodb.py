"""Which job a request began: `pk` = OPENAI# and the request's digest, `sk` = MARKER, in the Telemetry table."""

from __future__ import annotations

from typing import Any, Final

from mediarelay.aws.stores import store_errors, to_item

SORT: Final = "MARKER"


class DynamoMarkers:
    """Implements `api.openai.ports.Markers`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def find(self, digest: str, now: float) -> str | None:
        """See `api.openai.ports.Markers.find`. An item may be there for days after its time."""
        key = to_item({"pk": f"OPENAI#{digest}", "sk": SORT})
        with store_errors("telemetry table", "tell what was begun"):
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return str(item["request_id"]["S"]) if item and float(item["ttl"]["N"]) > now else None

    def note(self, digest: str, request_id: str, until: int) -> None:
        """See `api.openai.ports.Markers.note`."""
        item = to_item({"pk": f"OPENAI#{digest}", "sk": SORT, "request_id": request_id, "ttl": until})
        with store_errors("telemetry table", "note what is begun"):
            self._client.put_item(TableName=self._table, Item=item)
