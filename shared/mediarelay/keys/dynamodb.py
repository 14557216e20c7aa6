"""Key verdicts of all workers: `pk` = KEY#vendor, `sk` = the scope the verdict is about.

One query reads everything a worker needs to know of a vendor. A write is conditional: the newest observation stands,
and a cooling key is never let out early by a shorter verdict that came later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import from_item, query_all, store_errors, to_item
from mediarelay.keys.contract import PoolState
from mediarelay.keys.states import KeyStatus, KeyVerdict

POOLS: Final = "POOL"
# Verdicts without an end of their own are kept this long after they were seen.
KEPT_SECONDS: Final = 14 * 24 * 3600

_NEWER: Final = (
    "attribute_not_exists(pk) OR (observed_at < :observed_at"
    " AND NOT (#status = :cooling AND :status = :cooling AND #until > :until))"
)
_FIELDS: Final = tuple(KeyVerdict.__dataclass_fields__)


class DynamoKeyStates:
    """Implements `keys.ports.KeyStates`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, vendor: str) -> Sequence[KeyVerdict]:
        """See `keys.ports.KeyStates.load`."""
        verdicts: list[KeyVerdict] = []
        page: dict[str, Any] = {}
        with store_errors("telemetry table", "read key states"):
            while True:
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues={":pk": {"S": f"KEY#{vendor}"}},
                    **page,
                )
                verdicts.extend(verdict_of(from_item(item)) for item in answer["Items"])
                if "LastEvaluatedKey" not in answer:
                    return verdicts
                page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def save(self, verdict: KeyVerdict) -> None:
        """See `keys.ports.KeyStates.save`."""
        values = to_item({**asdict(verdict), "ttl": _ttl(verdict)})
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if "until" not in values:
            update += " REMOVE #until"
        extra = {":cooling": {"S": KeyStatus.COOLING.value}, ":until": values.get("until", {"N": "0"})}
        with store_errors("telemetry table", "save a key state"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": f"KEY#{verdict.vendor}"}, "sk": {"S": _sort_key(verdict)}},
                    UpdateExpression=update,
                    ConditionExpression=_NEWER,
                    ExpressionAttributeNames={f"#{name}": name for name in {*values, "until"}},
                    ExpressionAttributeValues={f":{name}": value for name, value in values.items()} | extra,
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise


def _sort_key(verdict: KeyVerdict) -> str:
    """Give an operator's verdict an item of its own: a vendor's newer one on the same scope must not replace it."""
    scope = verdict.scope
    about = f"{'account' if scope.spreads else 'key'}#{scope.owner}#{scope.provider or '*'}"
    return f"operator#{about}" if verdict.by_operator else about


def _ttl(verdict: KeyVerdict) -> int:
    return math.ceil(max(verdict.observed_at, verdict.until or 0.0)) + KEPT_SECONDS


def verdict_of(item: Mapping[str, Any]) -> KeyVerdict:
    """Read a verdict from its item."""
    known = {name: item.get(name) for name in _FIELDS}
    return KeyVerdict(**{**known, "status": KeyStatus(item["status"])})  # type: ignore[arg-type]  # written by `save`


class DynamoPools:
    """Implements `keys.ports.PoolStates`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Mapping[str, PoolState]:
        """See `keys.ports.PoolStates.load`."""
        with store_errors("telemetry table", "read pools"):
            items = query_all(
                self._client,
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": POOLS}},
            )
            states = [PoolState.model_validate(from_item(item)) for item in items]
        return {state.vendor: state for state in states}

    def save(self, state: PoolState) -> None:
        """See `keys.ports.PoolStates.save`."""
        with store_errors("telemetry table", "write a pool"):
            self._client.put_item(
                TableName=self._table,
                Item=to_item(state.model_dump(mode="json")) | {"pk": {"S": POOLS}, "sk": {"S": state.vendor}},
            )
