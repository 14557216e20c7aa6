"""Queries whose answer may take several pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def query_all(client: Any, **query: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every item of a query, in wire form."""
    page: dict[str, Any] = {}
    while True:
        answer = client.query(**query, **page)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
