"""Trial permits: `pk` = TRIAL, `sk` = provider. One conditional write takes one; a refusal says when to ask again."""

from __future__ import annotations

import math
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.adapters.aws import store_errors
from mediarelay.adapters.conditions import REFUSED, held
from mediarelay.adapters.items import from_item, to_item

PARTITION: Final = "TRIAL"
KEPT_SECONDS: Final = 3600


class DynamoTrials:
    """Implements `health_ports.TrialPermits`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def take(self, provider: str, holder: str, *, now: float, seconds: float) -> float | None:
        """See `health_ports.TrialPermits.take`."""
        values = {":holder": holder, ":until": now + seconds, ":now": now, ":ttl": math.ceil(now) + KEPT_SECONDS}
        with store_errors("telemetry table", "take a trial permit"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(provider),
                    UpdateExpression="SET holder = :holder, taken_until = :until, #ttl = :ttl",
                    ConditionExpression="attribute_not_exists(pk) OR taken_until <= :now",
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues=to_item(values),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != REFUSED:
                    raise
                standing: Any = error.response.get("Item", {})
                return float(from_item(standing).get("taken_until", now + seconds))
        return None

    def give_back(self, provider: str, holder: str, *, until: float) -> None:
        """See `health_ports.TrialPermits.give_back`."""
        with store_errors("telemetry table", "give a trial permit back"):
            held(
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=_key(provider),
                    UpdateExpression="SET taken_until = :until",
                    ConditionExpression="holder = :holder",
                    ExpressionAttributeValues=to_item({":until": until, ":holder": holder}),
                )
            )


def _key(provider: str) -> dict[str, Any]:
    return {"pk": {"S": PARTITION}, "sk": {"S": provider}}
