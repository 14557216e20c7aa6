"""What leases buy, and what they cost, as tables of the last measurement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.bench.result import FOLDER

ROWS: Final = FOLDER / "fleet-rows.json"
KEYS: Final = 5


def table() -> str:
    """Five keys, the flag on and off: goodput of what was possible, wasted calls, p99 from publishing to the end."""
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


def costs() -> str:
    """Write units and trips a request by load, declared limits; of all numbers of workers the dearest."""
    runs = json.loads(ROWS.read_text(encoding="utf-8"))["declared"]
    head = "| load | keys | write units a request | trips a request |\n| ---: | ---: | ---: | ---: |"
    sizes = sorted({(each["load"], each["keys"]) for each in runs})
    return "\n".join([head, *(_dearest(runs, load, keys) for load, keys in sizes)])


def _dearest(runs: list[Mapping[str, Any]], load: float, keys: int) -> str:
    found = [each for each in runs if (each["load"], each["keys"]) == (load, keys)]
    writes, trips = max(each["writes"] for each in found), max(each["trips"] for each in found)
    return f"| {load:g} | {keys} | {writes:.2f} | {trips:.2f} |"
