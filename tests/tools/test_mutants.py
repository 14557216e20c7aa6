"""The changes of the mutation run are those that a reader expects, and each leaves a program."""

from __future__ import annotations

import ast
import json

import pytest

from tools.local.project import ROOT
from tools.mutants.operators import mutants

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
