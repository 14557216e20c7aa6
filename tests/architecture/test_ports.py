"""Every implementation of a port, wherever it lies, is in a contract test, and takes what the port says."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.source import PACKAGE, TESTS, TOOLS, Source, planted, sources

PROTOCOL = "Protocol"
# Where ports stand; a protocol anywhere else is between two services.
PORTS = {"ports", "clock", "counters"}
NO_PORTS_OF_THE_WORLD = {
    *("Telemetry", "VerdictWriter", "SignatureCheck", "Purse"),  # a service and a function of ours
    *("HttpResponse", "MediaStream", "Upload"),  # come from HttpClient, MediaFetcher and Uploads
}
Arguments = tuple[tuple[str, ...], tuple[str, ...]]
Methods = dict[str, tuple[Arguments, str]]


def classes(of: Iterable[Source]) -> Iterator[tuple[Source, ast.ClassDef]]:
    """Every class, with its file."""
    for source in of:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                yield source, node


def bases(node: ast.ClassDef) -> set[str]:
    """By their last names."""
    return {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}


def own(node: ast.ClassDef) -> Methods:
    """The arguments of its public methods, and what each returns as it is written."""
    found: Methods = {}
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
            given = [argument.arg for argument in (*part.args.posonlyargs, *part.args.args)][1:]
            named = sorted(argument.arg for argument in part.args.kwonlyargs)
            found[part.name] = ((tuple(given), tuple(named)), ast.unparse(part.returns) if part.returns else "")
    return found


def methods(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> Methods:
    """Its own, and those of the classes below it."""
    found: Methods = {}
    for base in bases(node) & set(known):
        found |= methods(known[base], {name: each for name, each in known.items() if name != node.name})
    return found | own(node)


def implements(found: Methods, port: Methods) -> bool:
    """Whether it has them all; where nothing is given to a port's only method, its result tells it from others'."""
    if not port:
        return False
    alone = len(port) == 1
    return all(
        name in found and found[name][0] == arguments and (not alone or any(arguments) or found[name][1] == returned)
        for name, (arguments, returned) in port.items()
    )


def implementations(of: Iterable[Source]) -> dict[str, set[str]]:
    """The classes of these files that implement a port of the package, by the port's name."""
    known = {node.name: node for _, node in classes((*sources(PACKAGE), *of))}
    ports = {
        node.name: methods(node, known)
        for source, node in classes(sources(PACKAGE))
        if source.path.stem in PORTS and PROTOCOL in bases(node) and node.name not in NO_PORTS_OF_THE_WORLD
    }
    real = [(node.name, methods(node, known)) for _, node in classes(of) if PROTOCOL not in bases(node)]
    return {name: {each for each, found in real if implements(found, port)} for name, port in ports.items()}


def under_contract() -> set[str]:
    """The names that contract tests use."""
    nodes = (node for source in sources(TESTS / "contract") for node in ast.walk(source.tree))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


EVERYWHERE = (*sources(PACKAGE), *sources(TOOLS), *sources(TESTS / "doubles"), *sources(TESTS / "harness"))


def test_every_implementation_of_a_port_is_in_a_contract_test() -> None:
    tested = under_contract()
    loose = {port: found - tested for port, found in implementations(EVERYWHERE).items()}
    assert {port: found for port, found in loose.items() if found} == {}


def test_every_port_has_an_implementation() -> None:
    assert [port for port, found in implementations(EVERYWHERE).items() if not found] == []


@pytest.mark.parametrize(
    ("port", "text"),
    [
        ("CompletionTimes", "def load(self, provider, model): ...\n    def add(self, provider, model, seconds): ..."),
        (
            "Counters",
            "def count(self, name, dimensions) -> None: ...\n    def observe(self, name, seconds) -> None: ...",
        ),
    ],
)
def test_an_implementation_without_a_contract_test_is_found(port: str, text: str) -> None:
    source = planted("metrics/loose.py", f"class Loose:\n    {text}\n")
    assert implementations([source])[port] == {"Loose"}
    assert "Loose" not in under_contract()
