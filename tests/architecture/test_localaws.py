"""The local AWS stands apart: it runs in an environment of its own, and is tested apart from everything else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.architecture.source import LOCALAWS, Source, sources

TESTS = tuple(source for source in sources(LOCALAWS) if source.is_test)
LAUNCHER = tuple(source for source in sources(LOCALAWS) if not source.is_test)
OURS = {"tools", "tests", "mediarelay", "functions"}


def _strangers(source: Source, *, third_parties: bool) -> list[str]:
    """What a file imports beside its own project, the standard library and, when they may be, third parties."""
    names = [name for name in source.imports() if not f"{name}.".startswith("tools.localaws.")]
    if third_parties:
        return [name for name in names if name.partition(".")[0] in OURS]
    return [name for name in names if name.partition(".")[0] not in sys.stdlib_module_names]


def test_the_launcher_needs_the_standard_library_alone() -> None:
    assert {source.name: found for source in LAUNCHER if (found := _strangers(source, third_parties=False))} == {}


def test_its_tests_use_nothing_of_ours_but_it() -> None:
    assert {source.name: found for source in TESTS if (found := _strangers(source, third_parties=True))} == {}


@pytest.mark.parametrize(
    ("line", "third_parties", "found"),
    [
        ("from tests.harness.worker import Worker", True, ["tests.harness.worker.Worker"]),
        ("from tools.local.plan import StackPlan", True, ["tools.local.plan.StackPlan"]),
        ("import boto3", True, []),
        ("import boto3", False, ["boto3"]),
        ("from tools.localaws.ports import LOOPBACK", False, []),
    ],
)
def test_a_stranger_is_recognised(line: str, found: list[str], *, third_parties: bool) -> None:
    source = Source(Path("x.py"), "x.py", line)
    assert _strangers(source, third_parties=third_parties) == found
