"""What the fleet must reach, measured: the worst row of each table against its bar."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from tools.bench.fleet import grid
from tools.bench.fleet.grid import Row
from tools.bench.fleet.picture import picture
from tools.bench.fleet.run import run
from tools.bench.fleet.scenario import Policy, Scenario
from tools.bench.fleet.table_of_rows import ROWS
from tools.bench.result import FOLDER, Measurement
from tools.local.project import ROOT

PICTURE = ROOT / "docs" / "images" / "fleet.svg"


def measure() -> Iterator[Measurement]:
    """Every bar of leasing in virtual time; writes the rows to a file and the picture beside the text."""
    with ProcessPoolExecutor() as pool:
        declared = list(pool.map(_declared, grid.declared()))
        off = list(pool.map(_undrained, grid.without_leases()))
        undeclared = list(pool.map(_of_capacity, grid.undeclared()))
        changed = list(pool.map(_of_capacity, grid.changed()))
        chaos = list(pool.map(_of_what_remained, grid.chaos()))
        quiet = list(pool.map(_small_tenant, (False, True)))
    tables = {
        "declared": declared,
        "without leases": off,
        "undeclared": undeclared,
        "changed": changed,
        "chaos": chaos,
    }
    _write(tables, quiet)
    picture(declared, off, PICTURE)
    gentle = [each for each in declared if each.load <= 0.8]  # noqa: PLR2004
    yield _most("fleet-goodput-lost", declared, lambda each: 1.0 - each.goodput, 0.015, "of what the oracle served")
    yield _most("fleet-waste", declared, lambda each: each.waste, 0.002, "of all calls")
    yield _most("fleet-late", gentle, lambda each: each.p99 - each.oracle_p99, 0.05, "p99 over the oracle's, seconds")
    under = [each for each in declared if each.load <= 1.0]
    yield _most("fleet-write-units", under, lambda each: each.writes, 0.25, "write units a request, batches of ten")
    unserved = [each for each in declared if each.load <= 1.2]  # noqa: PLR2004
    yield _most("fleet-unserved", unserved, _unserved, 0.0, "requests neither served nor expired, or dead")
    yield _most("fleet-learned-goodput-lost", undeclared, lambda each: 1.0 - each.goodput, 0.07, "of the capacity")
    yield _most("fleet-learned-waste", undeclared, lambda each: each.waste, 0.02, "of all calls")
    yield _most("fleet-tracked-goodput-lost", changed, lambda each: 1.0 - each.goodput, 0.07, "of the new capacity")
    yield _most("fleet-chaos-goodput-lost", chaos, lambda each: 1.0 - each.goodput, 0.05, "of what remained")
    yield _most("fleet-chaos-excess", chaos, lambda each: each.excess / grid.BURST, 1.0, "bursts beyond a limit")
    yield Measurement("fleet-fairness-p95", quiet[1], "s", "the small tenant alone", quiet[0], 2.0)


def _declared(scenario: Scenario) -> Row:
    return grid.row(scenario, drain=scenario.load <= 1.2)  # noqa: PLR2004 # the rest outlasts the run


def _undrained(scenario: Scenario) -> Row:
    return grid.row(scenario, drain=False)


def _of_capacity(scenario: Scenario) -> Row:
    return grid.row(scenario, possible=_capacity(scenario), drain=False)


def _of_what_remained(scenario: Scenario) -> Row:
    return grid.row(scenario, possible=_asked(scenario), drain=False)


def _small_tenant(flood: bool) -> float:  # noqa: FBT001 # mapped over both
    return run(grid.fairness(flood=flood), drain=False).queueing(0.95, "small", 15.0)


def _capacity(scenario: Scenario) -> int | None:
    """What the keys allow, a change being over before the warm-up; below that the oracle tells what was asked for."""
    if scenario.load < 1.0:
        return None
    factor = scenario.change.factor if scenario.change else 1.0
    return int(scenario.capacity * factor * (scenario.duration - scenario.warm_up))


def _asked(scenario: Scenario) -> int:
    """What remained to be had; at or below capacity, no more than was published, as the oracle serves it."""
    if scenario.load > 1.0:
        return grid.remaining(scenario)
    tally = run(replace(scenario, policy=Policy.ORACLE, deaths=0.0), drain=False)
    return tally.successes(scenario.warm_up, scenario.duration)


def _unserved(row: Row) -> float:
    return float(row.published - row.served - row.expired + row.dead_letters)


def _most(name: str, rows: Sequence[Row], number: Callable[[Row], float], bar: float, unit: str) -> Measurement:
    worst = max(rows, key=number)
    where = f"worst of {len(rows)} runs: {worst.name}, {worst.workers} workers, {worst.keys} keys, load {worst.load:g}"
    value = max(0.0, number(worst))
    reference = bar or 1.0
    return Measurement(name, value, unit, where, reference, 1.0 if bar else 0.0)


def _write(tables: dict[str, list[Row]], quiet: Sequence[float]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    facts: dict[str, object] = {name: [each.facts() for each in rows] for name, rows in tables.items()}
    facts["small tenant's p95 queueing, alone and flooded"] = [round(each, 4) for each in quiet]
    ROWS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
