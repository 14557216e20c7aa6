"""docs/scaling.md is what its module computes, and the module is right about what binds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.template import load_template
from tools.scaling.page import DOCUMENT, Quota, main, quotas, rewritten
from tools.scaling.sizes import measured


@pytest.fixture(scope="module")
def rows() -> dict[str, Quota]:
    return {quota.what: quota for quota in quotas(measured(), load_template())}


def binding(rows: dict[str, Quota], rate: int) -> set[str]:
    return {name for name, quota in rows.items() if quota.takes(rate) > quota.allowed}


def test_the_page_is_what_is_computed() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == rewritten(DOCUMENT.read_text(encoding="utf-8"))


def test_a_stale_page_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "scaling.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8").replace("26,600", "26,601"))
    assert main(["check"], copy) == 1
    assert "make fmt" in capsys.readouterr().err
    assert main(["write"], copy) == 0
    assert main(["check"], copy) == 0
    assert main([], copy) == 2


def test_nothing_binds_at_ten_a_second(rows: dict[str, Quota]) -> None:
    assert binding(rows, 10) == set()


def test_every_quota_that_binds_says_what_then(rows: dict[str, Quota]) -> None:
    assert all(rows[name].remedy for name in binding(rows, 10_000))


def test_no_partition_of_health_or_metrics_binds_at_ten_thousand_a_second(rows: dict[str, Quota]) -> None:
    assert not [name for name in binding(rows, 10_000) if "HEALTH" in name or "METRIC" in name]


def test_no_item_of_slots_binds_below_the_calls_that_the_page_names(rows: dict[str, Quota]) -> None:
    (own,) = [quota for name, quota in rows.items() if name.endswith("its own item")]
    assert own.takes(9_800) <= own.allowed < own.takes(9_900)
    assert "9,812" in own.remedy
    further = [quota for name, quota in rows.items() if "further slots" in name or "SLOTS" in name]
    assert [quota.takes(100_000) <= quota.allowed for quota in further] == [True, True]


def test_one_item_of_a_budget_binds_where_the_page_says(rows: dict[str, Quota]) -> None:
    (budget,) = [quota for name, quota in rows.items() if "BUDGET" in name]
    assert budget.takes(115) <= budget.allowed < budget.takes(130)


def test_a_budget_that_is_spread_binds_nowhere(rows: dict[str, Quota]) -> None:
    (spread,) = [quota for name, quota in rows.items() if "a day and more" in name]
    assert spread.takes(10_000) <= spread.allowed
