"""What the documents name exists: files, commands of make, and a local endpoint wherever the AWS CLI is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# What is there after something ran, and addresses of the API.
MADE = ("build/", ".local/", ".venvs/", "api/v1/")
# What follows a command's name is an argument of it, or a name of somebody else's.
FILE = re.compile(r"(?<![\w/$<{.:@-])((?:[\w.-]+/)+[\w.-]*)(?![\w/<{*…])")
SUFFIXED = re.compile(r"\.(?:py|json|md|yaml|svg|txt|toml|html)$")
of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def code(text: str) -> list[str]:
    """Everything in backticks, fenced or not."""
    fenced = re.findall(r"```.*?\n(.*?)```", text, re.DOTALL)
    return [*fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))]


def named(text: str) -> set[str]:
    """Paths that a page writes as code: those with an ending, and those that begin with a folder of the project."""
    folders = {path.name for path in [*ROOT.iterdir(), *PACKAGE.iterdir()] if path.is_dir()}
    found = {match for part in code(text) for match in FILE.findall(part) if not match.startswith(MADE)}
    return {path for path in found if SUFFIXED.search(path) or path.partition("/")[0] in folders}


def exists(path: str) -> bool:
    return any((folder / path).exists() for folder in (ROOT, PACKAGE))


@of_each_page
def test_every_path_exists(page: Path) -> None:
    assert {path for path in named(page.read_text("utf-8")) if not exists(path)} == set()


@of_each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@of_each_page
def test_every_command_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = {
        name for part in code(page.read_text("utf-8")) for name in re.findall(r"^make ([a-z-]+)", part, re.MULTILINE)
    }
    assert shown - targets == set()


def test_each_decision_has_a_number_of_its_own_and_is_listed_once() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = re.findall(r"^\| \[(\d+)\]\((\d+-[^)]+)\)", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert len({name.partition("-")[0] for name in files}) == len(files)
    assert sorted(listed) == [(name.partition("-")[0], name) for name in files]


def test_commands_name_the_endpoint_except_where_they_are_for_aws() -> None:
    """Version 1 of the AWS CLI overrides AWS_ENDPOINT_URL for SQS, and version 2 before 2.13 does not know it."""
    watch = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("\n## Watch\n")[2].partition("\n## ")[0]
    local = [(ROOT / page).read_text("utf-8") for page in ("README.md", "docs/publishers.md")]
    blocks = "\n".join(code("\n".join([*local, watch])))
    commands = re.findall(r"(?<![\w-])aws [a-z-].*", blocks)
    assert len(commands) > 4
    assert [command for command in commands if '--endpoint-url "$AWS_ENDPOINT_URL"' not in command] == []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("see `docs/nowhere.md`", {"docs/nowhere.md"}),
        ("```sh\nmake test TESTS=tests/limits\n```", {"tests/limits"}),
        ("`s3://bucket/tts/2026/x.mp3` and `build/demo/`", set()),
        ("`limits/gcra.py`, `limits/`", {"limits/gcra.py", "limits/"}),
        ("`functions/<verb_noun>/app.py`", set()),
    ],
)
def test_a_path_is_recognised(text: str, paths: set[str]) -> None:
    assert named(text) == paths
