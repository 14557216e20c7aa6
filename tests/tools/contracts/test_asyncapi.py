"""docs/asyncapi.yaml by AsyncAPI's own JSON Schema of 3.0.0: `@asyncapi/specs` 6.11.1, Apache-2.0, packed as it is."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from mediarelay.announce.sns import ATTRIBUTES
from tools import asyncapi

SCHEMA = json.loads(gzip.decompress((Path(__file__).parent / "asyncapi-3.0.0.json.gz").read_bytes()))
DOCUMENT: dict[str, Any] = yaml.safe_load(asyncapi.PAGE.read_text(encoding="utf-8"))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def faults(document: dict[str, Any]) -> list[str]:
    return [error.json_path for error in Draft7Validator(SCHEMA).iter_errors(document)]


def test_the_document_is_what_the_contracts_say_and_asyncapi_takes_it() -> None:
    assert asyncapi.faults() == []
    assert faults(DOCUMENT) == []


def test_its_judge_finds_faults() -> None:
    wrong = json.loads(json.dumps(DOCUMENT))
    wrong["operations"]["sendResults"]["action"] = "publish"
    del wrong["channels"]["alerts"]["messages"]["Alert"]["$ref"]
    assert faults(wrong) != []


def test_each_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert {each for each in found if not each.startswith("#")} == {
        f"schemas/{name}.schema.json" for name in ("media-request", "result-event", "alert")
    }
    for each in found:
        where, _, path = each.partition("#")
        if where:
            assert (asyncapi.PAGE.parent / where).exists()
        node = DOCUMENT
        for name in filter(None, path.split("/")):
            node = node[name]
        assert node


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_what_subscribers_filter_by_is_told(name: str) -> None:
    assert name in DOCUMENT["components"]["messages"]["ResultEvent"]["headers"]["properties"]
