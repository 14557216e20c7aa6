"""The Jobs table. Every write is one conditional UpdateItem; the dispatcher never reads.

A lease's end is always in the condition; DynamoDB's TTL deletion is only a broom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.adapters.aws import store_errors
from mediarelay.adapters.items import from_item, to_attribute
from mediarelay.adapters.update_expression import Update, compact
from mediarelay.contracts.job import AttemptSummary, Interruption, JobRecord
from mediarelay.contracts.kinds import JobStatus
from mediarelay.ports import AlreadySettled, Claim, ClaimAnswer, Claimed, Conflict, Held, Rejection, Settlement

_MINE: Final = "claim_id = :claim_id AND #status = :running"
_FREE: Final = (
    "attribute_not_exists(request_id) OR #status = :rejected"
    " OR (fingerprint = :fingerprint AND (#status = :deferred OR (#status = :running AND lease_until < :claimed_at)))"
)


class DynamoJobs:
    """Implements `ports.JobStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, claim: Claim) -> ClaimAnswer:
        """See `ports.JobStore.claim`."""
        values = {
            "status": JobStatus.RUNNING,
            "kind": claim.kind,
            "fingerprint": claim.fingerprint,
            "claim_id": claim.claim_id,
            "claimed_at": claim.claimed_at,
            "lease_until": claim.lease_until,
            "expires_at": claim.expires_at,
            "ttl": claim.ttl,
            "tenant": claim.tenant,
            "metadata": dict(claim.metadata) or None,
        }
        update = Update(values)
        update.sets.append("received_at = if_not_exists(received_at, :received_at)")
        update.values[":received_at"] = to_attribute(claim.received_at)
        update.adds.append("claims :one")
        update.values[":one"] = to_attribute(1)
        for name, value in (("rejected", JobStatus.REJECTED), ("deferred", JobStatus.DEFERRED)):
            update.values[f":{name}"] = to_attribute(value)
        update.values[":running"] = update.values[":status"]
        update.removes.extend(["deferred_until", "#error", "settled_at"])
        update.names["#error"] = "error"
        old, refused = self._update(claim.request_id, update, _FREE, "claim a job", returns="ALL_OLD")
        if refused is not None:
            return _refusal(refused, claim)
        return self._claimed(old, claim)

    def settle(self, settlement: Settlement) -> bool:
        """See `ports.JobStore.settle`."""
        return self._release(
            settlement.request_id, settlement.claim_id, Update(settlement_values(settlement)), "settle a job"
        )

    def defer(self, request_id: str, claim_id: str, *, until: int, attempts: Sequence[AttemptSummary]) -> bool:
        """See `ports.JobStore.defer`."""
        values = {"status": JobStatus.DEFERRED, "deferred_until": until, "attempts": compact(attempts)}
        update = Update(values)
        update.adds.append("deferrals :one")
        update.values[":one"] = to_attribute(1)
        return self._release(request_id, claim_id, update, "defer a job")

    def reject(self, rejection: Rejection) -> bool:
        """See `ports.JobStore.reject`."""
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
        """See `ports.JobStore.get`."""
        with store_errors("jobs table", "read a job"):
            answer = self._client.get_item(
                TableName=self._table, Key={"request_id": {"S": request_id}}, ConsistentRead=True
            )
        return JobRecord.model_validate(from_item(answer["Item"])) if "Item" in answer else None

    def _claimed(self, old: Mapping[str, Any], claim: Claim) -> Claimed:
        if old.get("status") in (None, JobStatus.REJECTED):
            return Claimed(old.get("received_at", claim.received_at))
        before = JobRecord.model_validate(old)
        if before.status is not JobStatus.RUNNING:
            return Claimed(before.received_at, tuple(before.interruptions), attempts=tuple(before.attempts))
        interruptions = (*before.interruptions, _interruption(before))
        # Written at once: should this worker die too, the record still tells of the one before it.
        update = Update({"interruptions": compact(interruptions)})
        self._update_mine(claim.request_id, claim.claim_id, update, "note an interruption")
        return Claimed(before.received_at, interruptions, interrupted=True, attempts=tuple(before.attempts))

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


def settlement_values(settlement: Settlement) -> dict[str, Any]:
    """The fields of a job's end, in plain Python; None is absent."""
    return {
        "status": settlement.status,
        "settled_at": settlement.settled_at,
        "latency_ms": settlement.latency_ms,
        "queue_ms": settlement.queue_ms,
        "provider": settlement.provider,
        "model": settlement.model,
        "attempts": compact(settlement.attempts),
        "outputs": compact(settlement.outputs),
        "cost_usd": settlement.cost_usd or None,
        "error": settlement.error.model_dump() if settlement.error else None,
        "warnings": list(settlement.warnings) or None,
        "interruptions": compact(settlement.interruptions),
    }


def _interruption(before: JobRecord) -> Interruption:
    return Interruption(
        claim_id=before.claim_id or "", claimed_at=before.claimed_at or 0, lease_until=before.lease_until or 0
    )


def _refusal(item: Mapping[str, Any], claim: Claim) -> ClaimAnswer:
    before = JobRecord.model_validate(item)
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
