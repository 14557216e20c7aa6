"""Runs the functions in containers, on the files of events/lambda."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.sam_local.engine import STAND_IN
from tools.local.project import ROOT
from tools.local.sam_local.invocation import invoke
from tools.local.stack import LocalStack

EVENTS: Final = ROOT / "events" / "lambda"


def event_of(name: str) -> dict[str, Any]:
    """One file of events/lambda, to be changed where it tells of a moment that is over."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def answer_of(stack: LocalStack, function: str, event: str) -> Any:
    """What the function answers to a file of events/lambda; its log is shown when the test fails."""
    return _answer(stack, function, EVENTS / f"{event}.json")


def answer_to(stack: LocalStack, function: str, event: dict[str, Any], folder: Path) -> Any:
    """The same with an event that differs from the file; it is written below the folder."""
    path = folder / "event.json"
    path.write_text(json.dumps(event), encoding="utf-8")
    return _answer(stack, function, path)


def _answer(stack: LocalStack, function: str, event: Path) -> Any:
    options = ("--skip-pull-image",) if STAND_IN.exists() else ()
    done = invoke(stack, function, event, options=options)
    sys.stderr.write(done.log)
    return done.answer
