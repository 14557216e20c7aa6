"""Where vendors give less than was declared, in the Telemetry table (`pk` = LIMIT, `sk` = provider)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.aws.stores import from_item, query_all, store_errors, to_item
from mediarelay.limits.contract import LimitReport

LIMITS: Final = "LIMIT"


class DynamoLimitReports:
    """Implements `limits.ports.LimitReports`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Mapping[str, LimitReport]:
        """See `limits.ports.LimitReports.load`."""
        with store_errors("telemetry table", "read reports of limits"):
            items = query_all(
                self._client,
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": LIMITS}},
            )
            reports = [LimitReport.model_validate(from_item(item)) for item in items]
        return {report.provider: report for report in reports}

    def save(self, report: LimitReport) -> None:
        """See `limits.ports.LimitReports.save`."""
        with store_errors("telemetry table", "write a report of limits"):
            self._client.put_item(
                TableName=self._table,
                Item=to_item(report.model_dump(mode="json")) | {"pk": {"S": LIMITS}, "sk": {"S": report.provider}},
            )
