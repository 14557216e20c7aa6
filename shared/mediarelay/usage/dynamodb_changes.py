"""Batches of job records as the Jobs table's stream delivers them; without Powertools' batch processor, whose import
would be half of the cold start.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mediarelay.aws.stores import from_item
from mediarelay.job_records.contract import JobRecord
from mediarelay.usage.counting import SettledJob

logger = logging.getLogger(__name__)


def shard_of(event: Mapping[str, Any]) -> str:
    """Return which stream shard a batch is of; empty where the stream says of none, and then has but one.

    Lambda names it in the events of a source with a tumbling window (developer guide, "Using AWS Lambda with Amazon
    DynamoDB", tumbling windows), which the source has for nothing else.
    """
    return str(event.get("shardId", ""))


def job_changes(event: Mapping[str, Any]) -> list[SettledJob]:
    """Read the changes of an event. One that is no job is left out: it would stop the counting of all that follow."""
    changes = []
    for record in event["Records"]:
        change = record["dynamodb"]
        number = int(change["SequenceNumber"])
        try:
            before, after = (_job(change.get(image)) for image in ("OldImage", "NewImage"))
        except (ValueError, TypeError) as error:
            facts = {"number": str(number), "reason": type(error).__name__}
            logger.error("unreadable job", extra=facts)  # noqa: TRY400 # the trace would show the record
            continue
        if after is not None:
            changes.append(SettledJob(number, before, after))
    return changes


def first_number(event: Mapping[str, Any]) -> str:
    """Return the sequence number from which a stream delivers the whole batch again."""
    return str(event["Records"][0]["dynamodb"]["SequenceNumber"])


def _job(image: Mapping[str, Any] | None) -> JobRecord | None:
    return JobRecord.model_validate(from_item(image)) if image else None
