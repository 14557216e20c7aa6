"""`python -m tools.bench`: run every benchmark, write build/bench/*.json, say what holds."""

from __future__ import annotations

from itertools import chain

from rich.console import Console

from tools.bench import aggregation, cold_start, poll_schedule


def main() -> None:
    """Fails when a bar does not hold."""
    console = Console(highlight=False)
    console.print("mediarelay: measuring cold starts, ours and the reference in turns")
    held = True
    for measurement in chain(aggregation.measure(), poll_schedule.measure(), cold_start.measure()):
        measurement.write()
        console.print(measurement.line())
        held = held and measurement.holds
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
