"""Runs of the shipped services in virtual time, judged by what they come to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.simulation.report import simulate
from tools.simulation.scenario import read_scenario

ROOT = Path(__file__).parents[2]
SHORT = {
    "name": "short",
    "seconds": 12,
    "measure_from": 2,
    "drain_seconds": 120,
    "workers": 4,
    "pools": {"openai": {"accounts": [{"repeat": 3, "rpm": 300, "burst": 5}], "vendor": {"rate": None, "burst": None}}},
}


def run(**fields: Any) -> dict[str, Any]:
    return simulate(read_scenario(json.dumps({**SHORT, **fields})))


def test_below_the_limit_everything_is_served_and_nothing_wasted() -> None:
    report = run(arrivals=[{"rate": 9}])
    assert report["goodput"] == pytest.approx(1.0, abs=0.03)
    assert (report["waste_all"], report["failed"], report["unserved"]) == (0, 0, 0)
    assert report["succeeded"] == report["published"] == report["calls"] == report["purchases"]
    assert report["p99"] <= report["oracle_p99"] + 0.15


def test_above_the_limit_everything_is_served_later() -> None:
    report = run(arrivals=[{"rate": 25}])
    assert report["possible"] == pytest.approx(15, rel=0.1)
    assert report["succeeded"] == report["published"]
    assert report["waste_all"] <= 0.01
    assert report["requeues"] > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"arrivals": [{"rate": 25}]},
        {"arrivals": [{"rate": 12, "tenant": "a"}, {"rate": 3, "tenant": "b"}], "clock_offsets": [0.0, 1.5, -2.0]},
    ],
)
def test_the_same_seed_prints_the_same_in_another_process(fields: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps({**SHORT, **fields}))
    printed = []
    for hashes in ("1", "2"):
        environment = {"PYTHONPATH": "shared:.", "PYTHONHASHSEED": hashes}
        command = [sys.executable, "-m", "tools.simulation", "--seed", "7", str(file)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 # our own
        printed.append(json.loads(done.stdout))
    assert all(report.pop("seconds_run") > 0 for report in printed)
    assert printed[0] == printed[1]
    assert printed[0]["seed"] == 7
