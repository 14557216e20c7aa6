from __future__ import annotations

import ast
import re
import statistics
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.architecture.source import (
    CLIENT,
    FUNCTIONS,
    PACKAGE,
    TESTS,
    TOOLS,
    Function,
    Source,
    body_lines,
    planted,
    sources,
)

SHIPPED = sources(PACKAGE)
EVERYTHING = (*SHIPPED, *sources(FUNCTIONS), *sources(TOOLS), *sources(TESTS), *sources(CLIENT))
OURS = tuple(source for source in EVERYTHING if not source.is_test)

LINES = 450  # an idea is not cut to fit
MODULES = 14  # of a folder
MEDIAN_FUNCTION = 10
LONG_FUNCTION = 30  # at most one in ten is longer
NAMES_FOR_ANYTHING = {"utils", "util", "common", "helpers", "helper", "misc"}

LATER = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b")

# Broad handlers that do not end by raising again, each with its reason.
MAY_SWALLOW = {
    "shared/mediarelay/aws/stores.py": "raises it in every thread that waits for the write",
    "shared/mediarelay/long_jobs/settle.py": "logs it; a job whose execution is lost ends all the same, counted",
    "shared/mediarelay/dispatch/dispatch.py": "parks the message in the DLQ with its cause; nothing is lost",
    "shared/mediarelay/dispatch/batches.py": "logs it and reports the message as failed: it comes again",
    "shared/mediarelay/results/remade.py": "says it in the log and in the result, delivered as it was bought",
    "shared/mediarelay/callbacks/deliver.py": "logs it and reports the message as failed: it comes again",
    "tools/bench/__main__.py": "shows the fault and fails in the end; the other benches are measured all the same",
    "tools/captures/reading.py": "the fault is what came of the line, which is thereby wrong; the others are read",
    "tests/sweep/stage.py": "plays Lambda, which tries again or gives up; what is lost thereby, the sweep finds",
    "tools/simulation/loop.py": "stands in for an executor; whoever asks for the task's result meets it",
    "tools/localaws/clock.py": "logs the fault; a background task of the local stack must come round again",
}


def long(of: Iterable[Source]) -> dict[str, int]:
    """The files that are too long, each with its lines."""
    return {source.name: source.lines for source in of if source.lines > LINES}


def crowded(of: Iterable[Source]) -> dict[str, int]:
    """The folders that hold too many modules, each with how many."""
    held = Counter(source.name.rpartition("/")[0] for source in of)
    return {folder: modules for folder, modules in held.items() if modules > MODULES}


def test_every_file_is_short_enough_to_be_read() -> None:
    assert long(EVERYTHING) == {}


def test_no_folder_holds_more_modules_than_a_reader_can_hold() -> None:
    assert crowded(EVERYTHING) == {}


def test_a_long_file_and_a_crowded_folder_are_found() -> None:
    assert long([planted("limits/x.py", "\n" * (LINES + 1))]) == {"shared/mediarelay/limits/x.py": LINES + 1}
    modules = [planted(f"limits/x{number}.py", "") for number in range(MODULES + 1)]
    assert crowded(modules) == {"shared/mediarelay/limits": MODULES + 1}
    assert long([planted("limits/x.py", "\n" * LINES)]) == crowded(modules[:MODULES]) == {}


def test_no_module_is_named_for_anything_at_all() -> None:
    parts = {source.name: set(source.name.removesuffix(".py").split("/")[1:]) for source in EVERYTHING}
    assert {name: found for name, words in parts.items() if (found := words & NAMES_FOR_ANYTHING)} == {}


def test_functions_are_short() -> None:
    lengths = [body_lines(function) for source in SHIPPED for function in source.functions()]
    assert len(lengths) > 200
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
    assert statistics.quantiles(lengths, n=10)[-1] <= LONG_FUNCTION


def test_no_exception_is_swallowed_unseen() -> None:
    swallowing = {source.name for source in EVERYTHING if any(map(_swallows, ast.walk(source.tree)))}
    assert swallowing == set(MAY_SWALLOW)


def test_nothing_is_left_for_later() -> None:
    assert [source.name for source in EVERYTHING if LATER.search(source.text)] == []


def test_what_others_use_is_explained() -> None:
    described = (*SHIPPED, *sources(CLIENT))
    unexplained = [
        f"{s.name}: {node.name}" for s in described for node in _public(s.tree) if not ast.get_docstring(node)
    ]
    unexplained += [source.name for source in OURS if source.text and not ast.get_docstring(source.tree)]
    assert unexplained == []


@pytest.mark.parametrize(
    ("handler", "swallows"),
    [
        ("except Exception: pass", True),
        ("except: pass", True),
        ("except (ValueError, BaseException): pass", True),
        ("except Exception as e: raise E from e", False),
        ("except ValueError: pass", False),
    ],
)
def test_a_swallowing_handler_is_recognised(handler: str, *, swallows: bool) -> None:
    assert any(map(_swallows, ast.walk(ast.parse(f"try: x\n{handler}")))) is swallows


def test_a_functions_length_leaves_its_docstring_out() -> None:
    (function,) = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 2


def _public(tree: ast.Module | ast.ClassDef) -> list[ast.ClassDef | Function]:
    found: list[ast.ClassDef | Function] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            found.append(node)
            found.extend(_public(node) if isinstance(node, ast.ClassDef) else [])
    return found


def _swallows(node: ast.AST) -> bool:
    """A handler for anything at all that does not end by raising."""
    if not isinstance(node, ast.ExceptHandler) or isinstance(node.body[-1], ast.Raise):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    names = {kind.id for kind in caught if isinstance(kind, ast.Name)}
    return node.type is None or bool(names & {"Exception", "BaseException"})
