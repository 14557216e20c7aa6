"""The changes: what they are, and where a source has them. Pure."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

COMPARISONS: Final[Mapping[type[ast.cmpop], tuple[str, str]]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
SUMS: Final[Mapping[type[ast.operator], tuple[str, str]]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
}
EXTREMES: Final = {"min": "max", "max": "min"}
# Of the language of DynamoDB's conditions, as they stand in string literals.
CONDITIONS: Final = (
    (r"attribute_not_exists", "attribute_exists"),
    (r"attribute_exists", "attribute_not_exists"),
    (r" AND ", " OR "),
    (r" OR ", " AND "),
    (r" <= ", " < "),
    (r" < ", " <= "),
    (r" >= ", " > "),
    (r" > ", " >= "),
)
# An attribute that is named to an `Update`, or in a mapping of values.
_NAMED: Final = re.compile(r"\.(?:name|let|add|drop)\([\"'](\w+)[\"']|^\s*\"(\w+)\": ", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """Characters of a source, and what stands there instead."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Mutant:
    """One change of a source.

    Attributes:
        line: Where it is, from 1.
        change: What it is, for a reader; with `code` and `nth` it names the mutant when lines have moved.
        code: The line as it was.
        nth: Which of the same change to the same code in the file, from 0.
    """

    line: int
    change: str
    code: str
    edits: tuple[Edit, ...]
    nth: int = 0

    def applied(self, source: str) -> str:
        """Return the source with the change."""
        for edit in sorted(self.edits, key=lambda edit: edit.start, reverse=True):
            source = source[: edit.start] + edit.text + source[edit.end :]
        return source


class Source:
    """A file's text, its tree, and where the tree's nodes stand in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.lines = text.splitlines()
        self._offsets = [0]
        for line in text.splitlines(keepends=True):
            self._offsets.append(self._offsets[-1] + len(line))

    def at(self, line: int, utf8_column: int) -> int:
        """Return the place in the text of a node's line and column."""
        return self._offsets[line - 1] + len(self.lines[line - 1].encode()[:utf8_column].decode())

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Return where a node begins and ends."""
        assert node.end_lineno is not None  # noqa: S101 # the parser always sets both
        assert node.end_col_offset is not None  # noqa: S101
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def line_of(self, offset: int) -> int:
        """Return the line, from 1, of a place in the text."""
        return self.text.count("\n", 0, offset) + 1

    def mutant(self, change: str, *edits: Edit) -> Mutant:
        """Return the change, with where it is."""
        line = self.line_of(edits[0].start)
        return Mutant(line, change, self.lines[line - 1].strip(), edits)


def mutants(text: str, *, conditions_only: bool = False) -> list[Mutant]:
    """Return every change of a source, in order.

    Args:
        text: The source.
        conditions_only: Only what decides a write: a condition dropped or bent, names of attributes swapped, `<` and
            its like moved by one.
    """
    source = Source(text)
    kinds: tuple[Callable[[Source], Iterator[Mutant]], ...] = (_strings, _swapped, _dropped, _boundaries)
    found = [mutant for kind in kinds for mutant in kind(source)]
    if not conditions_only:
        found += _logic(source)
    found = list({mutant.applied(text): mutant for mutant in found}.values())
    seen: dict[tuple[str, str], int] = {}
    numbered = []
    for mutant in sorted(found, key=lambda mutant: mutant.edits[0].start):
        name = (mutant.code, mutant.change)
        numbered.append(Mutant(mutant.line, mutant.change, mutant.code, mutant.edits, seen.get(name, 0)))
        seen[name] = seen.get(name, 0) + 1
    return numbered


def _strings(source: Source) -> Iterator[Mutant]:
    """Conditions in string literals, each bent at one place."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type != tokenize.STRING or '"""' in token.string:
            continue
        start = source.at(token.start[0], len(token.line[: token.start[1]].encode()))
        for pattern, instead in CONDITIONS:
            for match in re.finditer(pattern, token.string):
                edit = Edit(start + match.start(), start + match.end(), instead)
                yield source.mutant(f"{match[0].strip()} → {instead.strip()}", edit)


def _swapped(source: Source) -> Iterator[Mutant]:
    """Attributes named one after the other in a function, with their names swapped."""
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        start, end = source.span(function)
        body = source.text[start:end]
        if "Update(" not in body and "update" not in body:
            continue
        named = [match.span(1) if match[1] else match.span(2) for match in _NAMED.finditer(body)]
        for one, other in pairwise(named):
            names = body[slice(*one)], body[slice(*other)]
            if names[0] != names[1]:
                edits = (
                    Edit(start + one[0], start + one[1], names[1]),
                    Edit(start + other[0], start + other[1], names[0]),
                )
                yield source.mutant(f"{names[0]} ↔ {names[1]}", *edits)


def _dropped(source: Source) -> Iterator[Mutant]:
    """Conditions that are not made."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.keyword) and node.arg == "ConditionExpression":
            start, end = source.span(node)
            comma = re.match(r"\s*,?", source.text[end:])
            yield source.mutant("no condition", Edit(start, end + (comma.end() if comma else 0), ""))
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and "require" in ast.unparse(node.value.func)
        ):
            yield source.mutant("no condition", Edit(*source.span(node), "pass"))


def _boundaries(source: Source) -> Iterator[Mutant]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare):
            yield from _compared(source, node, (ast.Lt, ast.LtE, ast.Gt, ast.GtE))


def _compared(source: Source, node: ast.Compare, kinds: tuple[type[ast.cmpop], ...]) -> Iterator[Mutant]:
    operands = (node.left, *node.comparators)
    for operator, (left, right) in zip(node.ops, pairwise(operands), strict=True):
        if type(operator) in kinds:
            yield from _between(source, left, right, COMPARISONS[type(operator)])


def _between(source: Source, left: ast.expr, right: ast.expr, change: tuple[str, str]) -> Iterator[Mutant]:
    """The operator that stands between two operands."""
    old, new = change
    start, end = source.span(left)[1], source.span(right)[0]
    place = source.text.find(old, start, end)
    if place >= 0:
        yield source.mutant(f"{old} → {new}", Edit(place, place + len(old), new))


def _logic(source: Source) -> Iterator[Mutant]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Compare():
                yield from _compared(source, node, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn))
            case ast.BoolOp(op=operator, values=values):
                change = ("and", "or") if isinstance(operator, ast.And) else ("or", "and")
                for left, right in pairwise(values):
                    yield from _between(source, left, right, change)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in SUMS:
                yield from _between(source, left, right, SUMS[type(operator)])
            case ast.UnaryOp(op=ast.Not()):
                start = source.span(node)[0]
                yield source.mutant("no not", Edit(start, start + len("not "), ""))
            case ast.Call(func=ast.Name(id=name) as function) if name in EXTREMES:
                yield source.mutant(f"{name} → {EXTREMES[name]}", Edit(*source.span(function), EXTREMES[name]))
            case ast.If(test=test) | ast.IfExp(test=test):
                start, end = source.span(test)
                yield source.mutant("the other branch", Edit(start, end, f"not ({source.text[start:end]})"))
            case ast.Expr(value=ast.Call()):
                yield source.mutant("not done", Edit(*source.span(node), "pass"))
            case _:
                pass
