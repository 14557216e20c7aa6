"""What a function does before its first request stays small."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import PACKAGE, Source, planted, sources


def dear_dataclasses(source: Source) -> Iterator[str]:
    """The classes that `frozen` would do for, at a third of the cost."""
    for node in ast.walk(source.tree):
        for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in {
                "dataclass",
                "dataclasses.dataclass",
            }:
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in decorator.keywords}
                if given == {"frozen": "True", "slots": "True"}:
                    yield f"{source.name}: {node.name}"


def test_what_never_changes_is_defined_cheaply() -> None:
    dear = [name for source in sources(PACKAGE) for name in dear_dataclasses(source)]
    assert dear == [], "use @frozen of mediarelay.vocabulary.frozen (decision 0072)"


def test_a_planted_dataclass_is_found() -> None:
    text = "@dataclass(frozen=True, slots=True{})\nclass A:\n    a: int\n"
    offence = planted("limits/planted.py", text.format(""))
    assert list(dear_dataclasses(offence)) == [f"{offence.name}: A"]
    assert list(dear_dataclasses(planted("limits/planted.py", text.format(", eq=False")))) == []
