"""A limit as an item: its attributes, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.aws.items import from_item
from mediarelay.aws.dynamodb import Update
from mediarelay.limits.fairness import TENANT_BUCKETS
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.learned_rate import LearnedRate

BUCKETS: Final = tuple(f"queue:{number:x}" for number in range(TENANT_BUCKETS))
_PACE: Final = ("base", "since", "ceiling", "mark", "marked_at")
MICROSECONDS: Final = 6  # the digits of every number


def require_epoch(update: Update, epoch: int) -> None:
    """Let the update be written in this epoch alone; a new item is in epoch 0."""
    name = update.name("epoch")
    new = f"attribute_not_exists({name}) OR " if epoch == 0 else ""
    update.require(f"({new}{name} = {update.value(epoch)})")


def pace_fields(update: Update, pace: LearnedRate | None) -> None:
    """Write the pace down; the parts it does not have are removed."""
    for field in _PACE:
        number = None if pace is None else getattr(pace, field)
        if number is None:
            update.drop(f"pace:{field}")
        else:
            update.let(f"pace:{field}", number)


def state_of(item: Mapping[str, Any]) -> LimitState:
    """The state in an item; a new one when there is none."""
    values = from_item({name: value for name, value in item.items() if name not in {"pk", "sk"}})
    pace = {name: values[f"pace:{name}"] for name in _PACE if f"pace:{name}" in values}
    groups: dict[str, dict[str, float]] = {"block": {}, "queue": {}, "slot": {}}
    for name, value in values.items():
        group, colon, member = name.partition(":")
        if colon and group in groups:
            groups[group][member] = float(value)
    return LimitState(
        tat=float(values.get("tat", 0.0)),
        newcomer_tat=values.get("lane"),
        epoch=values.get("epoch", 0),
        used=values.get("used", 0),
        blocks=groups["block"],
        queued=groups["queue"],
        slots=groups["slot"],
        pace=LearnedRate(**{"ceiling": None, **pace}) if pace else None,
        throttled_at=values.get("throttled_at", 0.0),
    )
