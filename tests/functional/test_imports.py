"""Handlers can be imported anywhere: wiring waits until they are called, or for Lambda."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def test_there_are_handlers() -> None:
    assert {"announce_result", "dispatch_request"} <= set(HANDLERS)


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_is_imported_with_an_empty_environment(name: str) -> None:
    code = f"import functions.{name}.app as app; assert callable(app.handler)"
    where = os.pathsep.join([str(ROOT / "shared"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": where}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
