"""Concurrency slots: `pk` = SLOTS#vendor, `sk` = account, one item whose map `holders` says who holds one until when.

Taking is one conditional write, so that two workers never share the last slot. A holder that was lost lapses at its
moment; who finds the account full takes the lapsed ones out, provided they have not changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.adapters.aws import store_errors
from mediarelay.adapters.items import from_item, to_attribute

_TAKE: Final = "SET holders.#job = :until"
_FREE: Final = "attribute_exists(holders) AND (attribute_exists(holders.#job) OR size(holders) < :limit)"
_KEPT_SECONDS: Final = 30 * 24 * 3600


class DynamoSlots:
    """Implements `job_ports.SlotStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def take(self, vendor: str, account: str, job_id: str, *, limit: int, until: int, now: int) -> bool:
        """See `job_ports.SlotStore.take`."""
        key = _key(vendor, account)
        values = {":until": to_attribute(until), ":limit": to_attribute(limit)}
        with store_errors("telemetry table", "take a slot"):
            standing = self._try(key, _TAKE, _FREE, {"#job": job_id}, values)
            if standing is None:
                return True
            holders = standing.get("holders")
            if holders is None:
                self._begin(key, now)
            elif not self._clear_lapsed(key, holders, now):
                return False
            return self._try(key, _TAKE, _FREE, {"#job": job_id}, values) is None

    def release(self, vendor: str, account: str, job_id: str) -> bool:
        """See `job_ports.SlotStore.release`."""
        with store_errors("telemetry table", "release a slot"):
            held = "attribute_exists(holders.#job)"
            return self._try(_key(vendor, account), "REMOVE holders.#job", held, {"#job": job_id}, {}) is None

    def shorten(self, vendor: str, account: str, job_id: str, *, until: int) -> None:
        """See `job_ports.SlotStore.shorten`."""
        with store_errors("telemetry table", "shorten a slot"):
            longer = "holders.#job > :until"
            self._try(_key(vendor, account), _TAKE, longer, {"#job": job_id}, {":until": to_attribute(until)})

    def _begin(self, key: Mapping[str, Any], now: int) -> None:
        """The item, for an account that never held a slot."""
        values = {":empty": {"M": {}}, ":ttl": to_attribute(now + _KEPT_SECONDS)}
        update = "SET holders = :empty, #ttl = :ttl"
        self._try(key, update, "attribute_not_exists(holders)", {"#ttl": "ttl"}, values)

    def _clear_lapsed(self, key: Mapping[str, Any], holders: Mapping[str, int], now: int) -> bool:
        """Whether a slot may have come free."""
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
        """None when written, else the item that stands in the way."""
        given = {"ExpressionAttributeValues": dict(values)} if values else {}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=dict(names),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **given,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
            return from_item(item)
        return None


def _key(vendor: str, account: str) -> dict[str, Any]:
    return {"pk": {"S": f"SLOTS#{vendor}"}, "sk": {"S": account}}
