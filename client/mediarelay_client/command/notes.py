"""A batch on paper: its lines, the ids that follow from them, and what is noted of each. Only notes touch a file."""

from __future__ import annotations

import csv
import json
import os
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from mediarelay_client.errors import InvalidRequest, NotFound
from mediarelay_client.request.ids import content_id

SYNC_EACH: Final = 100


@dataclass(frozen=True)
class Line:
    """One request of a batch."""

    number: int
    request_id: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """What its file is called."""
        own = str(self.body.get("request_id", ""))
        return own if not own.startswith("b-") else f"{self.number:05d}"


def lines_of(path: Path, tenant: str | None, salt: str) -> list[Line]:
    """Return the lines of a file of JSON lines or of CSV, each with an id that follows from what it asks.

    Raises:
        NotFound: There is no such file.
        InvalidRequest: It can't be read.
    """
    if not path.is_file():
        raise NotFound("no_file", f"there is no file {path}")
    found, seen = [], Counter[str]()
    with path.open(encoding="utf-8-sig", newline="") as file:
        bodies = _of_csv(csv.DictReader(file)) if path.suffix == ".csv" else _of_json(file)
        for number, body in enumerate(bodies, 1):
            if tenant is not None and body.get("tenant") is None:
                body["tenant"] = tenant
            if body.get("request_id") is None:
                plain = json.dumps(body, sort_keys=True)
                body["request_id"] = content_id(body.get("tenant"), body, seen[plain], salt)
                seen[plain] += 1
            found.append(Line(number, str(body["request_id"]), body))
    _each_once(path, found)
    return found


def _each_once(path: Path, lines: list[Line]) -> None:
    numbers: dict[str, int] = {}
    for line in lines:
        if line.request_id in numbers:
            said = f"{path}: lines {numbers[line.request_id]} and {line.number} have one request_id"
            raise InvalidRequest("invalid_request", said, hint="give each its own, or none")
        numbers[line.request_id] = line.number


def _of_json(file: Any) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            body = json.loads(text)
        except ValueError as error:
            raise InvalidRequest("not_json", f"line {number} is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise InvalidRequest("not_json", f"line {number} must be a JSON object")
        yield body


def _of_csv(rows: Iterator[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield requests of rows; a column is a field of the request or of its input."""
    inputs, requests = _types("Input"), _types("Request")
    types = inputs | requests
    for row in rows:
        cells = {name: _cell(value, types.get(name, ())) for name, value in row.items() if name and value}
        input_ = {name: value for name, value in cells.items() if name in inputs}
        kind = {"kind": "tts"} if "text" in input_ else {}
        yield {**kind, **{name: value for name, value in cells.items() if name not in inputs}, "input": input_}


def _types(ending: str) -> dict[str, Collection[str]]:
    """Return which types of JSON the queue takes for each field of inputs, or of requests."""
    from mediarelay_client.request.model import MEDIA_REQUEST  # noqa: PLC0415 # not for help

    models = MEDIA_REQUEST.json_schema()["$defs"]
    fields = (model["properties"] for title, model in models.items() if title.endswith(ending))
    return {
        name: {one.get("type") for one in (of, *of.get("anyOf", ()))} for each in fields for name, of in each.items()
    }


def _cell(value: str, types: Collection[str]) -> Any:
    if "array" in types:
        return [one.strip() for one in value.split(",")]
    if {"number", "integer", "object"}.intersection(types):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


@dataclass
class Notes:
    """What is known of a run: `FILE.run`, of which only the end is ever written. It remembers; the ids decide."""

    path: Path
    salt: str = ""
    settled: dict[str, dict[str, Any]] = field(default_factory=dict)
    _file: Any = None
    _unsynced: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what there is; a last line that was cut off is left out."""
        notes = cls(path)
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    notes._take(json.loads(line))
                except (ValueError, AttributeError, KeyError):
                    continue
        return notes

    def _take(self, note: dict[str, Any]) -> None:
        if "salt" in note:
            self.salt, self.settled = str(note["salt"]), {}
        elif "settled" in note:
            self.settled[note["settled"]] = note

    def add(self, note: dict[str, Any]) -> None:
        """Write a note, and know it."""
        with self._lock:
            self._add(note)

    def _add(self, note: dict[str, Any]) -> None:
        if self._file is None:
            cut = self.path.is_file() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size
            self._file = self.path.open("a", encoding="utf-8")
            if cut:
                self._file.write("\n")
        self._take(note)
        self._file.write(json.dumps(note, ensure_ascii=False) + "\n")
        self._unsynced += 1
        if self._unsynced >= SYNC_EACH:
            self.sync()

    def sync(self) -> None:
        """Have them on the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._unsynced = 0

    def close(self) -> None:
        """Have them on the disk, and end."""
        self.sync()
        if self._file is not None:
            self._file.close()
            self._file = None
