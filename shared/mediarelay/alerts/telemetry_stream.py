"""Changes of the Telemetry table that operators may have to hear of, read as our contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mediarelay.aws.items import from_item
from mediarelay.health.contract import HealthRecord
from mediarelay.keys.contract import PoolState
from mediarelay.keys.dynamodb import verdict_of
from mediarelay.keys.states import KeyVerdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """Before is None for what did not exist."""

    before: T | None
    after: T


def telemetry_change(
    record: Mapping[str, Any],
) -> Change[HealthRecord] | Change[KeyVerdict] | Change[PoolState] | None:
    """What a stream record is about; None when it is nothing of that.

    Raises:
        pydantic.ValidationError, KeyError, TypeError: The item is not what its key says.
    """
    images = record["dynamodb"]
    partition = images["Keys"]["pk"]["S"]
    if "NewImage" not in images:
        return None
    # The trials of the partition are none of it.
    if partition == "HEALTH" and "provider" in images["NewImage"]:
        return _change(images, HealthRecord.model_validate)
    if partition == "POOL":
        return _change(images, PoolState.model_validate)
    # Other things may be kept under a vendor's keys; a verdict has a status and the moment it was observed.
    if partition.startswith("KEY#") and {"status", "observed_at"} <= images["NewImage"].keys():
        return _change(images, verdict_of)
    return None


def _change(images: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> Change[T]:
    before = images.get("OldImage")
    return Change(read(from_item(before)) if before else None, read(from_item(images["NewImage"])))
