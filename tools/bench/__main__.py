"""`python -m tools.bench [NAME …] [--page]`: run the benches, write build/bench/*.json, say what holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tools.bench import aggregation, cold_start, foreign_polls, memory, page, poll_schedule
from tools.bench.costs import table as costs
from tools.bench.fleet import table_of_rows
from tools.bench.fleet.measure import measure as fleet
from tools.bench.outage.measure import measure as outage
from tools.bench.overload import measure as overload
from tools.bench.overload import troubles
from tools.bench.result import Measurement
from tools.bench.router import measure as router
from tools.bench.throughput import measure as throughput

BENCHES: Final[dict[str, Callable[[], Iterator[Measurement]]]] = {
    "costs": costs.measure,
    "router": router.measure,
    "cold-start": cold_start.measure,
    "cold-start-in-image": cold_start.measure_in_image,
    "memory": memory.measure,
    "throughput": throughput.measure,
    "aggregation": aggregation.measure,
    "poll-schedule": poll_schedule.measure,
    "foreign-polls": foreign_polls.measure,
    "fleet": fleet,
    "outage": outage,
    "overload": overload.measure,
    "overload-troubles": troubles.measure,
}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Which: {', '.join(BENCHES)}. All by default.")] = None,
    *,
    write_page: Annotated[bool, typer.Option("--page", help="Put the results into docs/performance.md.")] = False,
) -> None:
    """Fails when a bar does not hold."""
    console = Console(highlight=False)
    results: list[Measurement] = []
    for name in names or BENCHES:
        console.print(f"mediarelay: measuring {name}")
        for measurement in BENCHES[name]():
            measurement.write()
            results.append(measurement)
            console.print(f"  {measurement.line()}")
    console.print(_table(results))
    if write_page:
        page.write({"cost-table": costs.table(), **_tables()})
    raise SystemExit(0 if all(measurement.holds for measurement in results) else 1)


def _tables() -> dict[str, str]:
    """Tables of what was measured last, as far as it was."""
    known = {
        "fleet-table": (table_of_rows.ROWS, table_of_rows.table),
        "overload-table": (overload.ROWS, overload.table),
    }
    return {name: table() for name, (rows, table) in known.items() if rows.exists()}


def _table(results: list[Measurement]) -> Table:
    table = Table("bench", "ours", "reference", "unit", "ratio", "bar", "holds")
    for result in results:
        bar = f"{'≥' if result.more_is_better else '≤'} {result.bar:g}"
        numbers = f"{result.value:.2f}", f"{result.reference_value:.2f}"
        table.add_row(result.name, *numbers, result.unit, f"{result.ratio:.3f}", bar, "yes" if result.holds else "NO")
    return table


if __name__ == "__main__":
    typer.run(main)
