"""One conditional UpdateItem in the making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mediarelay.aws.items import to_attribute
from mediarelay.vocabulary.model import Record


class Update:
    """An UpdateExpression in the making. None values are left out: absent means absent."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in values.items() if value is not None}
        self.names = {f"#{name}": name for name in kept}
        self.values = {f":{name}": to_attribute(value) for name, value in kept.items()}
        self.sets = [f"#{name} = :{name}" for name in kept]
        self.adds: list[str] = []
        self.removes: list[str] = []

    def expression(self) -> str:
        """SET … ADD … REMOVE …"""
        parts = (("SET", self.sets), ("ADD", self.adds), ("REMOVE", self.removes))
        return " ".join(f"{verb} {', '.join(clauses)}" for verb, clauses in parts if clauses)


def compact(records: Sequence[Record]) -> list[dict[str, Any]] | None:
    """Records as plain Python without what is absent; None when there are none."""
    return [record.model_dump(mode="json", exclude_none=True) for record in records] or None
