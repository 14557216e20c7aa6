"""A function is not finished before it has an event, and a test that runs it on one in a container."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source import FUNCTIONS, ROOT, TESTS, sources
from tests.harness.template import load_template, of_type

LOGICAL_IDS = sorted(of_type(load_template(), "AWS::Serverless::Function"))
EVENTS = sorted(path.stem for path in (ROOT / "events" / "lambda").iterdir())


def verb(logical_id: str) -> str:
    """What the names of a function's events begin with: `DispatchRequestFunction` has `dispatch-….json`."""
    return re.findall("[A-Z][a-z]+", logical_id)[0].lower()


def invoked() -> dict[str, set[str]]:
    """By function, the texts that stand in the tests which run it by `sam local invoke`."""
    found: dict[str, set[str]] = {}
    for source in sources(TESTS / "sam_local"):
        for test in (each for each in source.functions() if each.name.startswith("test_")):
            nodes = [node for part in (test, *test.decorator_list) for node in ast.walk(part)]
            texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
            for name in texts & set(LOGICAL_IDS):
                found.setdefault(name, set()).update(texts)
    return found


def test_every_function_of_the_template_has_its_folder() -> None:
    folders = {"".join(word.title() for word in path.name.split("_")) for path in FUNCTIONS.iterdir() if path.is_dir()}
    assert {f"{folder}Function" for folder in folders} == set(LOGICAL_IDS)


def test_every_event_belongs_to_one_function() -> None:
    verbs = [verb(name) for name in LOGICAL_IDS]
    assert len(set(verbs)) == len(LOGICAL_IDS)
    assert [name for name in EVENTS if name.partition("-")[0] not in verbs] == []


@pytest.mark.parametrize("function", LOGICAL_IDS)
def test_every_function_has_an_event_and_a_run_in_a_container(function: str) -> None:
    own = {name for name in EVENTS if name.startswith(f"{verb(function)}-")}
    assert own
    assert own & invoked().get(function, set()), "no test of tests/sam_local runs it on one of them"


def test_the_page_of_deploying_lists_every_event() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert [name for name in EVENTS if f"`{name}`" not in page] == []
