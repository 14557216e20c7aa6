"""What the Jobs table has to do with callbacks."""

from __future__ import annotations

from typing import Any

from mediarelay.aws.stores import Update, from_item, held, store_errors
from mediarelay.job_records.contract import CallbackTries, JobRecord


class DynamoCallbacks:
    """Implements `callbacks.ports.CallbackRecords`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, request_id: str) -> JobRecord | None:
        """See `callbacks.ports.CallbackRecords.get`."""
        with store_errors("jobs table", "read a job"):
            # What was noted is at least seconds old when it is asked for, and half the price does.
            answer = self._client.get_item(TableName=self._table, Key={"request_id": {"S": request_id}})
        return JobRecord.model_validate(from_item(answer["Item"])) if "Item" in answer else None

    def note(self, request_id: str, tries: CallbackTries, *, before: CallbackTries | None) -> bool:
        """See `callbacks.ports.CallbackRecords.note`."""
        update = Update({"callback": tries.model_dump(exclude_none=True)})
        callback = update.name("callback")
        update.require("attribute_exists(request_id)")
        if before is None:
            update.require(f"attribute_not_exists({callback})")
        else:
            for name in ("tries", "settled_at", "replayed_at"):
                update.require(f"{callback}.{name} = {update.value(getattr(before, name))}")
        key = {"request_id": {"S": request_id}}
        with store_errors("jobs table", "note a callback"):
            return held(lambda: self._client.update_item(TableName=self._table, Key=key, **update.fields()))
