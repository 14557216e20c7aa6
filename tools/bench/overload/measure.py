"""Overload with real processes, ours and LiteLLM's in the same run: what was served, wasted and failed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tools.bench.overload.case import Case, Row, run
from tools.bench.overload.local_aws import local_aws
from tools.bench.overload.processes import Peers, vendor
from tools.bench.result import FOLDER, Measurement

CASES: Final = tuple(
    Case(workers, load, told) for told in (True, False) for workers in (1, 4) for load in (0.8, 0.9, 2.0)
)
SETTINGS: Final = ("default", "best")
MOST_WORKERS: Final = 4
ROWS: Final = FOLDER / "overload-rows.json"


def measure(cases: Sequence[Case] = CASES) -> Iterator[Measurement]:
    """The worst of our cases against each bar. Needs the environment that `make bench` creates for the peer."""
    rows: list[Row] = []
    with ExitStack() as stack:
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overload-")))
        peers = {f"LiteLLM, {settings}": Peers(settings, MOST_WORKERS) for settings in SETTINGS}
        for each in peers.values():
            stack.callback(each.end)
        server, aws = stack.enter_context(vendor()), stack.enter_context(local_aws(workdir))
        for each in peers.values():
            each.ready()
        for case in cases:
            rows += run(case, aws, server, peers)
    FOLDER.mkdir(parents=True, exist_ok=True)
    ROWS.write_text(json.dumps([each.facts() for each in rows], indent=1) + "\n", encoding="utf-8")
    ours = [each for each in rows if each.side == "ours"]
    yield _worst("overload-goodput-lost", ours, lambda each: 1.0 - each.goodput, 0.03, "of what was possible")
    yield _worst("overload-waste", ours, lambda each: each.waste, 0.005, "of all calls")
    yield _worst("overload-failed", ours, lambda each: each.failed, 0.0, "of all requests")


def _worst(name: str, rows: Sequence[Row], number: Callable[[Row], float], bar: float, unit: str) -> Measurement:
    worst = max(rows, key=number)
    wait = "with" if worst.told else "without"
    where = f"worst of {len(rows)} cases: {worst.workers} workers, load {worst.load:g}, 429s {wait} a wait header"
    return Measurement(name, max(0.0, number(worst)), unit, where, bar or 1.0, 1.0 if bar else 0.0)


def table() -> str:
    """All sides of all cases, as they were measured last."""
    rows = json.loads(ROWS.read_text(encoding="utf-8"))
    head = ["| 429s | processes | load | side | goodput | waste | failed |", f"|{' --- |' * 7}"]
    return "\n".join([*head, *(_line(each) for each in rows)])


def _line(row: dict[str, float | str]) -> str:
    where = f"{'with' if row['told'] else 'without'} wait | {row['workers']} | {row['load']:g}"
    numbers = f"{row['goodput']:.3f} | {100 * float(row['waste']):.1f} % | {100 * float(row['failed']):.1f} %"
    return f"| {where} | {row['side']} | {numbers} |"
