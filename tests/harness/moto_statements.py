"""PartiQL writes for moto, which knows no conditions in them: an INSERT overwrites, a refused UPDATE says nothing.

Only for tables with a partition key alone, and for statements as `job_records.dynamodb` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models import DynamoDBBackend

_INSERT = re.compile(r'INSERT INTO "(?P<table>[^"]+)" VALUE \{(?P<fields>[^}]*)\}')
_UPDATE = re.compile(r'UPDATE "(?P<table>[^"]+)" (?P<clauses>.*) WHERE (?P<conditions>.*)')


@contextmanager
def conditional_statements() -> Iterator[None]:
    """As AWS runs a BatchExecuteStatement of writes, with the codes of its BatchStatementError."""
    with patch.object(DynamoDBBackend, "batch_execute_statement", _batch):
        yield


def _batch(backend: DynamoDBBackend, statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_run(backend, **statement) for statement in statements]


def _run(
    backend: DynamoDBBackend,
    Statement: str,  # noqa: N803 # as AWS calls them
    Parameters: Sequence[Any],  # noqa: N803
    ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: N803
) -> dict[str, Any]:
    if found := _INSERT.fullmatch(Statement):
        return _insert(backend, found, Parameters)
    found = _UPDATE.fullmatch(Statement)
    assert found, Statement
    return _update(backend, found, Parameters, told=ReturnValuesOnConditionCheckFailure == "ALL_OLD")


def _insert(backend: DynamoDBBackend, found: re.Match[str], parameters: Sequence[Any]) -> dict[str, Any]:
    item = dict(zip(re.findall(r"'([^']+)': \?", found["fields"]), parameters, strict=True))
    if _standing(backend, found["table"], item):
        return _refused(found["table"], "DuplicateItem")
    backend.put_item(found["table"], item)
    return {"TableName": found["table"]}


def _update(backend: DynamoDBBackend, found: re.Match[str], parameters: Sequence[Any], *, told: bool) -> dict[str, Any]:
    sets = re.findall(r'SET "([^"]+)"=\?', found["clauses"])
    removes = re.findall(r'REMOVE "([^"]+)"', found["clauses"])
    names = re.findall(r'"([^"]+)"=\?', found["conditions"])
    where = dict(zip(names, parameters[len(sets) :], strict=True))
    item = _standing(backend, found["table"], where)
    if not where.items() <= item.items():
        return _refused(found["table"], "ConditionalCheckFailed", {"Item": item} if told and item else {})
    changed = item | dict(zip(sets, parameters, strict=False))
    backend.put_item(found["table"], {name: value for name, value in changed.items() if name not in removes})
    return {"TableName": found["table"]}


def _standing(backend: DynamoDBBackend, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    key = backend.get_table(table).hash_key_attr
    item = backend.get_item(table, {key: values[key]})
    return dict(item.to_json()["Attributes"]) if item else {}


def _refused(table: str, code: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"TableName": table, "Error": {"Code": code, "Message": "refused", **(more or {})}}
