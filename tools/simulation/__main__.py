"""`python -m tools.simulation SCENARIO.json … [--seed N] [--json-lines]`: prints one JSON object for each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.simulation.report import simulate
from tools.simulation.scenario import UnusableScenario, read_scenario


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 well, 2 a file or an argument that can't be used."""
    parser = argparse.ArgumentParser(prog="python -m tools.simulation", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="SCENARIO.json")
    parser.add_argument("--seed", type=int, help="instead of the scenario's own")
    parser.add_argument("--json-lines", action="store_true", help="each object on one line")
    given = parser.parse_args(arguments)
    for path in given.files:
        try:
            scenario = read_scenario(path.read_text(encoding="utf-8"))
            if given.seed is not None:
                scenario = scenario.model_copy(update={"seed": given.seed})
            report = simulate(scenario)
        except (UnusableScenario, OSError, UnicodeDecodeError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 2
        print(json.dumps(report, indent=None if given.json_lines else 1, ensure_ascii=False), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
