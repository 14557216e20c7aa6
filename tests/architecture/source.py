"""The project's own sources, parsed, as the architecture tests read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "shared" / "mediarelay"
FUNCTIONS = ROOT / "functions"
TOOLS = ROOT / "tools"
LOCALAWS = TOOLS / "localaws"
TESTS = ROOT / "tests"
CLIENT = ROOT / "client" / "mediarelay_client"

# Pure: the moment and the dice are arguments, and nothing is logged.
PURE = {
    *(f"vocabulary/{stem}" for stem in ("backoff", "errors", "kinds", "limit", "outcome", "redaction")),
    *(f"limits/{stem}" for stem in ("acquiring", "fairness", "gcra", "learned_rate", "learning", "local_view")),
    "limits/planning",
    *(f"keys/{stem}" for stem in ("ledger", "pool", "states")),
    *(f"metrics/{stem}" for stem in ("counted_runs", "counting", "latency_sketch", "tally")),
    *(f"health/{stem}" for stem in ("incident", "judgement", "local", "thresholds")),
    *(f"health/circuit/{stem}" for stem in ("half_open", "record")),
    *(
        "results/media_type",
        "reuse/rules",
        "usage/counting",
        "routing/order",
        "serving/failover",
        "providers/answers",
        "providers/offers",
    ),
    "voices/book",
    *("budgets/ports", "calendar/coverage"),
    *(f"providers/{stem}" for stem in ("api", "credentials", "error_table", "input_checks", "json_reading", "probe")),
    *("http/messages", "health/overrides", "health/records", "job_records/claims", "job_records/job_spec"),
    *("keys/parsing", "request/bounds", "request/parsing", "serving/job_errors", "vocabulary/log_safety"),
    *(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.glob("providers/*/[!_]*.py")),
    *(f"long_speech/{stem}" for stem in ("joints", "planning", "splitting")),
    *("long_jobs/polling/completion", "long_jobs/polling/schedule", "long_jobs/submit/resumption"),
    *("callbacks/schedule", "callbacks/signing"),
    *("events/chat", "events/cloudevents", "events/pagerduty"),
    "long_jobs/webhooks/fal",
} - {"providers/gemini/pacific"}  # makes a date of the moment it is given

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file. `name` is its path in the project, with slashes."""

    path: Path
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """It, parsed when it is first looked into: each worker of a run names all files, and reads a few."""
        return ast.parse(self.text, self.path)

    @property
    def lines(self) -> int:
        """How long it is."""
        return self.text.count("\n")

    @property
    def is_test(self) -> bool:
        """Whether it belongs to a suite; the local AWS has one of its own."""
        return "tests" in Path(self.name).parts

    @property
    def feature(self) -> str | None:
        """The folder below the package; None of a file right in it."""
        parts = self.path.relative_to(PACKAGE).parts
        return parts[0] if len(parts) > 1 else None

    @property
    def module(self) -> str:
        """Its path below the package, without the ending: `limits/gcra`."""
        return self.name.removeprefix("shared/mediarelay/").removesuffix(".py")

    def imports(self) -> Iterator[str]:
        """Dotted names, wherever the import stands; `from a import b` yields `a.b`."""
        yield from self._imports

    @cached_property
    def _imports(self) -> Sequence[str]:
        found: list[str] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found += (f"{node.module}.{alias.name}" for alias in node.names)
        return found

    def attributes(self) -> Iterator[str]:
        """What is looked up on anything, or imported by name: `os.environ` yields `environ`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.alias):
                yield node.name.rpartition(".")[2]

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


def planted(module: str, text: str) -> Source:
    """A file of the package that is not there, to show that a rule finds an offence in it."""
    path = PACKAGE / module
    return Source(path, path.relative_to(ROOT).as_posix(), text)


@cache
def sources(folder: Path) -> tuple[Source, ...]:
    """Every Python file below a folder."""
    return tuple(_source(path) for path in sorted(folder.rglob("*.py")))


def body_lines(function: Function) -> int:
    """How long a function is, its docstring and decorators left out."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def _source(path: Path) -> Source:
    return Source(path, path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
