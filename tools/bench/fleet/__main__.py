"""`python -m tools.bench.fleet`: the fleet's benchmarks alone."""

from __future__ import annotations

from rich.console import Console

from tools.bench.fleet.measure import measure


def main() -> None:
    """Fails when a bar does not hold."""
    console = Console(highlight=False)
    held = True
    for measurement in measure():
        measurement.write()
        console.print(measurement.line())
        held = held and measurement.holds
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
