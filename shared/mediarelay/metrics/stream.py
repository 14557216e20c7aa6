"""Batches of attempt metrics as the Telemetry table's stream delivers them. A module of its own: counting a batch as a
whole needs nothing of Powertools' batch processor, whose import would be half of the cold start.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mediarelay.metrics.counting import MetricRecord
from mediarelay.metrics.dynamodb_items import NotAMetric, metric_record

logger = logging.getLogger(__name__)


def metric_batch(event: Mapping[str, Any]) -> tuple[list[MetricRecord], str | None]:
    """Read the metric records of an event up to the first unreadable one. Returns them, and that one's sequence number.

    The stream goes on from there: what comes after it is delivered again, and the unreadable record goes to the failure
    destination once its retries are spent.
    """
    records: list[MetricRecord] = []
    for record in event["Records"]:
        try:
            records.append(metric_record(record))
        except NotAMetric as error:
            number = str(record["dynamodb"]["SequenceNumber"])
            logger.warning("unreadable metric", extra={"sequence_number": number, "reason": str(error)})
            return records, number
    return records, None


def first_number(event: Mapping[str, Any]) -> str:
    """Return the sequence number from which a stream delivers the whole batch again."""
    return str(event["Records"][0]["dynamodb"]["SequenceNumber"])
