"""One conditional UpdateItem in the making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from mediarelay.aws.items import to_attribute
from mediarelay.vocabulary.model import Record

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Update:
    """Conditions and changes of one UpdateItem."""

    def __init__(self, values: Mapping[str, Any] = _NOTHING, *, digits: int | None = None) -> None:
        """Begin with attributes to set.

        Args:
            values: By attribute. None is left out: absent means absent.
            digits: How many decimals a number keeps, in an update of numbers alone.
        """
        self._digits = digits
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._sets: list[str] = []
        self._adds: list[str] = []
        self._drops: list[str] = []
        self._conditions: list[str] = []
        for attribute, value in values.items():
            if value is not None:
                self.let(attribute, value)

    def name(self, attribute: str) -> str:
        """Return the placeholder of an attribute's name."""
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, value: Any) -> str:
        """Return the placeholder of a value."""
        placeholder = f":v{len(self._values)}"
        if self._digits is None:
            self._values[placeholder] = to_attribute(value)
        else:
            self._values[placeholder] = {"N": str(value) if isinstance(value, int) else f"{value:.{self._digits}f}"}
        return placeholder

    def set(self, clause: str) -> None:
        """Add a clause of SET."""
        self._sets.append(clause)

    def let(self, attribute: str, value: Any) -> None:
        """Set an attribute to a value."""
        self.set(f"{self.name(attribute)} = {self.value(value)}")

    def add(self, attribute: str, number: int) -> None:
        """Add to a counter."""
        self._adds.append(f"{self.name(attribute)} {self.value(number)}")

    def drop(self, *attributes: str) -> None:
        """Remove attributes."""
        self._drops += [self.name(attribute) for attribute in attributes]

    def require(self, condition: str) -> None:
        """Add a condition; all must hold."""
        self._conditions.append(condition)

    def fields(self) -> dict[str, Any]:
        """Return the arguments of UpdateItem."""
        parts = (("SET", self._sets), ("ADD", self._adds), ("REMOVE", self._drops))
        given = {
            "UpdateExpression": " ".join(f"{verb} {', '.join(clauses)}" for verb, clauses in parts if clauses),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()},
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in given.items() if value}


def compact(records: Sequence[Record]) -> list[dict[str, Any]] | None:
    """Convert records to plain Python without what is absent; None when there are none."""
    return [record.model_dump(mode="json", exclude_none=True) for record in records] or None
