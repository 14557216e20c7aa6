"""What is installed is what was locked: each requirement has its version and hashes, and each installer checks them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.harness.template import ROOT, load_template, of_type

LOCKS = [*sorted((ROOT / "requirements").glob("*.txt")), *sorted((ROOT / "shared").glob("*requirements.txt"))]
# The local AWS and the client are distributions of their own.
REQUIREMENTS = {
    "ministack": ROOT / "tools" / "localaws" / "pyproject.toml",
    "client": ROOT / "client" / "pyproject.toml",
}
INSTALLERS = (ROOT / "Makefile", ROOT / "shared" / "Makefile")
PINNED = re.compile(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==[^ ;]+( ; .+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_one_version_with_hashes(lock: Path) -> None:
    entries = lock.read_text(encoding="utf-8").replace(" \\\n", "\n").split("\n")
    names = [number for number, line in enumerate(entries) if line and not line.startswith((" ", "#"))]
    assert names
    for number in names:
        assert PINNED.fullmatch(entries[number]), entries[number]
        assert HASH.fullmatch(entries[number + 1].strip()), entries[number]


@pytest.mark.parametrize("lock", LOCKS[:-2], ids=lambda path: path.name)
def test_every_lock_is_made_from_requirements_of_the_repository(lock: Path) -> None:
    assert REQUIREMENTS.get(lock.stem, lock.with_suffix(".in")).is_file()


@pytest.mark.parametrize("makefile", INSTALLERS, ids=lambda path: path.parent.name)
def test_every_installation_verifies_hashes(makefile: Path) -> None:
    text = makefile.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = [line for line in text.splitlines() if re.search(r"pip (install|sync)", line) and "#" not in line[:1]]
    assert commands
    fetching = [line for line in commands if not {"--offline", "--no-deps"} <= set(line.split())]
    assert [line for line in fetching if "--require-hashes" not in line] == []


def test_what_comes_by_npm_is_checked_before_it_is_unpacked_and_runs_nothing() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = [
        line for line in text.splitlines() if re.search(r"\bnpm (pack|install|ci)\b", line) and "echo" not in line
    ]
    locks = sorted((ROOT / "requirements").glob("*.sha512"))
    assert len(commands) == len(locks) > 0
    for command in commands:
        assert re.search(r"npm pack .*--ignore-scripts .*sha512sum --quiet --check .*&& tar ", command)
    for lock in locks:
        assert re.fullmatch(r"[0-9a-f]{128}  [a-z-]+-[0-9.]+\.tgz\n", lock.read_text(encoding="utf-8"))


def test_the_layer_takes_no_code_that_would_run_while_it_is_built() -> None:
    assert "--only-binary :all:" in (ROOT / "shared" / "Makefile").read_text(encoding="utf-8")


def test_ruffs_security_rules_are_on_for_what_ships() -> None:
    lint: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert {"ALL", "S"} & set(lint["select"])
    assert [rule for rule in lint["ignore"] if re.fullmatch(r"S\d*", rule)] == []
    exempt = {
        pattern for pattern, rules in lint["per-file-ignores"].items() if any(re.fullmatch(r"S\d+", r) for r in rules)
    }
    assert exempt == {"{tests,tools/localaws/tests}/**", "tests/**"}


def test_every_log_group_forgets() -> None:
    groups = of_type(load_template(), "AWS::Logs::LogGroup")
    assert groups
    assert [name for name, group in groups.items() if group.get("RetentionInDays") != {"Ref": "LogRetentionDays"}] == []
