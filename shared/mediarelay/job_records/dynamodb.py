"""The Jobs table. Every write is conditional: one UpdateItem, or one statement of a batch. The dispatcher never reads.

What several threads claim or settle at once goes in one call (group commit). No timer: a write that finds none under
way goes at once, so that a single write never waits, and the busier a worker is, the fewer calls a write takes. Each
PartiQL statement of a batch is a conditional write by itself; one that was refused is written alone. A lease's end is
always in the condition; DynamoDB's TTL only cleans up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import GroupCommit, Update, compact, from_item, insertion, replacement, store_errors, to_item
from mediarelay.job_records.claims import (
    OF_PUBLISHER,
    AlreadySettled,
    Cancelled,
    Claim,
    ClaimAnswer,
    Claimed,
    Conflict,
    Group,
    Held,
    Rejection,
    Settlement,
    absent,
)
from mediarelay.job_records.contract import AttemptSummary, Interruption, JobError, JobRecord, Spending
from mediarelay.job_records.job_spec import listed, lost, spent
from mediarelay.vocabulary.errors import StoreUnavailable
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

    def open_group(self, group: Group) -> Conflict | Cancelled | None:
        """See `job_records.ports.JobStore.open_group`."""
        standing = self._open_group(group)
        if standing is None:
            return None
        before = JobRecord.model_validate(standing)
        if before.awaits_request:
            return Cancelled() if self._open_group(group, before.cancelled_at) is None else Conflict()
        if before.fingerprint != group.fingerprint:
            return Conflict()
        return None if before.cancelled_at is None else Cancelled()

    def _open_group(self, group: Group, cancelled_at: int | None = None) -> dict[str, Any] | None:
        """Returns what stands in the way; a cancellation of that moment does not, and stays on the record."""
        update = Update(
            {
                "status": JobStatus.QUEUED,
                "kind": group.kind,
                "fingerprint": group.fingerprint,
                "received_at": group.received_at,
                "expires_at": group.expires_at,
                "ttl": group.ttl,
                "tenant": group.tenant,
                "branches": list(group.branches),
            }
        )
        update.drop("error", "settled_at", "listed", *OF_PUBLISHER)  # what is listed are its jobs
        if cancelled_at is None:
            update.drop("cancelled_at")
            update.require(free(update, group.opened_at, group.fingerprint))
        else:
            update.require(f"attribute_not_exists(fingerprint) AND cancelled_at = {update.value(cancelled_at)}")
        return self._update(group.request_id, update, "open a group of jobs")[1]

    def end_unserved(self, claim: Claim, error: JobError, purchases: Sequence[Spending] = ()) -> bool:
        """See `job_records.ports.JobStore.end_unserved`."""
        update = _ending_unserved(claim, error, purchases)
        return self._update(claim.request_id, update, "end a cancelled job")[1] is None

    def settle(self, settlement: Settlement) -> bool:
        """See `job_records.ports.JobStore.settle`."""
        answer = self._settlements.submit(settlement)
        return self._settle_alone(settlement) if answer is None else answer

    def _claim_alone(self, claim: Claim) -> ClaimAnswer:
        update = _claiming(claim)
        if claim.purchase is not None:
            noted = compact([claim.purchase])
            update.set(f"purchases = list_append(if_not_exists(purchases, {update.value([])}), {update.value(noted)})")
        same = f"fingerprint = {update.value(claim.fingerprint)} AND attribute_not_exists(cancelled_at)"
        deferred = f"{same} AND {update.name('status')} = {update.value(JobStatus.DEFERRED)}"
        update.require(f"({free(update, claim.claimed_at, claim.fingerprint)} OR ({deferred}))")
        old, refused = self._update(claim.request_id, update, "claim a job", returns="ALL_OLD")
        if refused is None:
            return _claimed(old, claim)
        before = JobRecord.model_validate(refused)
        return self._take_over(claim, before) if _abandoned(before, claim) else _refusal(before, claim)

    def _take_over(self, claim: Claim, before: JobRecord) -> ClaimAnswer:
        """Claim from a worker that never settled, and note that in the same write."""
        update, interruption = _claiming(claim), _interruption(before)
        bought = tuple(lost(before.purchases))
        update.let("purchases", compact([*bought, *filter(None, [claim.purchase])]) or [])
        noted = (
            f"list_append(if_not_exists(interruptions, {update.value([])}), {update.value(compact([interruption]))})"
        )
        update.set(f"interruptions = {noted}")
        _require_claim(update, before.claim_id)
        update.require(f"lease_until < {update.value(claim.claimed_at)}")
        _, refused = self._update(claim.request_id, update, "take over a job")
        if refused is not None:
            return _refusal(JobRecord.model_validate(refused), claim)
        interruptions = (*before.interruptions, interruption)
        history, attempts = tuple(before.history), tuple(before.attempts)
        return Claimed(before.received_at, interruptions, True, attempts, bought, before.earmark, history=history)

    def _settle_alone(self, settlement: Settlement) -> bool:
        return self._end(
            settlement.request_id, settlement.claim_id, Update(settlement_values(settlement)), settlement.status
        )

    def defer(
        self,
        request_id: str,
        claim_id: str,
        *,
        until: int,
        attempts: Sequence[AttemptSummary],
        purchases: Sequence[Spending] = (),
        history: Sequence[tuple[int, str, str]] = (),
    ) -> bool:
        """See `job_records.ports.JobStore.defer`."""
        values = {"status": JobStatus.DEFERRED, "deferred_until": until, "attempts": compact(attempts)}
        update = Update({**values, "purchases": compact(purchases) or [], "history": list(history) or None})
        update.add("deferrals", 1)
        return self._end(request_id, claim_id, update, JobStatus.DEFERRED)

    def reject(self, rejection: Rejection) -> bool:
        """See `job_records.ports.JobStore.reject`."""
        values = {
            "status": JobStatus.REJECTED,
            "kind": rejection.kind,
            "tenant": rejection.tenant,
            "published_id": rejection.published_id,
            "received_at": rejection.received_at,
            "listed": listed(rejection.request_id, rejection.received_at),
            "settled_at": rejection.settled_at,
            "error": rejection.error.model_dump(),
            "ttl": rejection.ttl,
            **{name: getattr(rejection, name) or None for name in OF_PUBLISHER},
        }
        update = Update(values)
        update.drop(*absent(rejection))
        again = f"{update.name('status')} = {update.value(JobStatus.REJECTED)}"
        own = f"{_only_noted(update)} AND message_id = {update.value(rejection.message_id or '')}"
        update.require(f"(attribute_not_exists(request_id) OR {again} OR ({own}))")
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
    if (place := listed(claim.request_id, claim.received_at)) is not None:
        update.set(f"listed = if_not_exists(listed, {update.value(place)})")
    update.add("claims", 1)
    update.drop("deferred_until", "error", "settled_at", "cancelled_at", *absent(claim))
    return update


def free(update: Update, at: int, fingerprint: str) -> str:
    """Return the condition that nothing was begun under an id by then (unix ms).

    There may be a rejection, whose publisher has mended the request, a cancellation that waited for one in vain, or the
    note that this very request is on the queue.
    """
    rejected = f"{update.name('status')} = {update.value(JobStatus.REJECTED)}"
    lapsed = f"{update.name('ttl')} < {update.value(at // 1000)}"
    in_vain = f"attribute_exists(cancelled_at) AND attribute_not_exists(fingerprint) AND {lapsed}"
    this = f"fingerprint = {update.value(fingerprint)} AND attribute_not_exists(cancelled_at)"
    return f"(attribute_not_exists(request_id) OR {rejected} OR ({in_vain}) OR ({_only_noted(update)} AND {this}))"


def _only_noted(update: Update) -> str:
    """Return the condition that nobody has begun what a record says, see `JobRecord.noted`."""
    queued = f"{update.name('status')} = {update.value(JobStatus.QUEUED)}"
    return f"{queued} AND attribute_not_exists(claimed_at) AND attribute_not_exists(branches)"


def _ending_unserved(claim: Claim, error: JobError, purchases: Sequence[Spending]) -> Update:
    """Return the write of the end: of a job that is deferred and cancelled, was cancelled early, or was not begun."""
    money, queue_ms = spent(lost(purchases)), max(0, claim.claimed_at - claim.received_at)
    update = Update(
        {
            **claim_values(claim),
            "status": JobStatus.FAILED,
            "claim_id": None,
            "lease_until": None,
            "received_at": claim.received_at,
            "listed": listed(claim.request_id, claim.received_at),
            "settled_at": claim.claimed_at,
            "latency_ms": 0,
            "queue_ms": queue_ms,
            "purchases": compact(money.purchases),
            "cost_usd": money.cost_usd or None,
            "cost_certain": None if money.certain else False,
            "error": error.model_dump(),
        }
    )
    update.drop("deferred_until", *absent(claim))
    update.set(f"cancelled_at = if_not_exists(cancelled_at, {update.value(claim.claimed_at)})")
    status, waits = update.name("status"), "attribute_exists(cancelled_at)"
    none = f"attribute_not_exists(request_id) OR {status} = {update.value(JobStatus.REJECTED)}"
    deferred = f"{waits} AND {status} = {update.value(JobStatus.DEFERRED)}"
    awaited = f"{waits} AND {_only_noted(update)}"
    update.require(f"({none} OR ({deferred}) OR ({awaited}))")
    return update


def _require_claim(update: Update, claim_id: str | None) -> None:
    """Let the update be written while this claim runs."""
    running = f"{update.name('status')} = {update.value(JobStatus.RUNNING)}"
    update.require(f"claim_id = {update.value(claim_id)} AND {running}")


def _claimed(old: Mapping[str, Any], claim: Claim) -> Claimed:
    if old.get("status") in (None, JobStatus.REJECTED):
        return Claimed(old.get("received_at", claim.received_at))
    before = JobRecord.model_validate(old)
    return Claimed(
        before.received_at,
        tuple(before.interruptions),
        attempts=tuple(before.attempts),
        purchases=tuple(before.purchases),
        earmark=before.earmark,
        history=tuple(before.history),
    )


def _interruption(before: JobRecord) -> Interruption:
    return Interruption(
        claim_id=before.claim_id or "", claimed_at=before.claimed_at or 0, lease_until=before.lease_until or 0
    )


def _abandoned(before: JobRecord, claim: Claim) -> bool:
    # Without a claim it is an execution's.
    mine = before.fingerprint == claim.fingerprint and before.claim_id is not None
    return mine and before.status is JobStatus.RUNNING and (before.lease_until or 0) < claim.claimed_at


def _refusal(before: JobRecord, claim: Claim) -> ClaimAnswer:
    if before.awaits_request:
        return Cancelled()
    if before.fingerprint != claim.fingerprint:
        return Conflict()
    if before.status.settled:
        return AlreadySettled(before.status)
    if before.cancelled_at is not None and (before.noted or before.status is JobStatus.DEFERRED):
        return Cancelled(tuple(before.purchases))
    if before.claim_id == claim.claim_id:
        # Our own claim, whose answer was lost on the way. What stood there before is lost with it, so when there was
        # anything at all, look for a predecessor's result before buying.
        attempts = tuple(before.attempts)
        earlier = tuple(each for each in before.purchases if each != claim.purchase)
        interruptions = tuple(before.interruptions)
        return Claimed(before.received_at, interruptions, before.claims > 1, attempts, earlier, before.earmark)
    return Held(before.lease_until or claim.claimed_at)


def claim_values(claim: Claim) -> dict[str, Any]:
    """Return the fields that each claim sets anew."""
    return {
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
        "message_id": claim.message_id,
        "client": claim.client,
        "reply_to": claim.reply_to,
        "callback_url": claim.callback_url,
        "callback_body": claim.callback_body,
        "earmark": claim.earmark.model_dump() if claim.earmark else None,
        **(claim.asked or {}),
    }


def settlement_values(settlement: Settlement) -> dict[str, Any]:
    """Return the fields of a job's end."""
    money = spent(settlement.purchases)
    return {
        "status": settlement.status,
        "settled_at": settlement.settled_at,
        "latency_ms": settlement.latency_ms,
        "queue_ms": settlement.queue_ms,
        "provider": settlement.provider,
        "model": settlement.model,
        "voice": settlement.voice,
        "voice_substituted": settlement.voice_substituted or None,
        "cached": settlement.cached or None,
        "attempts": compact(settlement.attempts),
        "outputs": compact(settlement.outputs),
        "purchases": compact(money.purchases),
        "cost_usd": money.cost_usd or None,
        "cost_certain": None if money.certain else False,
        "error": settlement.error.model_dump() if settlement.error else None,
        "warnings": list(settlement.warnings) or None,
        "interruptions": compact(settlement.interruptions),
    }


# DynamoDB's own maximum of a BatchExecuteStatement.
STATEMENTS_LIMIT: Final = 25


_STORE: Final = "jobs table"
_EXISTS: Final = "DuplicateItem"
_REFUSED: Final = "ConditionalCheckFailed"


class JobBatches:
    """Calls the table; `claim` and `settle` raise `StoreUnavailable` when it answers none of a batch."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, claims: Sequence[Claim]) -> list[Claimed | StoreUnavailable | None]:
        """Claim jobs that are new. Returns None for one that exists already."""
        statements = [insertion(self._table, to_item(_fresh(claim))) for claim in claims]
        errors = self._execute([claim.request_id for claim in claims], statements, "claim jobs")
        return [_claim_answer(error, claim) for error, claim in zip(errors, claims, strict=True)]

    def settle(self, settlements: Sequence[Settlement]) -> list[bool | StoreUnavailable | None]:
        """Settle jobs. Returns False where the claim is no longer ours, None where the table doesn't say whose."""
        statements = [self._ending(settlement) for settlement in settlements]
        errors = self._execute([one.request_id for one in settlements], statements, "settle jobs")
        return [_settled(error, one) for error, one in zip(errors, settlements, strict=True)]

    def _ending(self, settlement: Settlement) -> dict[str, Any]:
        mine = {
            "request_id": settlement.request_id,
            "claim_id": settlement.claim_id,
            "status": JobStatus.RUNNING,
        }
        return replacement(self._table, to_item(settlement_values(settlement)), ("lease_until",), to_item(mine))

    def _execute(
        self, ids: Sequence[str], statements: Sequence[Mapping[str, Any]], operation: str
    ) -> list[Mapping[str, Any] | None]:
        """Returns each statement's error, empty for none; None for a second one about an item, which is left out."""
        first = {request_id: number for number, request_id in reversed(list(enumerate(ids)))}
        numbers = sorted(first.values())
        with store_errors(_STORE, operation):
            answer = self._client.batch_execute_statement(Statements=[statements[number] for number in numbers])
        errors = dict(zip(numbers, (one.get("Error", {}) for one in answer["Responses"]), strict=True))
        return [errors.get(number) for number in range(len(ids))]


def _fresh(claim: Claim) -> dict[str, Any]:
    place = listed(claim.request_id, claim.received_at)
    facts = {"request_id": claim.request_id, "received_at": claim.received_at, "listed": place, "claims": 1}
    purchases = compact([claim.purchase]) if claim.purchase else None
    return {**facts, **claim_values(claim), "purchases": purchases}


def _claim_answer(error: Mapping[str, Any] | None, claim: Claim) -> Claimed | StoreUnavailable | None:
    if error is None or error.get("Code") == _EXISTS:
        return None
    return _failed(error, "claim jobs") if error else Claimed(claim.received_at)


def _settled(error: Mapping[str, Any] | None, settlement: Settlement) -> bool | StoreUnavailable | None:
    if error is None:
        return None
    if error.get("Code") != _REFUSED:
        return _failed(error, "settle jobs") if error else True
    if "Item" not in error:
        return None
    # A repeated write whose first answer was lost is recognised as done.
    standing = from_item(error["Item"])
    return (standing.get("claim_id"), standing.get("status")) == (settlement.claim_id, settlement.status)


def _failed(error: Mapping[str, Any], operation: str) -> StoreUnavailable:
    return StoreUnavailable(_STORE, operation, str(error.get("Code", "unknown")))
