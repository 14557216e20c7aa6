"""The Jobs table as executions use it: opened by dispatch, noted by submits, settled once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.adapters.aws import store_errors
from mediarelay.adapters.dynamodb_jobs import DynamoJobs
from mediarelay.adapters.items import from_item, to_attribute
from mediarelay.adapters.job_values import settlement_values
from mediarelay.adapters.update_expression import Update
from mediarelay.contracts.job import JobRecord, Submission
from mediarelay.contracts.kinds import JobStatus
from mediarelay.core.submission import SubmitState
from mediarelay.job_ports import OpenAnswer, Opened
from mediarelay.ports import AlreadySettled, Claim, Conflict, Settlement

_UNSETTLED: Final = "#status IN (:queued, :running, :polling)"
_STATUSES: Final = {"queued": JobStatus.QUEUED, "running": JobStatus.RUNNING, "polling": JobStatus.POLLING}
_FREE: Final = "attribute_not_exists(request_id) OR #status = :rejected"
_AS_BEFORE: Final = "submit.sent_at = :before_at AND submit.#state = :before_state"


class DynamoMediaJobs:
    """Implements `job_ports.MediaJobStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._records = DynamoJobs(client, table)

    def open(self, claim: Claim) -> OpenAnswer:
        """See `job_ports.MediaJobStore.open`."""
        update = Update(
            {
                "status": JobStatus.QUEUED,
                "kind": claim.kind,
                "fingerprint": claim.fingerprint,
                "received_at": claim.received_at,
                "claimed_at": claim.claimed_at,
                "expires_at": claim.expires_at,
                "ttl": claim.ttl,
                "tenant": claim.tenant,
                "metadata": dict(claim.metadata) or None,
            }
        )
        update.values[":rejected"] = to_attribute(JobStatus.REJECTED)
        update.names["#error"] = "error"
        update.removes.extend(["#error", "settled_at"])
        standing = self._update(claim.request_id, update, _FREE, "open a job")
        if standing is None:
            return Opened(claim.received_at, claim.claimed_at, again=False)
        return _standing(JobRecord.model_validate(standing), claim)

    def get(self, request_id: str) -> JobRecord | None:
        """See `job_ports.MediaJobStore.get`."""
        return self._records.get(request_id)

    def note_submit(self, request_id: str, after: Submission, *, before: Submission | None) -> bool:
        """See `job_ports.MediaJobStore.note_submit`."""
        status = JobStatus.POLLING if after.state is SubmitState.ACCEPTED else JobStatus.RUNNING
        update = Update({"status": status, "submit": after.model_dump(mode="json", exclude_none=True)})
        _name_statuses(update)
        if before is None:
            unchanged = "attribute_not_exists(submit)"
        else:
            unchanged = _AS_BEFORE
            update.names["#state"] = "state"
            update.values |= {
                ":before_at": to_attribute(before.sent_at),
                ":before_state": to_attribute(before.state),
            }
        standing = self._update(request_id, update, f"{_UNSETTLED} AND {unchanged}", "note a submit")
        if standing is None:
            return True
        # A repeated write whose first answer was lost finds its own note.
        record = JobRecord.model_validate(standing) if standing else None
        return record is not None and not record.status.settled and record.submit == after

    def note_cancel(self, request_id: str, at: int) -> bool:
        """See `job_ports.MediaJobStore.note_cancel`."""
        update = Update({"cancelled_at": at})
        _name_statuses(update)
        return self._update(request_id, update, _UNSETTLED, "cancel a job") is None

    def settle_media(self, settlement: Settlement) -> bool:
        """See `job_ports.MediaJobStore.settle_media`."""
        update = Update(settlement_values(settlement))
        _name_statuses(update)
        standing = self._update(settlement.request_id, update, _UNSETTLED, "settle a job")
        if standing is None:
            return True
        same = (settlement.status, settlement.settled_at)
        return (standing.get("status"), standing.get("settled_at")) == same

    def _update(self, request_id: str, update: Update, condition: str, operation: str) -> dict[str, Any] | None:
        """None when written, else the item that stands in the way; empty when there is none."""
        with store_errors("jobs table", operation):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"request_id": {"S": request_id}},
                    UpdateExpression=update.expression(),
                    ConditionExpression=condition,
                    ExpressionAttributeNames=update.names,
                    ExpressionAttributeValues=update.values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return from_item(item)
        return None


def _name_statuses(update: Update) -> None:
    update.names["#status"] = "status"
    update.values |= {f":{name}": to_attribute(status) for name, status in _STATUSES.items()}


def _standing(record: JobRecord, claim: Claim) -> OpenAnswer:
    if record.fingerprint != claim.fingerprint:
        return Conflict()
    if record.status.settled:
        return AlreadySettled(record.status)
    return Opened(record.received_at, record.claimed_at or record.received_at, again=True)
