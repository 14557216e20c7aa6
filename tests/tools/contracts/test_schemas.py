from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tools import schemas

DOCUMENTS = schemas.documents()
each_document = pytest.mark.parametrize("name", DOCUMENTS)


def test_the_written_schemas_are_those_of_the_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    assert (schemas.main(["check"]), capsys.readouterr().err) == (0, "")


@each_document
def test_a_schema_is_valid_draft_2020_12_with_a_title_and_a_relative_id(name: str) -> None:
    schema = json.loads(DOCUMENTS[name])
    Draft202012Validator.check_schema(schema)
    assert list(schema)[:4] == ["$schema", "$id", "title", "description"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == name
    assert schema["title"]
    assert DOCUMENTS[name].endswith("}\n")


@each_document
def test_every_field_is_described(name: str) -> None:
    fields = dict(_fields(json.loads(DOCUMENTS[name])))
    assert len(fields) > 5
    assert [path for path, field in fields.items() if not field.get("description")] == []


def test_schemas_are_the_same_each_time() -> None:
    assert schemas.documents() == DOCUMENTS


def test_write_makes_the_folder_hold_exactly_the_schemas(tmp_path: Path) -> None:
    (tmp_path / "old.schema.json").write_text("{}")
    (tmp_path / "README.md").write_text("kept")
    schemas.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*DOCUMENTS, "README.md"}
    assert schemas.stale(tmp_path) == []


def test_check_says_which_file_is_stale_and_how_to_mend_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schemas.write(tmp_path)
    (tmp_path / "job-record.schema.json").write_text("{}")
    (tmp_path / "result-event.schema.json").unlink()
    (tmp_path / "old.schema.json").write_text("{}")
    assert schemas.main(["check"], tmp_path) == 1
    assert capsys.readouterr().err.splitlines() == [
        "docs/schemas: result-event.schema.json is missing",
        "docs/schemas: job-record.schema.json differs from the contracts",
        "docs/schemas: old.schema.json belongs to no contract",
        "to mend it, run `python -m tools.schemas write` (or `make fmt`) and commit docs/schemas",
    ]


@pytest.mark.parametrize("arguments", [[], ["both"], ["write", "now"]])
def test_wrong_usage_is_told_apart(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.main(arguments) == 2
    assert "usage: python -m tools.schemas write|check" in capsys.readouterr().err


def _fields(schema: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            yield f"{path}/{name}", field
        for name, part in schema.items():
            yield from _fields(part, f"{path}/{name}")
