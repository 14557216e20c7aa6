"""Code and glossary are held together: its names exist where it says, and the words it retires are gone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from tests.architecture.source import PACKAGE, ROOT, Source, sources

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
PROSE = "names and prose"


class Row(NamedTuple):
    first: str
    second: str
    third: str

    @property
    def names(self) -> list[str]:
        """What the first column, or the meaning's first words in parentheses, writes as code."""
        return re.findall(r"`([A-Za-z_]+)(?:\(\))?`", self.first)

    @property
    def words(self) -> list[str]:
        """The first column's words, code or not."""
        return [word.strip() for word in self.first.split(",")]


def rows(*, retired: bool) -> list[Row]:
    used, _, unused = GLOSSARY.partition("## Words that are not used")
    lines = [line for line in (unused if retired else used).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [Row(*row) for row in cells if row[0] not in {"word", "not"}]


def parts(name: str) -> list[str]:
    """`LeaseDesk`, `lease_desk` and `_LeaseDesk` are the words lease and desk."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


@cache
def defined(source: Source) -> frozenset[str]:
    """Every name that a file gives to something: its own, its classes', functions', arguments' and variables'."""
    found = {source.path.stem}
    for node in ast.walk(source.tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.alias(asname=str(name)):
                found.add(name)
    return frozenset(found)


def prose(source: Source) -> Iterator[str]:
    """Its docstrings."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def uses(source: Source, word: str, *, prose_too: bool) -> list[str]:
    """Names, and phrases of the docstrings, in which a file uses a word.

    A word in backticks is retired as a whole name; any other also as a part of names, and in prose where asked for.
    """
    if word.startswith("`"):
        return [name for name in defined(source) if name.lstrip("_") == word.strip("`")]
    named = [name for name in defined(source) if contains(parts(name), parts(word))]
    pattern = re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE)
    said = [match.group() for text in prose(source) for match in pattern.finditer(text)] if prose_too else []
    return [*named, *said]


def contains(words: list[str], sought: list[str]) -> bool:
    """Whether some words stand side by side among others."""
    return any(words[start : start + len(sought)] == sought for start in range(len(words)))


def test_the_glossary_has_words_to_look_up() -> None:
    assert len(rows(retired=False)) > 50
    assert len(rows(retired=True)) > 15


@pytest.mark.parametrize("row", rows(retired=False), ids=lambda row: row.first)
def test_a_word_is_defined_where_the_glossary_says(row: Row) -> None:
    folder = PACKAGE / row.third.strip("`/")
    assert folder.is_dir()
    known = {name for source in sources(folder) for name in defined(source)}
    assert set(row.names) - known == set()


@pytest.mark.parametrize("row", rows(retired=True), ids=lambda row: row.first)
def test_a_retired_word_is_not_used(row: Row) -> None:
    found = {
        source.name: used
        for source in sources(PACKAGE)
        for word in row.words
        if (used := uses(source, word, prose_too=row.third == PROSE))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("text", "word", "prose_too", "found"),
    [
        ("class Standing: ...", "`Standing`", False, ["Standing"]),
        ("class _Standing: ...", "`Standing`", False, ["_Standing"]),
        ("class LongStandingOffer: ...", "`Standing`", False, []),
        ("def _errand(): ...", "errand", True, ["_errand"]),
        ('"""Goes on an errand."""', "errand", True, ["errand"]),
        ('"""Goes on an errand."""', "errand", False, []),
        ("def run(self_ring): ...", "ring", False, ["self_ring"]),
        ("string = 1", "ring", False, []),
        ("quiet_lane = 1", "quiet lane", False, ["quiet_lane"]),
    ],
)
def test_a_use_is_recognised(text: str, word: str, found: list[str], *, prose_too: bool) -> None:
    source = Source(PACKAGE / "planted.py", "planted.py", text)
    assert uses(source, word, prose_too=prose_too) == found
