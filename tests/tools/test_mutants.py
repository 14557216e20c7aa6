"""The changes of the mutation run are those that a reader expects, and each leaves a program."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.local.project import ROOT
from tools.mutants.operators import mutants
from tools.mutants.reach import Reach

PACKAGE = ROOT / "shared/mediarelay"
SURVIVORS = json.loads((ROOT / "tools/mutants/survivors.json").read_text())


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("late = now < end", "late = now <= end"),
        ("late = now >= end", "late = now > end"),
        ("same = one == other", "same = one != other"),
        ("there = name not in names", "there = name in names"),
        ("both = one and other", "both = one or other"),
        ("both = one(x) or other", "both = one(x) and other"),
        ("total = one + other", "total = one - other"),
        ("end = min(one, other)", "end = max(one, other)"),
        ("free = not held", "free = held"),
        ("it = a if b else c", "it = a if not (b) else c"),
        ("store.save(record)", "pass"),
        ("update.require(condition)", "pass"),
        ("put(ConditionExpression=new, Item=item)", "put( Item=item)"),
        ('old = "attribute_exists(pk)"', 'old = "attribute_not_exists(pk)"'),
        ('old = "lease_until < :now"', 'old = "lease_until <= :now"'),
        ('mine = f"claim_id = {mine} AND {running}"', 'mine = f"claim_id = {mine} OR {running}"'),
        ("é = now < end", "é = now <= end"),
    ],
)
def test_a_change_is_made_where_it_can_be(code: str, changed: str) -> None:
    assert changed in [mutant.applied(code) for mutant in mutants(code)]


def test_names_of_attributes_are_swapped_within_a_function() -> None:
    code = 'def note(update):\n    update.let("since", 1)\n    update.let("until", 2)\n'
    swapped = 'def note(update):\n    update.let("until", 1)\n    update.let("since", 2)\n'
    assert swapped in [mutant.applied(code) for mutant in mutants(code, conditions_only=True)]


def test_text_for_readers_is_left_alone() -> None:
    assert mutants('"""Runs while a < b AND c."""\nname = "a"\n') == []


def test_a_mutant_keeps_its_name_when_lines_move() -> None:
    code = "late = now < end\nlate = now < end\n"
    names = [(mutant.code, mutant.change, mutant.nth) for mutant in mutants(code)]
    assert names == [("late = now < end", "< → <=", 0), ("late = now < end", "< → <=", 1)]
    assert [(mutant.code, mutant.change, mutant.nth) for mutant in mutants(f"\n{code}")] == names


@pytest.mark.parametrize(
    "path", ["limits/dynamodb.py", "limits/gcra.py", "job_records/dynamodb.py", "serving/serve.py"]
)
def test_every_change_leaves_a_program_that_is_another(path: str) -> None:
    source = (PACKAGE / path).read_text()
    changed = [mutant.applied(source) for mutant in mutants(source)]
    for each in changed:
        ast.parse(each)
    assert len({source, *changed}) == len(changed) + 1


@pytest.mark.parametrize("survivor", SURVIVORS, ids=lambda survivor: f"{survivor['file']} {survivor['change']}")
def test_a_survivor_that_is_explained_is_a_change_that_can_still_be_made(survivor: dict[str, object]) -> None:
    source = (PACKAGE / str(survivor["file"])).read_text()
    names = {(mutant.code, mutant.change, mutant.nth) for mutant in mutants(source)}
    assert (survivor["code"], survivor["change"], survivor["nth"]) in names
    assert survivor["reason"]


REACHED = '''
@decorated
def outer(value):
    """Text."""
    def inner():
        return value < 1
    return inner()


LEVEL = 1 < 2
'''


@pytest.mark.parametrize(("line", "tests"), [(6, ["b"]), (7, ["a", "b"]), (10, ["c", "a", "b"])])
def test_a_change_is_shown_to_the_tests_that_enter_its_function(line: int, tests: list[str]) -> None:
    """What is no function's is everybody's; the quickest first."""
    seconds = {"b.py::b": 3.0, "a.py::a": 2.0, "c.py::c": 1.0}
    reach = Reach(seconds, {"file.py:2": ["a.py::a", "b.py"], "file.py:5": ["b.py::b"], "other.py:5": ["c.py::c"]})
    assert [each.rpartition("::")[2] for each in reach.of("file.py", REACHED, line)] == tests


CODE = """def called():
    return 1


def prepared():
    return 2
"""
TESTS = """import threading
import code_under_test
import pytest

@pytest.fixture(scope="module")
def two():
    return code_under_test.prepared()

def test_one(two):
    thread = threading.Thread(target=code_under_test.called)
    thread.start()
    thread.join()

def test_other(two):
    assert two == 2
"""
RUN = """import sys
from pathlib import Path
import pytest
from tools.mutants.reach import Noting
folder = Path.cwd()
noting = Noting(folder, frozenset({str(folder / "code_under_test.py")}), folder / "reached.json")
sys.exit(pytest.main(["-p", "no:cacheprovider"], [noting]))
"""


def test_who_enters_a_function_is_noted_and_for_whom_a_fixture_does(tmp_path: Path) -> None:
    (tmp_path / "code_under_test.py").write_text(CODE)
    (tmp_path / "test_it.py").write_text(TESTS)
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    reach = Reach.read(tmp_path / "reached.json")
    assert list(reach.of("code_under_test.py", CODE, 2)) == ["test_it.py::test_one"]
    assert sorted(reach.of("code_under_test.py", CODE, 6)) == ["test_it.py::test_one", "test_it.py::test_other"]
