"""`python -m tools.bench [NAME …] [--page]`: run the benches, write build/bench/*.json, say what holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tools.bench import cold_start, foreign_polls, memory, page, poll_schedule, trace, transcode
from tools.bench.costs import table as costs
from tools.bench.fleet import table_of_rows
from tools.bench.fleet.measure import measure as fleet
from tools.bench.outage.measure import measure as outage
from tools.bench.overload import measure as overload
from tools.bench.overload import under_trouble
from tools.bench.result import FOLDER, Measurement
from tools.bench.router import measure as router
from tools.bench.streams import aggregation, announce
from tools.bench.throughput import measure as throughput
from tools.bench.waiting import measure as waiting
from tools.local.project import ROOT

BENCHES: Final[dict[str, Callable[[], Iterator[Measurement]]]] = {
    "costs": costs.measure,
    "router": router.measure,
    "trace": trace.measure,
    "cold-start": cold_start.measure,
    "cold-start-in-image": cold_start.measure_in_image,
    "memory": memory.measure,
    "throughput": throughput.measure,
    "waiting": waiting.measure,
    "transcode": transcode.measure,
    "aggregation": aggregation.measure,
    "announce": announce.measure,
    "poll-schedule": poll_schedule.measure,
    "foreign-polls": foreign_polls.measure,
    "fleet": fleet,
    "outage": outage,
    "overload": overload.measure,
    "troubles": under_trouble.measure,
}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Which: {', '.join(BENCHES)}. All by default.")] = None,
    *,
    write_page: Annotated[bool, typer.Option("--page", help="Put the results into docs/performance.md.")] = False,
) -> None:
    """Fails when a bar does not hold, or when a bench breaks; the others are measured all the same."""
    logging.getLogger("mediarelay").setLevel(logging.WARNING)  # what the parts say while they work is not a result
    console, chosen, started = Console(highlight=False, soft_wrap=True), names or list(BENCHES), time.monotonic()
    if unknown := [name for name in chosen if name not in BENCHES]:
        raise typer.BadParameter(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    results: list[Measurement] = []
    broken: list[str] = []
    for number, name in enumerate(chosen, 1):
        console.print(f"mediarelay: measuring {name} ({number} of {len(chosen)})")
        try:
            results += _measured(name, console)
        except Exception:  # noqa: BLE001 # told, counted as a failure, and no reason to measure nothing else
            console.print_exception()
            broken.append(name)
    console.print(_table(results))
    if write_page:
        page.write(
            {"cost-table": costs.table(), "cost-dollars": costs.dollars(), "cost-idle": costs.idle(), **_tables()}
        )
    console.print(_verdict(results, broken, time.monotonic() - started))
    raise SystemExit(0 if not broken and all(measurement.holds for measurement in results) else 1)


def _measured(name: str, console: Console) -> list[Measurement]:
    """What one bench measured, each result written and shown as it comes."""
    started, results = time.monotonic(), []
    for measurement in BENCHES[name]():
        measurement.write()
        results.append(measurement)
        console.print(f"  {measurement.line()}")
    console.print(f"  took {time.monotonic() - started:.0f} s")
    return results


def _tables() -> dict[str, str]:
    """Tables of what was measured last, as far as it was."""
    known = {
        "fleet-table": (table_of_rows.ROWS, table_of_rows.table),
        "fleet-costs": (table_of_rows.ROWS, table_of_rows.costs),
        "overload-table": (overload.ROWS, overload.table),
        "announce-table": (announce.ROWS, announce.table),
        "waiting-table": (waiting.ROWS, waiting.table),
        "troubles-table": (under_trouble.ROWS, under_trouble.table),
    }
    return {name: table() for name, (rows, table) in known.items() if rows.exists()}


def _table(results: Sequence[Measurement]) -> Table:
    table = Table("bench", "ours", "reference", "unit", "ratio", "bar", "holds")
    for result in results:
        bar = f"{'≥' if result.more_is_better else '≤'} {result.bar:g}"
        numbers = f"{result.value:.2f}", f"{result.reference_value:.2f}"
        table.add_row(result.name, *numbers, result.unit, f"{result.ratio:.3f}", bar, "yes" if result.holds else "NO")
    return table


def _verdict(results: Sequence[Measurement], broken: Sequence[str], seconds: float) -> str:
    missed = [result.name for result in results if not result.holds]
    parts = [f"{len(results) - len(missed)} of {len(results)} bars hold"]
    parts += [f"not {', '.join(missed)}"] if missed else []
    parts += [f"broken: {', '.join(broken)}"] if broken else []
    return f"mediarelay: {'; '.join(parts)}; {seconds:.0f} s in all; results in {FOLDER.relative_to(ROOT)}/"


if __name__ == "__main__":
    typer.run(main)
