"""Bounds that a schema cannot express: what a publisher chooses must fit where it is kept, under a key of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pydantic_core import PydanticCustomError, to_json

# DynamoDB stores 32 levels, of which the record and its field are two; 38 digits; and magnitudes within 1e-130 and
# 1e126. Beyond these a request would be accepted here and then refused by the Jobs table, time after time.
NESTING_LIMIT: Final = 16
INTEGER_LIMIT: Final = 10**38
SMALLEST: Final = 1e-120
LARGEST: Final = 1e120

# Stands in the key of a job between its tenant and its id; neither has one (request.model). S3 and Step Functions allow
# it in names.
OF_TENANT: Final = "!"

Json = TypeVar("Json", bound=object)


def json_within(limit_bytes: int) -> Callable[[Json], Json]:
    """Validate: at most that much as compact JSON in UTF-8, and nothing in it that the Jobs table cannot hold."""

    def check(value: Json) -> Json:
        if not value:
            return value
        _refuse_unstorable(value, NESTING_LIMIT)
        size = len(to_json(value))
        if size > limit_bytes:
            facts = {"size": size, "limit": limit_bytes}
            raise PydanticCustomError("too_large", "{size} bytes of JSON; at most {limit} are allowed", facts)
        return value

    return check


def each_once(names: list[str]) -> list[str]:
    """Validate that no name occurs twice."""
    if len(set(names)) != len(names):
        raise PydanticCustomError("named_twice", "must name each provider only once")
    return names


def _refuse_unstorable(value: object, levels: int) -> None:
    if levels < 0:
        raise PydanticCustomError("too_deep", "must be nested at most {limit} levels deep", {"limit": NESTING_LIMIT})
    if isinstance(value, dict):
        if "" in value:
            raise PydanticCustomError("empty_name", "must have no field with an empty name")
        for item in value.values():
            _refuse_unstorable(item, levels - 1)
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable(item, levels - 1)
    elif isinstance(value, int | float):
        _refuse_unstorable_number(value)


def _refuse_unstorable_number(value: float) -> None:
    fits = abs(value) < INTEGER_LIMIT if isinstance(value, int) else value == 0 or SMALLEST < abs(value) < LARGEST
    if not fits:
        raise PydanticCustomError(
            "number_out_of_range", "must have integers of at most 38 digits, and other numbers from 1e-120 to 1e120"
        )


def job_key(request_id: str, tenant: str | None) -> str:
    """Return the key of a request's job: its id, which is its tenant's own where it has one.

    Everything that is kept of a job follows from it: record, branches, parts, files, executions, slots.
    """
    return request_id if tenant is None else f"{tenant}{OF_TENANT}{request_id}"


def plain_key(key: str) -> str:
    """Return the key of a job without its tenant, as it was before each tenant had ids of its own."""
    return key.rpartition(OF_TENANT)[2]
