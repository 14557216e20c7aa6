"""What leases buy, as a table: the same runs with the flag on and off."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.bench.result import FOLDER

ROWS: Final = FOLDER / "fleet-rows.json"
KEYS: Final = 5


def table() -> str:
    """Five keys: goodput of what was possible, wasted calls, p99 queueing in seconds; from the last measurement."""
    tables = json.loads(ROWS.read_text(encoding="utf-8"))
    head = (
        "| workers | load | goodput | without | waste | without | p99 | without |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    )
    return "\n".join([*head, *_lines(tables["declared"], tables["without leases"])])


def _lines(declared: list[Mapping[str, Any]], without: list[Mapping[str, Any]]) -> Iterator[str]:
    off = {(each["workers"], each["load"]): each for each in without}
    for on in declared:
        other = off.get((on["workers"], on["load"]))
        if on["keys"] == KEYS and other:
            goodput = f"{on['goodput']:.3f} | {other['goodput']:.3f}"
            waste = f"{100 * on['waste']:.1f} % | {100 * other['waste']:.1f} %"
            late = f"{on['p99']:.2f} s | {other['p99']:.2f} s"
            yield f"| {on['workers']:,} | {on['load']:g} | {goodput} | {waste} | {late} |"
