"""A lease as an item: its attributes, and an UpdateItem in the making."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.aws.items import from_item
from mediarelay.limits.gcra import TENANT_BUCKETS, LimitState
from mediarelay.limits.learned_rate import LearnedRate

BUCKETS: Final = tuple(f"queue:{number:x}" for number in range(TENANT_BUCKETS))
_PACE: Final = ("base", "since", "ceiling", "mark", "marked_at")
_MICROSECONDS: Final = 6


class Update:
    """Conditions and changes of one UpdateItem. Numbers are kept to the microsecond."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._sets: list[str] = []
        self._adds: list[str] = []
        self._drops: list[str] = []
        self._conditions: list[str] = []

    def name(self, attribute: str) -> str:
        """The placeholder of an attribute's name."""
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, number: float) -> str:
        """The placeholder of a number."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = {"N": str(number) if isinstance(number, int) else f"{number:.{_MICROSECONDS}f}"}
        return placeholder

    def set(self, clause: str) -> None:
        """Add a clause of SET."""
        self._sets.append(clause)

    def let(self, attribute: str, number: float) -> None:
        """Set an attribute to a number."""
        self.set(f"{self.name(attribute)} = {self.value(number)}")

    def add(self, attribute: str, number: int) -> None:
        """Add to a counter."""
        self._adds.append(f"{self.name(attribute)} {self.value(number)}")

    def drop(self, *attributes: str) -> None:
        """Remove attributes."""
        self._drops += [self.name(attribute) for attribute in attributes]

    def require(self, condition: str) -> None:
        """Add a condition; all must hold."""
        self._conditions.append(condition)

    def require_epoch(self, epoch: int) -> None:
        """The epoch must be this one; a new item is in epoch 0."""
        name = self.name("epoch")
        new = f"attribute_not_exists({name}) OR " if epoch == 0 else ""
        self.require(f"({new}{name} = {self.value(epoch)})")

    def fields(self) -> dict[str, Any]:
        """As UpdateItem takes them."""
        parts = (("SET", self._sets), ("ADD", self._adds), ("REMOVE", self._drops))
        given = {
            "UpdateExpression": " ".join(f"{verb} {', '.join(clauses)}" for verb, clauses in parts if clauses),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()},
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in given.items() if value}


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
        lane=values.get("lane"),
        epoch=values.get("epoch", 0),
        used=values.get("used", 0),
        blocks=groups["block"],
        queued=groups["queue"],
        slots=groups["slot"],
        pace=LearnedRate(**{"ceiling": None, **pace}) if pace else None,
        throttled_at=values.get("throttled_at", 0.0),
    )
