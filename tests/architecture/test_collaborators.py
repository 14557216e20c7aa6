"""A class that needs many others is either several ideas or made of parts that are too fine."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import PACKAGE, Source, planted, sources

MOST = 7


def constructors(source: Source) -> Iterator[tuple[str, int]]:
    """Each constructor that is written out, and how many arguments it takes."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                    arguments = each.args
                    yield node.name, len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]) - 1


def test_no_constructor_takes_more_collaborators_than_a_reader_can_hold() -> None:
    counted = [(source.name, *found) for source in sources(PACKAGE) for found in constructors(source)]
    assert len(counted) > 50
    assert [each for each in counted if each[2] > MOST] == []


def test_a_constructor_with_too_many_is_found() -> None:
    names = ", ".join(f"part{number}" for number in range(MOST + 1))
    offence = planted("serving/serve.py", f"class C:\n    def __init__(self, {names}):\n        pass\n")
    assert list(constructors(offence)) == [("C", MOST + 1)]
