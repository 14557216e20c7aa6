"""Reuse entries: `pk` = REUSE#tenant#fingerprint, `sk` = result, in the Telemetry table.

`result` and `buyer` are independent of each other: while a job buys anew for a request to which the result is too old,
others may still be answered with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import REFUSED, Update, from_item, store_errors
from mediarelay.reuse.contract import Reusable, ReuseEntry

_STORE: Final = "telemetry table"
# Longer than any request may ask for; a result is judged when it is read, TTL only cleans up.
_KEPT_SECONDS: Final = 31 * 24 * 3600


class DynamoReuse:
    """Implements `reuse.ports.ReuseStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, key: str) -> ReuseEntry:
        """See `reuse.ports.ReuseStore.load`. Half the price of a consistent read: `take` finds out what is newer."""
        with store_errors(_STORE, "look for a result"):
            answer = self._client.get_item(TableName=self._table, Key=_key(key))
        return _entry(answer.get("Item", {}))

    def take(self, key: str, job_id: str, *, until: int, seen: ReuseEntry) -> ReuseEntry | None:
        """See `reuse.ports.ReuseStore.take`."""
        update = Update({"buyer": job_id, "until": until, "ttl": until // 1000 + _KEPT_SECONDS})
        same = "attribute_not_exists(buyer)"
        if seen.buyer is not None:
            same = f"(buyer = {update.value(seen.buyer)} AND {update.name('until')} = {update.value(seen.until)})"
        unanswered = f"attribute_not_exists({update.name('result')})"
        if seen.result is not None:
            unanswered = f"{update.name('result')}.settled_at = {update.value(seen.result.settled_at)}"
        update.require(f"(buyer = {update.value(job_id)} OR {same}) AND {unanswered}")
        return self._write(key, update, "be the buyer of a result")

    def hold(self, key: str, job_id: str, *, until: int) -> None:
        """See `reuse.ports.ReuseStore.hold`."""
        update = Update({"until": until})
        update.require(f"buyer = {update.value(job_id)}")
        self._write(key, update, "stay the buyer of a result")

    def publish(self, key: str, job_id: str, result: Reusable) -> None:
        """See `reuse.ports.ReuseStore.publish`."""
        update = Update(
            {
                "result": result.model_dump(mode="json", exclude_none=True),
                "ttl": result.settled_at // 1000 + _KEPT_SECONDS,
            }
        )
        update.require(f"buyer = {update.value(job_id)}")
        update.drop("buyer", "until")
        self._write(key, update, "publish a result")

    def free(self, key: str, job_id: str) -> None:
        """See `reuse.ports.ReuseStore.free`."""
        update = Update()
        update.require(f"buyer = {update.value(job_id)}")
        update.drop("buyer", "until")
        self._write(key, update, "let another buy a result")

    def _write(self, key: str, update: Update, operation: str) -> ReuseEntry | None:
        with store_errors(_STORE, operation):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(key),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **update.fields(),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != REFUSED:
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return _entry(item)
        return None


def _key(key: str) -> dict[str, Any]:
    return {"pk": {"S": f"REUSE#{key}"}, "sk": {"S": "result"}}


def _entry(item: Mapping[str, Any]) -> ReuseEntry:
    return ReuseEntry.model_validate(from_item(item))
