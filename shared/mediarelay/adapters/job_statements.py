"""The two PartiQL statements of a batch of jobs. Each is a conditional write of its own.

An INSERT of an item that exists is refused (`DuplicateItem`), and so is an UPDATE whose WHERE does not hold
(`ConditionalCheckFailed`); a missing item is not created.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# DynamoDB's own maximum of a BatchExecuteStatement.
STATEMENTS_LIMIT: Final = 25


def insert(table: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Put an item, in wire form, where none is."""
    fields = ", ".join(f"'{name}': ?" for name in item)
    return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": list(item.values())}


def update(table: str, sets: Mapping[str, Any], removes: tuple[str, ...], where: Mapping[str, Any]) -> dict[str, Any]:
    """Change the item with these attributes, its key among them, or tell how it stands. Values in wire form."""
    clauses = [*(f'SET "{name}"=?' for name in sets), *(f'REMOVE "{name}"' for name in removes)]
    conditions = " AND ".join(f'"{name}"=?' for name in where)
    return {
        "Statement": f'UPDATE "{table}" {" ".join(clauses)} WHERE {conditions}',
        "Parameters": [*sets.values(), *where.values()],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
