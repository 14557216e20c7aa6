"""The Jobs table. Every write is conditional: one UpdateItem, or one statement of a batch. The dispatcher never reads.

What several threads claim or settle at once goes in one call. A lease's end is always in the condition; DynamoDB's TTL
only cleans up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from mediarelay.aws.clients import store_errors
from mediarelay.aws.items import from_item
from mediarelay.aws.dynamodb import Update, compact
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
        # A batch can only insert: a job that probably exists already is left to the single write that knows all cases.
        answer = None if claim.known else self._claims.submit(claim)
        return answer or self._claim_alone(claim)

    def settle(self, settlement: Settlement) -> bool:
        """See `job_records.ports.JobStore.settle`."""
        answer = self._settlements.submit(settlement)
        return self._settle_alone(settlement) if answer is None else answer

    def _claim_alone(self, claim: Claim) -> ClaimAnswer:
        update = _claiming(claim)
        status, same = update.name("status"), f"fingerprint = {update.value(claim.fingerprint)}"
        deferred = f"{same} AND {status} = {update.value(JobStatus.DEFERRED)}"
        rejected = f"{status} = {update.value(JobStatus.REJECTED)}"
        update.require(f"(attribute_not_exists(request_id) OR {rejected} OR ({deferred}))")
        old, refused = self._update(claim.request_id, update, "claim a job", returns="ALL_OLD")
        if refused is None:
            return _claimed(old, claim)
        before = JobRecord.model_validate(refused)
        return self._take_over(claim, before) if _abandoned(before, claim) else _refusal(before, claim)

    def _take_over(self, claim: Claim, before: JobRecord) -> ClaimAnswer:
        """Claim from a worker that never settled, and note that in the same write."""
        update, lost = _claiming(claim), _interruption(before)
        noted = f"list_append(if_not_exists(interruptions, {update.value([])}), {update.value(compact([lost]))})"
        update.set(f"interruptions = {noted}")
        _require_claim(update, before.claim_id)
        update.require(f"lease_until < {update.value(claim.claimed_at)}")
        _, refused = self._update(claim.request_id, update, "take over a job")
        if refused is not None:
            return _refusal(JobRecord.model_validate(refused), claim)
        interruptions = (*before.interruptions, lost)
        return Claimed(before.received_at, interruptions, interrupted=True, attempts=tuple(before.attempts))

    def _settle_alone(self, settlement: Settlement) -> bool:
        return self._end(
            settlement.request_id, settlement.claim_id, Update(settlement_values(settlement)), settlement.status
        )

    def defer(self, request_id: str, claim_id: str, *, until: int, attempts: Sequence[AttemptSummary]) -> bool:
        """See `job_records.ports.JobStore.defer`."""
        values = {"status": JobStatus.DEFERRED, "deferred_until": until, "attempts": compact(attempts)}
        update = Update(values)
        update.add("deferrals", 1)
        return self._end(request_id, claim_id, update, JobStatus.DEFERRED)

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
        again = f"{update.name('status')} = {update.value(JobStatus.REJECTED)}"
        update.require(f"(attribute_not_exists(request_id) OR {again})")
        _, refused = self._update(rejection.request_id, update, "reject a job")
        return refused is None

    def get(self, request_id: str) -> JobRecord | None:
        """See `job_records.ports.JobStore.get`."""
        with store_errors("jobs table", "read a job"):
            answer = self._client.get_item(
                TableName=self._table, Key={"request_id": {"S": request_id}}, ConsistentRead=True
            )
        return JobRecord.model_validate(from_item(answer["Item"])) if "Item" in answer else None

    def _end(self, request_id: str, claim_id: str, update: Update, status: JobStatus) -> bool:
        """Write an end of the claim. A repeated write whose first answer was lost is recognised as done."""
        update.drop("lease_until")
        _require_claim(update, claim_id)
        standing = self._update(request_id, update, "defer a job" if status is JobStatus.DEFERRED else "settle a job")[
            1
        ]
        return standing is None or (standing.get("claim_id"), standing.get("status")) == (claim_id, status)

    def _update(
        self, request_id: str, update: Update, operation: str, returns: str = "NONE"
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Returns the old item, where asked for, and None; or an empty item and the one that prevented the write."""
        with store_errors("jobs table", operation):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"request_id": {"S": request_id}},
                    ReturnValues=returns,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **update.fields(),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return {}, from_item(item)
        return from_item(answer.get("Attributes", {})), None


def _claiming(claim: Claim) -> Update:
    update = Update(claim_values(claim))
    update.set(f"received_at = if_not_exists(received_at, {update.value(claim.received_at)})")
    update.add("claims", 1)
    update.drop("deferred_until", "error", "settled_at")
    return update


def _require_claim(update: Update, claim_id: str | None) -> None:
    """Let the update be written while this claim runs."""
    running = f"{update.name('status')} = {update.value(JobStatus.RUNNING)}"
    update.require(f"claim_id = {update.value(claim_id)} AND {running}")


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
