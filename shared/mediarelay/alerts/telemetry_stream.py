"""Changes of the Telemetry table that may be news for operators, read as our contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from mediarelay.aws.stores import from_item
from mediarelay.calendar.contract import CapabilityState
from mediarelay.health.contract import HealthRecord
from mediarelay.keys.contract import PoolState
from mediarelay.keys.dynamodb import verdict_of
from mediarelay.keys.states import KeyVerdict
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: see below.
if TYPE_CHECKING:
    from mediarelay.budgets.contract import BudgetLevel
    from mediarelay.limits.contract import LimitReport

T = TypeVar("T")


@frozen
class Change(Generic[T]):
    """A change of an item; `before` is None if it did not exist."""

    before: T | None
    after: T


News: TypeAlias = (
    "Change[HealthRecord] | Change[KeyVerdict] | Change[PoolState] | Change[CapabilityState] | Change[BudgetLevel]"
    " | Change[LimitReport]"
)


def telemetry_change(record: Mapping[str, Any]) -> News | None:
    """Read a stream record; None when it cannot be news.

    Raises:
        pydantic.ValidationError, KeyError, TypeError: The item is not what its key says.
    """
    images = record["dynamodb"]
    partition = images["Keys"]["pk"]["S"]
    return _read(partition, images) if "NewImage" in images else None


def is_beat(record: Mapping[str, Any]) -> bool:
    """Tell whether it is what the sweep writes once a minute."""
    return bool(record["dynamodb"]["Keys"]["pk"]["S"] == "BEAT")


def _read(partition: str, images: Mapping[str, Any]) -> News | None:
    # The half-open permits of the same partition are no news.
    if partition == "HEALTH" and "provider" in images["NewImage"]:
        return _change(images, HealthRecord.model_validate)
    if partition == "CAPABILITY":
        return _change(images, CapabilityState.model_validate)
    if partition == "POOL":
        return _change(images, PoolState.model_validate)
    if partition in ("BUDGET_LEVELS", "LIMIT"):
        return _seldom(partition, images)
    # Other things may be kept under a vendor's keys; a verdict has a status and the moment it was observed.
    if partition.startswith("KEY#") and {"status", "observed_at"} <= images["NewImage"].keys():
        return _change(images, verdict_of)
    return None


def _seldom(partition: str, images: Mapping[str, Any]) -> News:
    # Imported here: most deployments set no budgets, and most vendors give what was declared.
    from mediarelay.budgets.contract import BudgetLevel  # noqa: PLC0415
    from mediarelay.limits.contract import LimitReport  # noqa: PLC0415

    if partition == "LIMIT":
        return _change(images, LimitReport.model_validate)
    return _change(images, BudgetLevel.model_validate)


def _change(images: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> Change[T]:
    before = images.get("OldImage")
    return Change(read(from_item(before)) if before else None, read(from_item(images["NewImage"])))
