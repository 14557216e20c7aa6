"""Watches the whole suite for keys: every log record, every call to AWS, every error of ours.

Whatever a test is about, a key must show up in none of them. Tests whose subject is a key in the wrong place say so
with the marker `plants_keys`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.client
import pytest

from mediarelay.vocabulary.errors import MediaRelayError
from tools.local.simulator import simulator_keys

# The keys that tests and the simulator use: builders.fake_key, tools.simulator.config, and those planted on purpose.
KEY = re.compile(r"(?:fake|sim)-[a-z]+-key-\d+|zq\dFake\d[A-Za-z0-9]{12,}")
PIECE = 12  # characters in a row of a key that no text may have
# Where keys are kept, and how a simulated vendor is told about its accounts.
KEEPERS = frozenset({"secretsmanager", "lambda", "cloudformation"})


class KeyWatch(logging.Handler):
    """Everything suspicious since it was last asked."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record as a formatter would: its words, its extra fields, its traceback."""
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        self.look(f"log {record.name}", f"{record.getMessage()} {record.__dict__} {trace}")

    def look(self, place: str, thing: object) -> None:
        """Note the keys in a thing's text form."""
        self._found += [f"{place}: {key}" for key in KEY.findall(str(thing))]

    def take(self) -> list[str]:
        """What was found, and forget it."""
        found, self._found = self._found, []
        return found


@contextmanager
def watching() -> Iterator[KeyWatch]:
    """Watch this process until the block ends."""
    watch = KeyWatch()
    patch = pytest.MonkeyPatch()
    call, make = botocore.client.BaseClient._make_api_call, MediaRelayError.__init__  # type: ignore[attr-defined]

    def watched_call(client: Any, operation: str, parameters: Any) -> Any:
        service = client.meta.service_model.service_name
        if service not in KEEPERS:
            watch.look(f"aws {service} {operation}", parameters)
        return call(client, operation, parameters)

    def watched_error(error: MediaRelayError, *arguments: Any) -> None:
        watch.look(type(error).__name__, arguments)
        make(error, *arguments)

    package = logging.getLogger("mediarelay")
    package.addHandler(watch)
    package.setLevel(logging.DEBUG)
    patch.setattr(botocore.client.BaseClient, "_make_api_call", watched_call)
    patch.setattr(MediaRelayError, "__init__", watched_error)
    try:
        yield watch
    finally:
        patch.undo()
        package.removeHandler(watch)


def pieces() -> set[str]:
    """Every twelve characters in a row of every key, but for those that its vendor's name alone may bring."""
    keys = [key for listed in simulator_keys().values() for key in listed.split(",")]
    every = {key[start : start + PIECE] for key in keys for start in range(len(key) - PIECE + 1)}
    return {piece for piece in every if "sim" in piece or "key" in piece}


def leaks(text: str) -> set[str]:
    """Returns the pieces that a text has."""
    return {piece for piece in pieces() if piece in text}
