"""Every public class name stands once in the package, and what a pure module offers is used by what ships."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.source import FUNCTIONS, PACKAGE, PURE, Function, Source, planted, sources

OF_THE_PACKAGE = sources(PACKAGE)
SHIPPED = (*OF_THE_PACKAGE, *sources(FUNCTIONS))
# The first users named these; they stay, called or not.
NAMED_BY_THE_FIRST_USERS = {"get_api_key", "rotate_key", "mark_key_exhausted", "get_fastest_provider"}


def public_classes(source: Source) -> Iterator[str]:
    """The classes that others may import."""
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def named_twice(of: Iterable[Source]) -> dict[str, list[str]]:
    """The public classes of one name, each with the modules that have one."""
    found: dict[str, list[str]] = {}
    for source in of:
        for name in public_classes(source):
            found.setdefault(name, []).append(source.module)
    return {name: modules for name, modules in found.items() if len(modules) > 1}


def public_functions(tree: ast.Module | ast.ClassDef) -> Iterator[Function]:
    """Functions that others may call, and the methods of public classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield from public_functions(node) if isinstance(node, ast.ClassDef) else [node]


def uses(node: ast.AST) -> Counter[str]:
    """How often each name is read, looked up on something or imported: called, handed over or passed on."""
    found: Counter[str] = Counter()
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) | ast.alias(name=name):
                found[name] += 1
    return found


def idle(offered: Iterable[Source], callers: Iterable[Source]) -> set[str]:
    """The public functions of these files that nothing uses but themselves."""
    used = sum((uses(source.tree) for source in callers), Counter[str]())
    return {
        f"{source.module}: {function.name}"
        for source in offered
        for function in public_functions(source.tree)
        if used[function.name] <= uses(function)[function.name] and function.name not in NAMED_BY_THE_FIRST_USERS
    }


def test_every_public_class_has_a_name_of_its_own() -> None:
    assert named_twice(OF_THE_PACKAGE) == {}


def test_a_name_that_two_classes_have_is_found() -> None:
    two = [planted(f"{module}.py", "class Standing: ...\nclass _Part: ...\n") for module in ("keys/a", "health/b")]
    assert named_twice(two) == {"Standing": ["keys/a", "health/b"]}


def test_what_a_pure_module_offers_has_a_caller_that_ships() -> None:
    assert idle([source for source in OF_THE_PACKAGE if source.module in PURE], SHIPPED) == set()


def test_the_first_users_names_are_there() -> None:
    offered = {function.name for source in OF_THE_PACKAGE for function in public_functions(source.tree)}
    assert offered >= NAMED_BY_THE_FIRST_USERS


@pytest.mark.parametrize(
    ("callers", "found"),
    [
        ("", {"limits/x: f", "limits/x: m"}),
        ("from mediarelay.limits.x import f\nwrite(C().m)", set()),  # handed over counts
        ("x = table[f].m", set()),
        ("def f(): f = m = 1", {"limits/x: f", "limits/x: m"}),  # names of others' own
    ],
)
def test_an_idle_function_is_found(callers: str, found: set[str]) -> None:
    offence = planted("limits/x.py", "def f(): return f()\ndef _g(): ...\nclass C:\n    def m(self): return self.m()\n")
    assert idle([offence], [offence, planted("serving/y.py", callers)]) == found
