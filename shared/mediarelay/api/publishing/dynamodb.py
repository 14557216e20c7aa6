"""The Jobs table, as publishing over HTTP uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mediarelay.aws.stores import Update, from_item, held, store_errors
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import listed


class DynamoNotes:
    """Implements `api.publishing.ports.JobNotes`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def note(self, record: JobRecord) -> bool:
        """See `api.publishing.ports.JobNotes.note`."""
        values = record.model_dump(mode="json", exclude={"request_id"}, exclude_defaults=True)
        place = listed(record.request_id, record.received_at)
        update = Update({**values, "status": record.status, "listed": place})
        key = {"request_id": {"S": record.request_id}}
        update.require("attribute_not_exists(request_id)")
        with store_errors("jobs table", "note a request"):
            return held(lambda: self._client.update_item(TableName=self._table, Key=key, **update.fields()))

    def load(self, keys: Sequence[str], *, consistent: bool = False) -> Mapping[str, JobRecord]:
        """See `api.publishing.ports.JobNotes.load`."""
        left = [{"request_id": {"S": key}} for key in dict.fromkeys(keys)]
        found: dict[str, JobRecord] = {}
        while left:
            with store_errors("jobs table", "read jobs"):
                wanted = {"Keys": left[:100], "ConsistentRead": consistent}
                answer = self._client.batch_get_item(RequestItems={self._table: wanted})
            for item in answer["Responses"].get(self._table, ()):
                record = JobRecord.model_validate(from_item(item))
                found[record.request_id] = record
            again = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            left = [*again, *left[100:]]
        return found
