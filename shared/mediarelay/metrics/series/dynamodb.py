"""The series in the Telemetry table: `pk` = SERIES, `sk` = all, and `points` as deflated JSON, since each number of an
item costs a byte more than its digits and a list another three.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from mediarelay.aws.stores import from_item, store_errors, to_item
from mediarelay.metrics.series.rolling import SPAN_SECONDS, SPANS, Point, Series

_KEY: Final = {"pk": {"S": "SERIES"}, "sk": {"S": "all"}}
_KEPT_SECONDS: Final = SPANS * SPAN_SECONDS
# Seconds of a start that say nothing.
_STEP: Final = SPAN_SECONDS


class DynamoSeries:
    """Implements `metrics.series.ports.SeriesStore`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> Series:
        """See `metrics.series.ports.SeriesStore.load`."""
        with store_errors("telemetry table", "read the series"):
            item = from_item(self._client.get_item(TableName=self._table, Key=_KEY).get("Item", {}))
        if not item:
            return Series(0, {})
        packed = json.loads(zlib.decompress(item["points"]))
        return Series(
            item["upto"],
            {name: [Point(start * _STEP, *rest) for start, *rest in points] for name, points in packed.items()},
        )

    def save(self, series: Series) -> None:
        """See `metrics.series.ports.SeriesStore.save`."""
        points = {name: [[start // _STEP, *rest] for start, *rest in points] for name, points in series.points.items()}
        text = json.dumps(points, separators=(",", ":"))
        values = {
            "upto": series.upto,
            "points": zlib.compress(text.encode(), 9),
            "ttl": series.upto + _KEPT_SECONDS,
        }
        with store_errors("telemetry table", "write the series"):
            self._client.put_item(TableName=self._table, Item=to_item(values) | _KEY)
