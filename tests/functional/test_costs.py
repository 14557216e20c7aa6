"""What a request costs in AWS calls and units, counted; docs/performance.md must say the same."""

from __future__ import annotations

import json
import logging

import pytest

from functions.dispatch_request import app as dispatch_app
from tools.bench.costs import bill
from tools.bench.costs.ledger import STATEMENTS
from tools.bench.costs.scenario import Batch, deployed, logged, run
from tools.bench.costs.table import dollars, idle, table
from tools.bench.instant_server import KEYS
from tools.bench.lambda_events import batch, context
from tools.bench.page import PAGE, blocks
from tools.local.project import ROOT

MEND = "the functions or the template have changed: make bench BENCH=costs PAGE=1, make fmt"


@pytest.fixture(scope="module")
def ten() -> Batch:
    return run(10)


def test_a_request_at_batch_ten_costs_few_write_units(ten: Batch) -> None:
    assert 2 <= ten.write_units / ten.size <= 2.3


def test_a_request_under_a_budget_costs_little_more() -> None:
    # How many changes of a budget go together depends on who ends when, and on a busy machine few do.
    batches = [run(10, budgets={"stage": {"month_usd": 1000}}) for _ in range(4)]
    with_budget = min(batches, key=lambda batch: batch.write_units)
    assert 2 <= with_budget.write_units / with_budget.size <= 3.3
    assert with_budget.calls.calls["dynamodb:UpdateItem"] >= 2, "money is set aside and released"
    assert with_budget.calls.reads == {}


def test_a_job_is_two_conditional_writes_and_one_upload(ten: Batch) -> None:
    assert ten.calls.calls == {
        STATEMENTS: 20,
        "dynamodb:BatchWriteItem": 1,
        "s3:PutObject": 10,
        "sns:PublishBatch": 1,
    }


def test_what_is_logged_is_counted_whatever_level_is_set(ten: Batch, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mediarelay"):
        assert run(10).log_bytes == pytest.approx(ten.log_bytes, rel=0.02)


def test_what_a_worker_reads_it_reads_once_and_remembers(ten: Batch) -> None:
    # The states of the keys, their leases and the health records, each once, and then from memory.
    assert ten.first.reads == {"dynamodb:Query": 3, "secretsmanager:GetSecretValue": 1}
    assert ten.calls.reads == {}


def test_the_cost_table_of_the_page_is_true() -> None:
    assert blocks(PAGE.read_text(encoding="utf-8"))["cost-table"] == table(), MEND


def test_the_bills_of_the_page_are_true() -> None:
    on_the_page = blocks(PAGE.read_text(encoding="utf-8"))
    assert on_the_page["cost-dollars"] == dollars(), MEND
    assert on_the_page["cost-idle"] == idle(), MEND


def test_the_page_of_costs_says_what_the_bill_comes_to() -> None:
    alone, ten = run(1), run(10)
    said = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    speech, picture = bill.SPEECH_SECONDS, bill.PICTURE_SECONDS
    figures = [bill.of(ten, speech), bill.of(alone, speech), bill.of(ten, picture)]
    assert all(f"${each.total:.3f}" in said for each in figures)
    assert f"(${bill.of(alone, picture).total:.2f}), ${bill.of_a_clip(ten).total:.2f} for clips" in said
    assert f"${sum(bill.idle().values()):.0f} a month" in said


def test_a_line_of_a_log_does_not_repeat_what_its_log_group_says() -> None:
    with logged() as lines, deployed(KEYS):
        dispatch_app.handler(batch(0, 1), context())
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    logs = [line for line in written if "_aws" not in line]
    assert {line["message"] for line in logs} >= {"routed", "attempt", "settled"}
    assert all(line["level"] == "INFO" and line["function_request_id"] for line in logs)
    assert not any({"function_arn", "function_name", "function_memory_size"} & line.keys() for line in logs)
