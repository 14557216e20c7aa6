"""What a request costs in AWS calls and units, counted; docs/performance.md must say the same."""

from __future__ import annotations

import pytest

from tools.bench.costs.ledger import STATEMENTS
from tools.bench.costs.scenario import Batch, run
from tools.bench.costs.table import table
from tools.bench.page import PAGE, blocks


@pytest.fixture(scope="module")
def ten() -> Batch:
    return run(10)


def test_a_request_at_batch_ten_costs_few_write_units(ten: Batch) -> None:
    assert 2 <= ten.write_units / ten.size <= 2.3


def test_a_job_is_two_conditional_writes_and_one_upload(ten: Batch) -> None:
    assert ten.calls.calls == {
        STATEMENTS: 20,
        "dynamodb:BatchWriteItem": 1,
        "s3:PutObject": 10,
        "sns:PublishBatch": 1,
    }


def test_what_a_worker_reads_it_reads_once_and_remembers(ten: Batch) -> None:
    # The states of the keys, their leases and the health records, each once, and then from memory.
    assert ten.first.reads == {"dynamodb:Query": 3, "secretsmanager:GetSecretValue": 1}
    assert ten.calls.reads == {}


def test_the_cost_table_of_the_page_is_true() -> None:
    assert blocks(PAGE.read_text(encoding="utf-8"))["cost-table"] == table()
