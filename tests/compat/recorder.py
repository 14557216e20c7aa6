"""Writes a table and hands over what changed, as its stream would deliver it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any, Final

from moto.dynamodb.models import dynamodb_backends

from tests.harness.local_aws import JOBS, REGION, TELEMETRY, LocalAws

KEYS: Final = {JOBS: ("request_id",), TELEMETRY: ("pk", "sk")}
Item = dict[str, Any]


class Recorder:
    """A table, and the changes made to it by `does`, oldest first."""

    def __init__(self, aws: LocalAws, table: str) -> None:
        self.client = aws.dynamodb
        self.changes: list[Item] = []
        self._table = table
        self._known: dict[str, Item] = {}

    def does(self, act: Callable[[], object]) -> None:
        """Let it write, and note every item that it changed."""
        act()
        before = self._known
        self._known = {self._key(item): as_json(item) for item in self._items()}
        for key in sorted(self._known):
            if self._known[key] != before.get(key):
                self.changes.append(self._change(before.get(key), self._known[key]))

    def _change(self, before: Item | None, after: Item) -> Item:
        images: Item = {"Keys": {name: after[name] for name in KEYS[self._table]}, "NewImage": after}
        if before is not None:
            images["OldImage"] = before
        return {
            "eventSource": "aws:dynamodb",
            "eventName": "INSERT" if before is None else "MODIFY",
            "dynamodb": {
                **images,
                "SequenceNumber": f"{len(self.changes):021d}",
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }

    def _items(self) -> Iterator[Item]:
        """As moto has them: to ask for them all after every write is most of a minute's work."""
        (account,) = dynamodb_backends.values()
        for item in account[REGION].tables[self._table].all_items():
            yield item.to_json()["Attributes"]

    def _key(self, item: Item) -> str:
        return " ".join(str(item[name]["S"]) for name in KEYS[self._table])


def as_json(value: Any) -> Any:
    """The same in what JSON has: bytes in base64, as streams deliver them; the parts of an item by name."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: as_json(value[name]) for name in sorted(value)}
        case list() | tuple():
            return [as_json(each) for each in value]
        case _:
            return value
