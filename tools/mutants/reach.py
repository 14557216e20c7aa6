"""Which tests reach a function: a plugin of pytest that notes it, and where a change's function is.

Only tests that enter the function that a mutant is in can notice it, so that no others need be run.
"""

from __future__ import annotations

import ast
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pytest


@dataclass(frozen=True)
class Reach:
    """What a run of tests entered.

    Attributes:
        tests: Every test that ran, with its seconds.
        entered: The tests by file and first line of the function. A module in place of a test stands for all its tests:
            what its fixtures entered is not entered again for each.
    """

    tests: Mapping[str, float]
    entered: Mapping[str, Sequence[str]]

    @classmethod
    def read(cls, path: Path) -> Reach:
        """Read what `Noting` wrote."""
        return cls(**json.loads(path.read_text()))

    def of(self, file: str, source: str, line: int) -> Sequence[str]:
        """Return the tests for a change of this line, the quickest first; what is no function's is everybody's."""
        first = first_line(source, line)
        entered = set(self.tests) if first is None else set(self.entered.get(f"{file}:{first}", ()))
        modules = {each for each in entered if "::" not in each}
        chosen = [each for each in self.tests if each in entered or each.partition("::")[0] in modules]
        return sorted(chosen, key=self.tests.__getitem__)


def first_line(source: str, line: int) -> int | None:
    """Return the first line, decorators included, of the innermost function around a line; None outside of all."""
    found = None
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno <= line <= (node.end_lineno or node.lineno):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found = max(first, found or 0)
    return found


@dataclass(eq=False)  # pytest keeps its plugins in sets
class Noting:
    """The plugin: notes which tests enter functions of these files, and writes it in the end."""

    folder: Path
    files: frozenset[str]
    path: Path
    _tests: dict[str, float] = field(default_factory=dict)
    _entered: dict[str, set[str]] = field(default_factory=dict)
    _now: str = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note for the test."""
        self._now, begun = item.nodeid, time.perf_counter()
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            self._tests[item.nodeid] = time.perf_counter() - begun

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Iterator[None]:
        """Note for all that share the fixture."""
        test = self._now
        if fixturedef.scope != "function":
            self._now = request.node.nodeid.partition("::")[0] or test.partition("::")[0]
        try:
            return (yield)
        finally:
            self._now = test

    def pytest_sessionfinish(self) -> None:
        """Write it."""
        entered = {place: sorted(tests) for place, tests in self._entered.items()}
        self.path.write_text(json.dumps({"tests": self._tests, "entered": entered}))

    def _trace(self, frame: FrameType, _event: str, _argument: object) -> None:
        code = frame.f_code
        if code.co_filename in self.files:
            place = f"{Path(code.co_filename).relative_to(self.folder).as_posix()}:{code.co_firstlineno}"
            self._entered.setdefault(place, set()).add(self._now)
