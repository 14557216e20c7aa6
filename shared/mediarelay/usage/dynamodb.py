"""The Usage table: totals at `pk` = DAY#day, `sk` = tenant#provider#model#slot; `pk` = SHARD#shard, `sk` = counted.

What a batch adds and how far its stream shard is counted go in one transaction, so that a batch that comes again adds
nothing. A total is kept in a few slots, one of which a stream shard writes, so that shards seldom meet in one item.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import Update, from_item, query_all, store_errors
from mediarelay.usage.counting import Amounts, Batch, Subject

_STORE: Final = "usage table"
_REFUSED: Final = "ConditionalCheckFailed"
SLOTS: Final = 8
# A year can be compared with the one before.
_KEPT_SECONDS: Final = 800 * 24 * 3600
# A stream keeps its records for a day; a shard is open for some hours.
_SHARD_KEPT_SECONDS: Final = 8 * 24 * 3600


class DynamoUsage:
    """Implements `usage.ports.UsageStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def counted(self, shard: str) -> int:
        """See `usage.ports.UsageStore.counted`."""
        with store_errors(_STORE, "read what is counted"):
            answer = self._client.get_item(TableName=self._table, Key=_shard_key(shard), ConsistentRead=True)
        return int(from_item(answer.get("Item", {})).get("last", 0))

    def add(self, shard: str, batch: Batch, *, after: int, now: int) -> bool:
        """See `usage.ports.UsageStore.add`."""
        # As text: a sequence number has more digits than a number of DynamoDB's.
        mark = Update({"last": str(batch.last), "ttl": now + _SHARD_KEPT_SECONDS})
        last = mark.name("last")
        mark.require(f"{last} = {mark.value(str(after))}" if after else f"attribute_not_exists({last})")
        slot = zlib.crc32(shard.encode()) % SLOTS
        writes = [(_shard_key(shard), mark)]
        for subject, amounts in batch.totals.items():
            total = Update({"ttl": now + _KEPT_SECONDS})
            for name, amount in amounts.items():
                total.add(name, amount)
            writes.append((_total_key(subject, slot), total))
        items = [{"Update": {"TableName": self._table, "Key": key, **update.fields()}} for key, update in writes]
        token = hashlib.sha256(f"{shard} {after} {batch.last}".encode()).hexdigest()[:36]
        with store_errors(_STORE, "add what was used"):
            try:
                self._client.transact_write_items(TransactItems=items, ClientRequestToken=token)
            except ClientError as error:
                reasons: Any = error.response.get("CancellationReasons", [])
                if not reasons or reasons[0].get("Code") != _REFUSED:
                    raise
                return False
        return True

    def load(self, days: Sequence[str]) -> Mapping[Subject, Amounts]:
        """See `usage.ports.UsageStore.load`."""
        found: dict[Subject, Amounts] = {}
        with store_errors(_STORE, "read what was used"):
            for day in days:
                of_day = {":pk": {"S": f"DAY#{day}"}}
                for wire in query_all(
                    self._client,
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=of_day,
                ):
                    item = from_item(wire)
                    tenant, provider, model, _slot = item["sk"].split("#")
                    amounts = {name: value for name, value in item.items() if name not in ("pk", "sk", "ttl")}
                    found.setdefault(Subject(day, tenant, provider, model), Counter()).update(amounts)
        return found


def _shard_key(shard: str) -> dict[str, Any]:
    return {"pk": {"S": f"SHARD#{shard}"}, "sk": {"S": "counted"}}


def _total_key(subject: Subject, slot: int) -> dict[str, Any]:
    sort_key = f"{subject.tenant}#{subject.provider}#{subject.model}#{slot}"
    return {"pk": {"S": f"DAY#{subject.day}"}, "sk": {"S": sort_key}}
