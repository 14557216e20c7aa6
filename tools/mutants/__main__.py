"""Runs the mutants: `python -m tools.mutants [--conditions] [--sample N] [FILE …]`, files below shared/mediarelay.

Each is tried in a copy of the tree by those tests of what `TESTS` names for its file that enter its function, the
quickest first, stopping at the first that fails. What no test notices and `survivors.json` gives no reason for is
printed, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tools.local.project import ROOT
from tools.mutants.operators import Mutant, mutants
from tools.mutants.reach import Noting, Reach

PACKAGE: Final = "shared/mediarelay"
LEFT_OUT: Final = (".git", ".venvs", ".local", "build", ".aws-sam", "__pycache__", ".mypy_cache", ".ruff_cache")
REASONS: Final = Path(__file__).with_name("survivors.json")
_JOBS: Final = ("tests/contract/jobs", "tests/contract/test_overtaken_writes.py")
# What is asked, by the longest beginning of a file's path. The likeliest to notice stands first.
TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "limits/": ("tests/limits", "tests/contract/test_lease_bounds.py", "tests/contract/test_lease_store.py"),
    "limits/dynamodb": ("tests/contract/test_lease_store.py", "tests/contract/test_lease_bounds.py"),
    "serving/": ("tests/serving", "tests/dispatch", "tests/money"),
    "health/": ("tests/health", "tests/contract/test_health_stores.py"),
    "health/dynamodb": ("tests/contract/test_health_stores.py", "tests/functional/test_serve_api.py"),
    "keys/": ("tests/keys", "tests/contract/test_key_states.py", "tests/contract/test_overtaken_writes.py"),
    "job_records/": (*_JOBS, "tests/job_records", "tests/compat", "tests/money"),
    "long_jobs/": (*_JOBS, "tests/long_jobs", "tests/compat", "tests/money", "tests/workflow"),
    "long_speech/": ("tests/contract/jobs", "tests/long_speech", "tests/workflow/test_long_speech.py"),
    "metrics/": ("tests/contract", "tests/metrics"),
    "alerts/": ("tests/contract/world/test_alerts.py", "tests/alerts"),
    "budgets/": ("tests/contract/test_budget_store.py", "tests/budgets"),
    "reuse/": ("tests/reuse", "tests/contract/jobs/test_reuse_store.py", "tests/money/test_bought_once.py"),
    "usage/": ("tests/contract/world", "tests/usage", "tests/functional/test_count_usage.py"),
}
# In a copy of the tree: what pytest said, and who entered what.
SAID: Final = "pytest.out"
REACHED: Final = "reached.json"
FACTOR_BEFORE_KILLED: Final = 10  # of the time that the tests take on the code as it is
LEAST_BEFORE_KILLED: Final = 120.0
# Imported once, before the processes for the single mutants are forked.
PRELOADED: Final = ("boto3", "moto", "requests", "pydantic", "aws_lambda_powertools")


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant."""

    file: str
    mutant: Mutant
    noticed: bool
    seconds: float


def main() -> int:
    """Run them. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", help="below shared/mediarelay; limits, serving, incidents, stores if none")
    parser.add_argument("--conditions", action="store_true", help="only what decides a write, and boundaries")
    parser.add_argument("--sample", type=int, help="no more than so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    work = [
        (file, mutant)
        for file in asked.files or _usual()
        for mutant in mutants((ROOT / PACKAGE / file).read_text(), conditions_only=asked.conditions)
    ]
    if asked.sample is not None and asked.sample < len(work):
        work = random.Random(asked.seed).sample(work, asked.sample)  # noqa: S311 # which are tried, no secret
    for module in PRELOADED:
        __import__(module)
    print(f"{len(work)} mutants of {len({file for file, _ in work})} files", flush=True)
    return _report(list(_run(work, asked.workers)))


def _usual() -> list[str]:
    package = ROOT / PACKAGE
    folders = [*package.glob("limits/*.py"), *package.glob("serving/*.py"), *package.rglob("dynamodb*.py")]
    return sorted({str(path.relative_to(package)) for path in (*folders, package / "health/incident.py")})


def _tests(file: str) -> tuple[str, ...]:
    beginnings = [beginning for beginning in TESTS if file.startswith(beginning)]
    return TESTS[max(beginnings, key=len)] if beginnings else ("tests/" + file.partition("/")[0],)


def _run(work: Sequence[tuple[str, Mutant]], workers: int) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            trees.put(_copy(Path(folder) / str(number)))
        reached: dict[tuple[str, ...], Reach] = {}
        tree = trees.get()
        for tests in dict.fromkeys(_tests(file) for file, _ in work):
            begun = time.monotonic()
            if not _pass(tree, tests, within=3600.0, noting={file for file, _ in work if _tests(file) == tests}):
                said = (tree / SAID).read_text()
                raise SystemExit(f"{said[-2000:]}\nthe tests fail on the code as it is: {' '.join(tests)}")
            reached[tests] = Reach.read(tree / REACHED)
            print(f"{time.monotonic() - begun:6.1f} s  {' '.join(tests)}", flush=True)
        trees.put(tree)
        moments = itertools.count(1)

        def tried(item: tuple[str, Mutant]) -> Outcome:
            file, mutant = item
            tree, begun = trees.get(), time.monotonic()
            path = tree / PACKAGE / file
            source = path.read_text()
            reach = reached[_tests(file)]
            tests = reach.of(file, source, mutant.line)
            try:
                _write(path, mutant.applied(source), next(moments))
                within = max(LEAST_BEFORE_KILLED, FACTOR_BEFORE_KILLED * sum(map(reach.tests.__getitem__, tests)))
                noticed = bool(tests) and not _pass(tree, tests, within=within)
            finally:
                _write(path, source, next(moments))
                trees.put(tree)
            return Outcome(file, mutant, noticed, time.monotonic() - begun)

        with ThreadPoolExecutor(workers) as pool:
            for outcome in pool.map(tried, work):
                mutant = outcome.mutant
                word = "noticed " if outcome.noticed else "SURVIVED"
                print(
                    f"{word} {outcome.seconds:5.1f} s  {outcome.file}:{mutant.line}  {mutant.change}  | {mutant.code}",
                    flush=True,
                )
                yield outcome


def _copy(tree: Path) -> Path:
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return tree


def _write(path: Path, text: str, moment: int) -> None:
    """Write a source at a moment of its own: bytecode of another is known by its time in whole seconds."""
    path.write_text(text)
    os.utime(path, (moment, moment))


def _pass(tree: Path, tests: Sequence[str], *, within: float, noting: Collection[str] = ()) -> bool:
    """Run tests in a process of their own. Returns whether all passed, in time.

    Args:
        tree: Where they and the code are.
        tests: Which.
        within: Seconds after which they are ended.
        noting: The files of the package of whose functions it is noted who enters them.
    """
    child = os.fork()
    if child == 0:
        _be_pytest(tree, tests, noting)
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _be_pytest(tree: Path, tests: Sequence[str], noting: Collection[str]) -> None:
    """Become the process that runs the tests. Never returns."""
    os.setsid()
    os.chdir(tree)
    os.environ["PYTHONPATH"] = f"{tree / 'shared'}{os.pathsep}{tree}"
    sys.dont_write_bytecode, sys.pycache_prefix = False, None  # into the copy
    sys.path[:] = [
        str(tree / "shared"),
        str(tree),
        *(path for path in sys.path if not path.startswith(str(ROOT)) or ".venvs" in path),
    ]
    for name in [name for name in sys.modules if name.partition(".")[0] in {"tools", "tests", "mediarelay"}]:
        del sys.modules[name]
    said = os.open(tree / SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    code = 1
    try:
        import pytest  # noqa: PLC0415 # loaded by the parent

        package = tree / PACKAGE
        plugins = [Noting(package, frozenset(str(package / file) for file in noting), tree / REACHED)] if noting else []
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests], plugins)
    except BaseException:
        traceback.print_exc()  # the process ends before anything else would
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code))


def _report(outcomes: Sequence[Outcome]) -> int:
    reasons = {
        (entry["file"], entry["code"], entry["change"], entry["nth"]) for entry in json.loads(REASONS.read_text())
    }
    counted: dict[str, Counter[bool]] = {}
    unexplained = 0
    for outcome in outcomes:
        counted.setdefault(outcome.file.partition("/")[0], Counter())[outcome.noticed] += 1
        mutant = outcome.mutant
        if not outcome.noticed and (outcome.file, mutant.code, mutant.change, mutant.nth) not in reasons:
            unexplained += 1
    for feature, number in sorted(counted.items()):
        print(f"{feature:14} {number[True]:4} of {number.total():4} noticed, {number[True] / number.total():.1%}")
    print(f"{unexplained} that nobody noticed and {REASONS.name} gives no reason for")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
