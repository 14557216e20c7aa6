"""The Jobs table. Every write is conditional: one UpdateItem, or one statement of a batch. The dispatcher never reads.

What several threads claim or settle at once goes in one call. A lease's end is always in the condition; DynamoDB's TTL
deletion is only a broom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.clients import store_errors
from mediarelay.aws.items import from_item, to_attribute
from mediarelay.aws.update import Update, compact
from mediarelay.job_records.claims import (
    AlreadySettled,
    Claim,
    ClaimAnswer,
    Claimed,
    Conflict,
    Held,
    Rejection,
    Settlement,
)
from mediarelay.job_records.contract import AttemptSummary, Interruption, JobRecord
from mediarelay.job_records.dynamodb_batches import STATEMENTS_LIMIT, JobBatches
from mediarelay.job_records.dynamodb_values import claim_values, settlement_values
from mediarelay.job_records.group_commit import GroupCommit
from mediarelay.vocabulary.kinds import JobStatus

_MINE: Final = "claim_id = :claim_id AND #status = :running"
_FREE: Final = (
    "attribute_not_exists(request_id) OR #status = :rejected OR (fingerprint = :fingerprint AND #status = :deferred)"
)
_ABANDONED: Final = "claim_id = :abandoned AND #status = :running AND lease_until < :claimed_at"


class DynamoJobs:
    """Implements `job_records.ports.JobStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        batches = JobBatches(client, table)
        self._claims = GroupCommit(batches.claim, limit=STATEMENTS_LIMIT)
        self._settlements = GroupCommit(batches.settle, limit=STATEMENTS_LIMIT)

    def claim(self, claim: Claim) -> ClaimAnswer:
        """See `job_records.ports.JobStore.claim`."""
        # A batch can only insert: a job that is probably there already is left to the one write that knows all cases.
        answer = None if claim.known else self._claims.submit(claim)
        return answer or self._claim_alone(claim)

    def settle(self, settlement: Settlement) -> bool:
        """See `job_records.ports.JobStore.settle`."""
        answer = self._settlements.submit(settlement)
        return self._settle_alone(settlement) if answer is None else answer

    def _claim_alone(self, claim: Claim) -> ClaimAnswer:
        update = _claiming(claim)
        for name, value in (("rejected", JobStatus.REJECTED), ("deferred", JobStatus.DEFERRED)):
            update.values[f":{name}"] = to_attribute(value)
        old, refused = self._update(claim.request_id, update, _FREE, "claim a job", returns="ALL_OLD")
        if refused is None:
            return _claimed(old, claim)
        before = JobRecord.model_validate(refused)
        return self._take_over(claim, before) if _abandoned(before, claim) else _refusal(before, claim)

    def _take_over(self, claim: Claim, before: JobRecord) -> ClaimAnswer:
        """Claim from a worker that never settled, and note that in the same write."""
        update, lost = _claiming(claim), _interruption(before)
        update.sets.append("interruptions = list_append(if_not_exists(interruptions, :none), :lost)")
        update.values |= {":none": to_attribute([]), ":lost": to_attribute(compact([lost]))}
        update.values |= {":abandoned": to_attribute(before.claim_id), ":running": update.values[":status"]}
        _, refused = self._update(claim.request_id, update, _ABANDONED, "take over a job")
        if refused is not None:
            return _refusal(JobRecord.model_validate(refused), claim)
        interruptions = (*before.interruptions, lost)
        return Claimed(before.received_at, interruptions, interrupted=True, attempts=tuple(before.attempts))

    def _settle_alone(self, settlement: Settlement) -> bool:
        return self._release(
            settlement.request_id, settlement.claim_id, Update(settlement_values(settlement)), "settle a job"
        )

    def defer(self, request_id: str, claim_id: str, *, until: int, attempts: Sequence[AttemptSummary]) -> bool:
        """See `job_records.ports.JobStore.defer`."""
        values = {"status": JobStatus.DEFERRED, "deferred_until": until, "attempts": compact(attempts)}
        update = Update(values)
        update.adds.append("deferrals :one")
        update.values[":one"] = to_attribute(1)
        return self._release(request_id, claim_id, update, "defer a job")

    def reject(self, rejection: Rejection) -> bool:
        """See `job_records.ports.JobStore.reject`."""
        values = {
            "status": JobStatus.REJECTED,
            "kind": rejection.kind,
            "tenant": rejection.tenant,
            "received_at": rejection.received_at,
            "settled_at": rejection.settled_at,
            "error": rejection.error.model_dump(),
            "ttl": rejection.ttl,
        }
        update = Update(values)
        condition = "attribute_not_exists(request_id) OR #status = :status"
        _, refused = self._update(rejection.request_id, update, condition, "reject a job")
        return refused is None

    def get(self, request_id: str) -> JobRecord | None:
        """See `job_records.ports.JobStore.get`."""
        with store_errors("jobs table", "read a job"):
            answer = self._client.get_item(
                TableName=self._table, Key={"request_id": {"S": request_id}}, ConsistentRead=True
            )
        return JobRecord.model_validate(from_item(answer["Item"])) if "Item" in answer else None

    def _release(self, request_id: str, claim_id: str, update: Update, operation: str) -> bool:
        """Write an end of the claim. A repeated write whose first answer was lost is recognised as done."""
        update.removes.append("lease_until")
        standing = self._update_mine(request_id, claim_id, update, operation)
        wanted = from_item({"status": update.values[":status"]})["status"]
        return standing is None or (standing.get("claim_id"), standing.get("status")) == (claim_id, wanted)

    def _update_mine(self, request_id: str, claim_id: str, update: Update, operation: str) -> dict[str, Any] | None:
        update.values |= {":claim_id": to_attribute(claim_id), ":running": to_attribute(JobStatus.RUNNING)}
        update.names["#status"] = "status"
        return self._update(request_id, update, _MINE, operation)[1]

    def _update(
        self, request_id: str, update: Update, condition: str, operation: str, returns: str = "NONE"
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """(the old item where asked for, None), or ({}, the item that stands in the way)."""
        with store_errors("jobs table", operation):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"request_id": {"S": request_id}},
                    UpdateExpression=update.expression(),
                    ConditionExpression=condition,
                    ExpressionAttributeNames=update.names,
                    ExpressionAttributeValues=update.values,
                    ReturnValues=returns,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return {}, from_item(item)
        return from_item(answer.get("Attributes", {})), None


def _claiming(claim: Claim) -> Update:
    update = Update(claim_values(claim))
    update.sets.append("received_at = if_not_exists(received_at, :received_at)")
    update.adds.append("claims :one")
    update.values |= {":received_at": to_attribute(claim.received_at), ":one": to_attribute(1)}
    update.removes.extend(["deferred_until", "#error", "settled_at"])
    update.names["#error"] = "error"
    return update


def _claimed(old: Mapping[str, Any], claim: Claim) -> Claimed:
    if old.get("status") in (None, JobStatus.REJECTED):
        return Claimed(old.get("received_at", claim.received_at))
    before = JobRecord.model_validate(old)
    return Claimed(before.received_at, tuple(before.interruptions), attempts=tuple(before.attempts))


def _interruption(before: JobRecord) -> Interruption:
    return Interruption(
        claim_id=before.claim_id or "", claimed_at=before.claimed_at or 0, lease_until=before.lease_until or 0
    )


def _abandoned(before: JobRecord, claim: Claim) -> bool:
    mine = before.fingerprint == claim.fingerprint
    return mine and before.status is JobStatus.RUNNING and (before.lease_until or 0) < claim.claimed_at


def _refusal(before: JobRecord, claim: Claim) -> ClaimAnswer:
    if before.fingerprint != claim.fingerprint:
        return Conflict()
    if before.status.settled:
        return AlreadySettled(before.status)
    if before.claim_id == claim.claim_id:
        # Our own claim, whose answer was lost on the way. What stood there before is lost with it, so when there was
        # anything at all, look for a predecessor's result before buying.
        attempts = tuple(before.attempts)
        return Claimed(before.received_at, tuple(before.interruptions), before.claims > 1, attempts)
    return Held(before.lease_until or claim.claimed_at)
