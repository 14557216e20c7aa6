"""The client stands on its own: it is installed without the product, and starts without what takes long."""

from __future__ import annotations

import ast
import sys
import tomllib

from tests.architecture.source import CLIENT, ROOT, Source, sources

OF_THE_CLIENT = sources(CLIENT)
STANDARD = frozenset(sys.stdlib_module_names)
# What is imported where it is used alone: a third of a second, and not needed by who has a token only.
LAZY = {"boto3", "botocore"}
# By which the client is built: its users need none of it to ask for help.
NOT_FOR_HELP = {"httpx", "pydantic", "pydantic_core"}


def required() -> set[str]:
    """The distributions that the client asks for."""
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text("utf-8"))["project"]
    return {name.partition(">")[0] for name in project["dependencies"]}


def imported(source: Source, *, at_once: bool = False) -> set[str]:
    """The first names of what it imports; `at_once` of what its import imports."""
    tops = set()
    for node in source.tree.body if at_once else ast.walk(source.tree):
        if isinstance(node, ast.Import):
            tops |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            tops.add(str(node.module).partition(".")[0])
    return tops


def test_it_imports_what_it_asks_for_and_nothing_of_the_product() -> None:
    brought = required() | {"botocore", "pydantic_core", "mediarelay_client"}  # with boto3 and pydantic
    foreign = {source.name: found for source in OF_THE_CLIENT if (found := imported(source) - STANDARD - brought)}
    assert foreign == {}


def test_everything_it_asks_for_is_locked() -> None:
    lock = (ROOT / "requirements" / "client.txt").read_text("utf-8")
    assert {name for name in required() if f"\n{name}==" not in f"\n{lock}"} == set()


def test_aws_is_imported_only_where_it_is_used() -> None:
    assert {source.name for source in OF_THE_CLIENT if imported(source, at_once=True) & LAZY} == set()


def test_no_command_imports_the_library_before_it_runs() -> None:
    commands = [source for source in OF_THE_CLIENT if "/command/" in source.name]
    assert len(commands) > 5
    assert {source.name for source in commands if imported(source, at_once=True) & NOT_FOR_HELP} == set()
