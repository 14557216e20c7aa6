"""Health in the Telemetry table: `pk` = HEALTH holds the records, by provider, and the trials, under TRIAL#provider.

They are in one partition, so that what every busy worker reads twice a second is one query. The stream of the records
is the outbox of the alerts: one that tells people something new carries `news`, for the consumer's filter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import REFUSED, from_item, held, query_all, store_errors, to_item
from mediarelay.health.circuit.half_open import HalfOpenPermit
from mediarelay.health.circuit.ports import HealthSnapshot
from mediarelay.health.contract import HealthRecord
from mediarelay.health.local import Mark

PARTITION: Final = "HEALTH"
# What the sort keys of the trials begin with: before every provider's name.
TRIALS: Final = "TRIAL#"


class DynamoHealth:
    """Implements `health.ports.HealthStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Mapping[str, HealthRecord]:
        """See `health.ports.HealthStore.load`."""
        with store_errors("telemetry table", "read health records"):
            items = read_partition(self._client, self._table)
            records = [record_of(item) for name, item in items.items() if not name.startswith(TRIALS)]
        return {record.provider: record for record in records}

    def get(self, provider: str) -> HealthRecord | None:
        """See `health.ports.HealthStore.get`."""
        with store_errors("telemetry table", "read a health record"):
            answer = self._client.get_item(TableName=self._table, Key=_key(provider), ConsistentRead=True)
        return record_of(answer["Item"]) if "Item" in answer else None

    def save(self, record: HealthRecord) -> bool:
        """See `health.ports.HealthStore.save`."""
        notice = record.incident.notice
        values = record.model_dump(mode="json") | {
            "version": record.version + 1,
            # Only the write that changed the status has news: its notice is of the same moment.
            "news": notice.event.value if notice is not None and notice.at == record.last_check else None,
        }
        condition = "version = :version" if record.version else "attribute_not_exists(pk)"
        given = {"ExpressionAttributeValues": to_item({":version": record.version})} if record.version else {}
        with store_errors("telemetry table", "write a health record"):
            return held(
                lambda: self._client.put_item(
                    TableName=self._table,
                    Item=to_item(values) | _key(record.provider),
                    ConditionExpression=condition,
                    **given,
                )
            )


def read_partition(client: Any, table: str) -> dict[str, Mapping[str, Any]]:
    """Read all items, records and half-open permits, in wire form by sort key: one query."""
    items = query_all(
        client,
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": PARTITION}},
    )
    return {item["sk"]["S"]: item for item in items}


def record_of(item: Mapping[str, Any]) -> HealthRecord:
    """Read a record from its wire form."""
    return HealthRecord.model_validate(from_item(item))


def _key(provider: str) -> dict[str, Any]:
    return {"pk": {"S": PARTITION}, "sk": {"S": provider}}


# Nothing of a trial matters for longer than a minute.
KEPT_SECONDS: Final = 3600


class DynamoSharedHealth:
    """Implements `health.circuit.ports.SharedHealth`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def look(self) -> HealthSnapshot:
        """See `health.circuit.ports.SharedHealth.look`."""
        with store_errors("telemetry table", "look at the providers"):
            read = read_partition(self._client, self._table)
        records = {name: record_of(item) for name, item in read.items() if not name.startswith(TRIALS)}
        trials = {name[len(TRIALS) :]: _trial_of(item) for name, item in read.items() if name.startswith(TRIALS)}
        return HealthSnapshot(records, trials)

    def swap(self, provider: str, before: HalfOpenPermit, after: HalfOpenPermit) -> HalfOpenPermit | None:
        """See `health.circuit.ports.SharedHealth.swap`."""
        known = {":version": before.version} if before.version else {}
        with store_errors("telemetry table", "change a trial"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": PARTITION}, "sk": {"S": TRIALS + provider}},
                    UpdateExpression="SET holder = :holder, taken_until = :until, strikes = :strikes, "
                    "struck_at = :at, marks = :marks, version = :next, #ttl = :ttl",
                    ConditionExpression="version = :version" if known else "attribute_not_exists(pk)",
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues=to_item(_written(after, before.version + 1) | known),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != REFUSED:
                    raise
                standing: Any = error.response.get("Item")
                return _trial_of(standing) if standing else HalfOpenPermit()
        return None


def _written(trial: HalfOpenPermit, version: int) -> dict[str, Any]:
    return {
        ":holder": trial.holder,
        ":until": trial.taken_until,
        ":strikes": trial.strikes,
        ":at": trial.struck_at,
        ":marks": [list(mark) for mark in trial.marks],
        ":next": version,
        ":ttl": math.ceil(max(trial.taken_until, trial.struck_at)) + KEPT_SECONDS,
    }


def _trial_of(item: Mapping[str, Any]) -> HalfOpenPermit:
    values = from_item(item)
    return HalfOpenPermit(
        holder=values["holder"],
        taken_until=float(values["taken_until"]),
        strikes=values["strikes"],
        struck_at=float(values["struck_at"]),
        version=values["version"],
        marks=tuple(Mark(*mark) for mark in values.get("marks", ())),
    )
