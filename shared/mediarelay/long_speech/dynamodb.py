"""The Jobs table as long texts use it: how many of a job's parts are spoken, and whether more may be bought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from mediarelay.aws.stores import Update, store_errors
from mediarelay.vocabulary.kinds import UNSETTLED, JobStatus


class DynamoSpeechProgress:
    """Implements `long_speech.ports.SpeechProgress`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def note_plan(self, request_id: str, total: int, *, spoken: Sequence[int], lease_until: int) -> bool:
        """See `long_speech.ports.SpeechProgress.note_plan`."""
        update = Update(
            {
                "status": JobStatus.RUNNING,
                "parts_total": total,
                "parts_done": len(spoken),
                "parts_spoken": list(spoken),
                "lease_until": lease_until,
            }
        )
        update.drop("stopped_at", "deferred_until")
        return self._update(request_id, update, "plan the parts of a job")

    def note_spoken(self, request_id: str, number: int) -> None:
        """See `long_speech.ports.SpeechProgress.note_spoken`."""
        update = Update()
        spoken = update.name("parts_spoken")
        update.set(f"{spoken} = list_append(if_not_exists({spoken}, {update.value([])}), {update.value([number])})")
        update.add("parts_done", 1)
        update.require(f"NOT contains({spoken}, {update.value(number)})")
        self._update(request_id, update, "count a part")

    def note_stopped(self, request_id: str, at: int) -> None:
        """See `long_speech.ports.SpeechProgress.note_stopped`."""
        self._update(request_id, Update({"stopped_at": at}), "stop the parts of a job")

    def _update(self, request_id: str, update: Update, operation: str) -> bool:
        """Returns whether it was written: not when the job is settled or cancelled."""
        update.require(f"{update.name('status')} IN ({', '.join(map(update.value, UNSETTLED))})")
        update.require("attribute_not_exists(cancelled_at)")
        with store_errors("jobs table", operation):
            try:
                self._client.update_item(
                    TableName=self._table, Key={"request_id": {"S": request_id}}, **update.fields()
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                return False
        return True
