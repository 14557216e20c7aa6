"""Bounds that a schema cannot express: what a publisher chooses must fit where it is kept, under a key of its own.

A copy of shared/mediarelay/request/bounds.py, made by tools.client_models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def plain_key(key: str) -> str:
    """Return the key of a job without its tenant, as it was before each tenant had ids of its own."""
    return key.rpartition(OF_TENANT)[2]


def receiver_of(url: str) -> tuple[str, str]:
    """Return the host and the path of a callback's address.

    It matches `request.model.CALLBACK`: there is one way to read its host, and it is no number.
    """
    beyond = url.removeprefix("https://")
    name = beyond.partition("/")[0].partition("?")[0]
    path = beyond[len(name) :]
    return name.removesuffix(":443").lower(), path if path.startswith("/") else f"/{path}"


def host_allowed(host: str, hosts: Sequence[str]) -> bool:
    """Tell whether a host is one of these: a name, or one below a domain (`*.example.com`)."""
    return any(host.endswith(each[1:]) if each.startswith("*.") else host == each for each in hosts)
