"""The Jobs table as executions use it: opened by dispatch, noted by submits, settled once.

Concurrency slots: `pk` = SLOTS#vendor, `sk` = account, one item whose map `holders` says who holds one until when.

Taking is one conditional write, so that two workers never share the last slot. A holder that was lost lapses at its
moment; a worker that finds the account full removes the lapsed ones, provided they have not changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import Update, compact, from_item, store_errors, to_attribute
from mediarelay.job_records.claims import AlreadySettled, Cancelled, Claim, Conflict, Settlement, absent
from mediarelay.job_records.contract import JobError, JobRecord, Spending, Submission
from mediarelay.job_records.dynamodb import DynamoJobs, free, settlement_values
from mediarelay.job_records.job_spec import listed
from mediarelay.long_jobs.ports import OpenAnswer, Opened
from mediarelay.vocabulary.kinds import UNSETTLED, JobStatus, SubmitState


class DynamoMediaJobs:
    """Implements `long_jobs.ports.MediaJobStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table
        self._records = DynamoJobs(client, table)

    def open(self, claim: Claim) -> OpenAnswer:
        """See `long_jobs.ports.MediaJobStore.open`."""
        update = Update(
            {
                "status": JobStatus.QUEUED,
                "kind": claim.kind,
                "fingerprint": claim.fingerprint,
                "received_at": claim.received_at,
                "listed": listed(claim.request_id, claim.received_at),
                "claimed_at": claim.claimed_at,
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
        )
        update.drop("error", "settled_at", "cancelled_at", *absent(claim))
        update.require(free(update, claim.claimed_at, claim.fingerprint))
        standing = self._update(claim.request_id, update, "open a job")
        if standing is None:
            return Opened(claim.received_at, claim.claimed_at, again=False)
        return _standing(JobRecord.model_validate(standing), claim)

    def end_unserved(self, claim: Claim, error: JobError) -> bool:
        """See `long_jobs.ports.MediaJobStore.end_unserved`."""
        return self._records.end_unserved(claim, error)

    def get(self, request_id: str) -> JobRecord | None:
        """See `long_jobs.ports.MediaJobStore.get`."""
        return self._records.get(request_id)

    def note_submit(
        self, request_id: str, after: Submission, *, before: Submission | None, purchases: Sequence[Spending]
    ) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_submit`."""
        status = JobStatus.POLLING if after.state is SubmitState.ACCEPTED else JobStatus.RUNNING
        submit, *bought = compact([after, *purchases]) or []
        update = Update({"status": status, "submit": submit, "purchases": bought})
        _require_unsettled(update)
        update.require("attribute_not_exists(cancelled_at)")
        if before is None:
            update.require("attribute_not_exists(submit)")
        else:
            update.require(f"submit.sent_at = {update.value(before.sent_at)}")
            update.require(f"submit.{update.name('state')} = {update.value(before.state)}")
        standing = self._update(request_id, update, "note a submit")
        if standing is None:
            return True
        # A repeated write whose first answer was lost finds its own note.
        record = JobRecord.model_validate(standing) if standing else None
        stands = record is not None and not record.status.settled and record.cancelled_at is None
        return stands and record is not None and record.submit == after

    def note_cancel(self, request_id: str, at: int) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_cancel`."""
        update = Update()
        update.set(f"cancelled_at = if_not_exists(cancelled_at, {update.value(at)})")
        _require_unsettled(update)
        # A worker that serves it pays at this moment; an execution keeps the claim of one that deferred it before.
        waits = f"{update.name('status')} = {update.value(JobStatus.DEFERRED)}"
        update.require(f"(attribute_not_exists(claim_id) OR {waits} OR attribute_exists(parts_total))")
        return self._update(request_id, update, "cancel a job") is None

    def await_request(self, request_id: str, at: int, *, tenant: str | None, ttl: int) -> bool:
        """See `long_jobs.ports.MediaJobStore.await_request`."""
        facts = {"status": JobStatus.QUEUED, "received_at": at, "cancelled_at": at, "tenant": tenant, "ttl": ttl}
        update = Update(facts)
        update.require("attribute_not_exists(request_id)")
        return self._update(request_id, update, "note a cancellation") is None

    def settle_media(self, settlement: Settlement) -> bool:
        """See `long_jobs.ports.MediaJobStore.settle_media`."""
        update = Update(settlement_values(settlement))
        _require_unsettled(update)
        if not settlement.cancelled:
            update.require("attribute_not_exists(cancelled_at)")
        standing = self._update(settlement.request_id, update, "settle a job")
        if standing is None:
            return True
        same = (settlement.status, settlement.settled_at)
        return (standing.get("status"), standing.get("settled_at")) == same

    def _update(self, request_id: str, update: Update, operation: str) -> dict[str, Any] | None:
        """Returns None if it was written, else the item that prevented it; empty when there is none."""
        with store_errors("jobs table", operation):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"request_id": {"S": request_id}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **update.fields(),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return from_item(item)
        return None


def _require_unsettled(update: Update) -> None:
    update.require(f"{update.name('status')} IN ({', '.join(map(update.value, UNSETTLED))})")


def _standing(record: JobRecord, claim: Claim) -> OpenAnswer:
    if record.awaits_request:
        return Cancelled()
    if record.fingerprint != claim.fingerprint:
        return Conflict()
    if record.status.settled:
        return AlreadySettled(record.status)
    if record.noted and record.cancelled_at is not None:
        return Cancelled()
    return Opened(record.received_at, record.claimed_at or record.received_at, again=True)


_SLOT_UNTIL: Final = "SET holders.#job = :until"
_SLOT_TAKE: Final = f"{_SLOT_UNTIL}, #ttl = :ttl"
_SLOT_FREE: Final = "attribute_exists(holders) AND (attribute_exists(holders.#job) OR size(holders) < :limit)"
# An item outlives its last holder by this: DynamoDB never deletes one of which somebody holds a slot.
_SLOT_KEPT_SECONDS: Final = 30 * 24 * 3600


class DynamoSlots:
    """Implements `long_jobs.ports.SlotStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def take(self, vendor: str, account: str, job_id: str, *, limit: int, until: int, now: int) -> bool:
        """See `long_jobs.ports.SlotStore.take`."""
        key = _slot_key(vendor, account)
        kept_until = max(until, now + _SLOT_KEPT_SECONDS)
        names = {"#job": job_id, "#ttl": "ttl"}
        values = {":until": to_attribute(until), ":limit": to_attribute(limit), ":ttl": to_attribute(kept_until)}
        with store_errors("telemetry table", "take a slot"):
            standing = self._try(key, _SLOT_TAKE, _SLOT_FREE, names, values)
            if standing is None:
                return True
            holders = standing.get("holders")
            if holders is None:
                self._begin(key)
            elif not self._clear_lapsed(key, holders, now):
                return False
            return self._try(key, _SLOT_TAKE, _SLOT_FREE, names, values) is None

    def release(self, vendor: str, account: str, job_id: str) -> bool:
        """See `long_jobs.ports.SlotStore.release`."""
        with store_errors("telemetry table", "release a slot"):
            held = "attribute_exists(holders.#job)"
            return self._try(_slot_key(vendor, account), "REMOVE holders.#job", held, {"#job": job_id}, {}) is None

    def shorten(self, vendor: str, account: str, job_id: str, *, until: int) -> None:
        """See `long_jobs.ports.SlotStore.shorten`."""
        with store_errors("telemetry table", "shorten a slot"):
            longer = "holders.#job > :until"
            names, values = {"#job": job_id}, {":until": to_attribute(until)}
            self._try(_slot_key(vendor, account), _SLOT_UNTIL, longer, names, values)

    def _begin(self, key: Mapping[str, Any]) -> None:
        """Create the item of an account that never held a slot."""
        self._try(key, "SET holders = :empty", "attribute_not_exists(holders)", {}, {":empty": {"M": {}}})

    def _clear_lapsed(self, key: Mapping[str, Any], holders: Mapping[str, int], now: int) -> bool:
        """Remove lapsed holders. Returns whether a slot may have come free."""
        lapsed = {job: until for job, until in holders.items() if until < now}
        names = {f"#job{number}": job for number, job in enumerate(lapsed)}
        values = {f":until{number}": to_attribute(until) for number, until in enumerate(lapsed.values())}
        for name, value in zip(names, values, strict=True):
            removal, same = f"REMOVE holders.{name}", f"holders.{name} = {value}"
            self._try(key, removal, same, {name: names[name]}, {value: values[value]})
        return bool(lapsed)

    def _try(
        self,
        key: Mapping[str, Any],
        update: str,
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> dict[str, Any] | None:
        """Returns None if it was written, else the item that prevented it."""
        fields = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        given = {name: dict(value) for name, value in fields.items() if value}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **given,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
            return from_item(item)
        return None


def _slot_key(vendor: str, account: str) -> dict[str, Any]:
    return {"pk": {"S": f"SLOTS#{vendor}"}, "sk": {"S": account}}
