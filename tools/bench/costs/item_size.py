"""The size of a DynamoDB item and what writing it costs, by the rules of AWS's developer guide ("item sizes")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

WRITE_UNIT_BYTES: Final = 1024
_NULL_OR_BOOL = 1
_CONTAINER = 3  # of a list or map itself, and one more per element
_ELEMENT = 1


def write_units(item: Mapping[str, Any]) -> int:
    """Write request units of writing an item (in wire form) once."""
    return -(-item_bytes(item) // WRITE_UNIT_BYTES)


def item_bytes(item: Mapping[str, Any]) -> int:
    """Names and values of an item in wire form."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return _number_bytes(content)
        case "M":
            return _CONTAINER + item_bytes(content) + _ELEMENT * len(content)
        case "L":
            return _CONTAINER + sum(_value_bytes(entry) + _ELEMENT for entry in content)
        case "BOOL" | "NULL":
            return _NULL_OR_BOOL
    raise ValueError(f"no size is known for DynamoDB's type {kind}")


def _number_bytes(text: str) -> int:
    """A byte for two significant digits, and one more; a sign takes another."""
    digits = text.lstrip("-").replace(".", "").strip("0")
    return -(-len(digits) // 2) + 1 + text.startswith("-")
