"""How many calls of the package's functions two requests take, beside those of the tree before it was built by feature.

A reader follows each of these calls, so that fewer of them in fewer files is code that is read sooner. The bars are
numbers of calls and files; the counts are exact, and the same on every machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from tools.bench.result import Measurement
from tools.local.project import ROOT


class Bar(NamedTuple):
    """What one count must not exceed, and what it was when it was first taken, on 2026-11-27."""

    unit: str
    most: int
    before: int


BARS: Final = {
    "speech-files": Bar("files", 40, 62),
    "speech-calls": Bar("calls", 700, 1240),
    "speech-key-calls": Bar("calls", 250, 622),
    "clip-calls": Bar("calls", 600, 1053),
}


def measure() -> Iterator[Measurement]:
    """One measurement for each bar."""
    counts = _counts()
    for name, bar in BARS.items():
        yield Measurement(
            name=f"trace-{name}",
            value=counts[name],
            unit=bar.unit,
            reference=f"the tree before it was built by feature; the bar is {bar.most}",
            reference_value=bar.before,
            bar=bar.most / bar.before,
        )


def _counts() -> dict[str, int]:
    """Counted in a process of its own: a thread that is already there cannot be watched."""
    environment = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.harness.trace"]
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 # ours
    counts: dict[str, int] = json.loads(run.stdout.splitlines()[-1])
    return counts
