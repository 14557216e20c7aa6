"""DynamoDB items as plain Python: ints stay ints, floats pass through Decimal, absent means absent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import NoneType
from typing import Any, Final

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

_SERIALIZE: Final = TypeSerializer().serialize
_DESERIALIZE: Final = TypeDeserializer().deserialize
_AS_IT_IS: Final = frozenset({str, int, bool, bytes, NoneType})


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a mapping to wire form; top-level None is left out."""
    return {name: _SERIALIZE(value) for name, value in _plain(values).items() if value is not None}


def to_attribute(value: Any) -> Any:
    """Convert one value to wire form."""
    return _SERIALIZE(_plain(value))


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an item from wire form to plain Python."""
    return {name: _without_decimals(_DESERIALIZE(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """Convert a value for the serializer, which knows neither floats nor tuples nor our string enums."""
    match value:
        case float():
            return Decimal(str(value))
        case Mapping():
            return {name: item if type(item) in _AS_IT_IS else _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [item if type(item) in _AS_IT_IS else _plain(item) for item in value]
        case str():
            return str(value)
        case _:
            return value


def _without_decimals(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Binary():
            return bytes(value)  # type: ignore[call-overload]  # it has __bytes__; its stub does not say so
        case dict():
            return {name: _without_decimals(item) for name, item in value.items()}
        case list():
            return [_without_decimals(item) for item in value]
        case _:
            return value
