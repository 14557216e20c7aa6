"""How long jobs took: `pk` = TIMES#provider, `sk` = model, one item with a window of seconds, newest last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import from_item, store_errors, to_attribute
from mediarelay.long_jobs.polling.completion import remembered

_UNCHANGED: Final = "attribute_not_exists(version) OR version = :version"


class DynamoCompletionTimes:
    """Implements `long_jobs.polling.ports.CompletionTimes`. Of two samples added at once one is lost, which does
    no harm.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, provider: str, model: str) -> Sequence[float]:
        """See `long_jobs.polling.ports.CompletionTimes.load`."""
        with store_errors("telemetry table", "read completion times"):
            return self._read(provider, model)[0]

    def add(self, provider: str, model: str, seconds: float) -> None:
        """See `long_jobs.polling.ports.CompletionTimes.add`."""
        with store_errors("telemetry table", "add a completion time"):
            known, version = self._read(provider, model)
            window = remembered(known, round(seconds, 3))
            values = {":seconds": to_attribute(list(window)), ":version": to_attribute(version)}
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(provider, model),
                    UpdateExpression="SET seconds = :seconds, version = :next",
                    ConditionExpression=_UNCHANGED,
                    ExpressionAttributeValues={**values, ":next": to_attribute(version + 1)},
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise

    def _read(self, provider: str, model: str) -> tuple[tuple[float, ...], int]:
        answer = self._client.get_item(TableName=self._table, Key=_key(provider, model))
        item = from_item(answer.get("Item", {}))
        return tuple(item.get("seconds", ())), item.get("version", 0)


def _key(provider: str, model: str) -> dict[str, Any]:
    return {"pk": {"S": f"TIMES#{provider}"}, "sk": {"S": model}}
