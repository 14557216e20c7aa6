"""What the fleet must reach, measured: the worst row of each table against its bar."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from tools.bench.fleet import grid
from tools.bench.fleet.grid import Row
from tools.bench.fleet.picture import picture
from tools.bench.fleet.table_of_rows import ROWS
from tools.bench.result import FOLDER, Measurement
from tools.local.project import ROOT

PICTURE = ROOT / "docs" / "images" / "fleet.svg"
BELOW_CAPACITY = 0.9
UNDRAINED = 1.2
OF_ORACLE = "of what the oracle served"


def measure() -> Iterator[Measurement]:
    """Every bar of leasing in virtual time; writes the rows to a file and the picture beside the text."""
    with ProcessPoolExecutor() as pool:
        quiet = pool.map(_small_tenant, (False, True))
        rows = list(pool.map(grid.row, grid.cases()))
        alone, flooded = quiet
    tables = {name: [row for row in rows if row.table == name] for name in dict.fromkeys(row.table for row in rows)}
    _write(tables, [alone, flooded])
    declared, off = tables["declared"], tables["without leases"]
    picture(declared, off, PICTURE)
    gentle = [each for each in declared if each.load <= BELOW_CAPACITY]
    yield _most("fleet-goodput-lost", declared, lambda each: 1.0 - each.goodput, 0.015, OF_ORACLE)
    yield _most("fleet-waste", declared, lambda each: each.waste, 0.002, "of all calls")
    yield _most("fleet-late", gentle, lambda each: each.p99 - each.oracle_p99, 0.15, "p99 over the oracle's, seconds")
    yield _most("fleet-write-units", gentle, lambda each: each.writes, 0.35, "write units a request, sent in tens")
    drained = [each for each in declared if each.load <= UNDRAINED]
    yield _most("fleet-unserved", drained, lambda each: float(each.lost), 0.0, "requests neither served nor expired")
    for name, table in (("learned", "undeclared"), ("tracked", "changed")):
        yield _most(f"fleet-{name}-goodput-lost", tables[table], lambda each: 1.0 - each.goodput, 0.05, OF_ORACLE)
        yield _most(f"fleet-{name}-waste", tables[table], lambda each: each.waste, 0.02, "of all calls")
    yield _most("fleet-chaos-goodput-lost", tables["chaos"], lambda each: 1.0 - each.goodput, 0.05, OF_ORACLE)
    yield Measurement("fleet-fairness-p95", flooded, "s", "the small tenant alone", alone, 2.0)


def _small_tenant(flood: bool) -> float:  # noqa: FBT001 # mapped over both
    return grid.small_tenant(flood=flood)


def _most(name: str, rows: Sequence[Row], number: Callable[[Row], float], bar: float, unit: str) -> Measurement:
    worst = max(rows, key=number)
    where = (
        f"a bar; the worst of {len(rows)} runs: {worst.name}, {worst.workers} workers, {worst.keys} keys, "
        f"load {worst.load:g}"
    )
    value = max(0.0, number(worst))
    reference = bar or 1.0
    return Measurement(name, value, unit, where, reference, 1.0 if bar else 0.0)


def _write(tables: dict[str, list[Row]], quiet: Sequence[float]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    facts: dict[str, object] = {name: [each.facts() for each in rows] for name, rows in tables.items()}
    facts["small tenant's p95, alone and flooded"] = [round(each, 4) for each in quiet]
    ROWS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
