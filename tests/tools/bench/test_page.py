from __future__ import annotations

from pathlib import Path

import pytest

from tools.bench.cold_start import MINIMAL
from tools.bench.page import PAGE, blocks, filled, result_block
from tools.bench.result import Measurement
from tools.local.project import ROOT

TABLES = {
    "cost-table",
    "cost-dollars",
    "cost-idle",
    "announce-table",
    "fleet-table",
    "fleet-costs",
    "overload-table",
    "troubles-table",
    "waiting-table",
}
WRITTEN = blocks(PAGE.read_text(encoding="utf-8"))
RESULTS = sorted(WRITTEN.keys() - TABLES)


def measurement(value: float, **fields: bool) -> Measurement:
    return Measurement("x", value, "ms", "a reference", 2.0, 0.5, **fields)


def test_the_page_has_a_result_for_every_bench_of_the_main_job() -> None:
    functions = [name.replace("_", "-") for name in MINIMAL]
    starts = {f"cold-start{where}-{function}" for where in ("", "-in-image") for function in functions}
    assert starts | {"router-cost", "throughput", "write-units", "worker-memory"} <= set(RESULTS)


def test_the_start_of_every_function_is_measured() -> None:
    assert set(MINIMAL) == {path.parent.name for path in ROOT.glob("functions/*/app.py")}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_quotes_its_day_machine_and_a_ratio_that_fits_its_numbers(name: str) -> None:
    row = WRITTEN[name].splitlines()[2]
    date, ours, reference, ratio, bar, holds = (cell.strip() for cell in row.strip("|").split("|"))
    assert date.startswith("20")
    assert "Machine: " in WRITTEN[name]
    assert float(ratio) == pytest.approx(float(ours) / float(reference), rel=0.02, abs=0.001)
    sense, limit = bar.split()
    met = float(ratio) >= float(limit) if sense == "≥" else float(ratio) <= float(limit)
    assert (holds == "yes") is met


def test_only_the_named_blocks_change() -> None:
    page = "a\n<!-- bench: x -->\nold\n<!-- end -->\nb\n<!-- bench: y -->\n<!-- end -->\n"
    assert blocks(filled(page, {"x": "new", "z": "nowhere"})) == {"x": "new", "y": ""}
    assert filled(page, {"x": "old", "y": ""}).startswith("a\n")


@pytest.mark.parametrize(("value", "more", "holds"), [(0.9, False, True), (1.1, False, False), (1.1, True, True)])
def test_a_bar_holds_from_above_or_from_below(value: float, tmp_path: Path, *, more: bool, holds: bool) -> None:
    result = measurement(value, more_is_better=more)
    assert result.holds is holds
    facts = {"date": "2026-01-01", "machine": "m", "name": "x", "ratio": result.ratio, "bar": 0.5, "holds": holds}
    shown = result_block({**vars(result), **facts})
    assert ("**no**" in shown) is not holds
    assert result.write(tmp_path).name == "x.json"
