"""What workers share: `pk` = HEALTH holds the records, by provider, and the trials, under TRIAL#provider.

They are in one partition, so that what every busy worker reads twice a second is one query.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.clients import store_errors
from mediarelay.aws.conditions import REFUSED
from mediarelay.aws.items import from_item, to_item
from mediarelay.health.circuit.half_open import HalfOpenPermit
from mediarelay.health.circuit.ports import HealthSnapshot
from mediarelay.health.dynamodb import PARTITION, TRIALS, read_partition, record_of

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
                    "struck_at = :at, version = :next, #ttl = :ttl",
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
    )
