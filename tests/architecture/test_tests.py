"""What tests may lean on: doubles, builders and harness; never one another, and no number of what they test."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest

from tests.architecture.source import ROOT, TESTS, TOOLS, Source, sources

SHARED = ("doubles", "builders", "harness")
# What each of them may import: a fake knows nothing of how it is run.
BELOW = {"doubles": ("doubles",), "builders": ("doubles", "builders"), "harness": SHARED}
OURS = ("mediarelay", "functions", "tools")


def suite(source: Source) -> str:
    """The folder of tests/ that it lies in."""
    return source.path.relative_to(TESTS).parts[0]


def is_module(name: str) -> bool:
    """Whether a dotted name is a file or a folder, not something in one."""
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def of_tests(source: Source) -> Iterator[str]:
    """The modules of tests/ that it imports, by dotted name."""
    for name in source.imports():
        if name.startswith("tests."):
            yield name if is_module(name) else name.rpartition(".")[0]


def numbers(source: Source) -> dict[str, float]:
    """The numbers that it imports from what it tests, by the name it gives them."""
    found: dict[str, float] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in OURS:
            for alias in node.names:
                if alias.name.isupper():
                    value = getattr(importlib.import_module(str(node.module)), alias.name, None)
                    if type(value) in {int, float}:
                        found[alias.asname or alias.name] = float(value)
    return found


def asserted(source: Source) -> Iterator[str]:
    """The names that stand in a comparison of an assertion."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assert):
            comparisons = [part for part in ast.walk(node.test) if isinstance(part, ast.Compare)]
            yield from (name.id for part in comparisons for name in ast.walk(part) if isinstance(name, ast.Name))


def offences(source: Source) -> Iterator[str]:
    """What it imports of tests/ and must not."""
    allowed = BELOW.get(suite(source), (*SHARED, suite(source)))
    for name in of_tests(source):
        stem = name.rpartition(".")[2]
        if stem.startswith("test_") or stem == "conftest" or name.split(".")[1] not in allowed:
            yield name


def test_no_test_imports_a_test() -> None:
    assert {source.name: found for source in sources(TESTS) if (found := list(offences(source)))} == {}


def test_tools_import_no_test() -> None:
    found = {source.name: {name.split(".")[1] for name in of_tests(source)} - set(SHARED) for source in sources(TOOLS)}
    assert {name: others for name, others in found.items() if others} == {}


def test_no_number_of_the_module_under_test_is_asserted_against_itself() -> None:
    found = {source.name: set(asserted(source)) & set(numbers(source)) for source in sources(TESTS)}
    assert {name: constants for name, constants in found.items() if constants} == {}


def planted(name: str, text: str) -> Source:
    """A file that lies in no folder."""
    return Source(TESTS / name, f"tests/{name}", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("unit/test_x.py", "from tests.architecture.test_tests import SHARED"),
        ("architecture/test_x.py", "from tests.architecture import test_tests"),
        ("architecture/test_x.py", "import tests.conftest"),
        ("unit/test_x.py", "from tests.architecture.source import sources"),
        ("doubles/x.py", "from tests.harness import local_aws"),
    ],
)
def test_an_import_that_is_not_allowed_is_found(name: str, text: str) -> None:
    assert list(offences(planted(name, text)))


def test_a_number_that_is_asserted_against_itself_is_found() -> None:
    text = "from mediarelay.health.local import STRIKES_TO_TRIP as MANY\n\nassert calls() == [MANY + 1]"
    source = planted("unit/test_x.py", text)
    assert set(asserted(source)) & set(numbers(source)) == {"MANY"}
