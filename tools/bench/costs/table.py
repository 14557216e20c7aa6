"""The cost of a thousand requests, as a table and as a measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tools.bench.costs import prices
from tools.bench.costs.ledger import STATEMENTS
from tools.bench.costs.scenario import Batch, run
from tools.bench.result import Measurement

SIZES: Final = (1, 10)
REQUESTS: Final = 1000
# The two conditional writes without which a job can be neither claimed nor settled (docs/decisions/0003).
WRITES_OF_A_JOB: Final = 2.0
UNITS_BAR: Final = 2.3
# Compute depends on the provider: the table takes one that answers in a second, and an announcement of 50 ms.
DISPATCH_GB_SECONDS: Final = 0.5 * 1.0
ANNOUNCE_GB_SECONDS: Final = 0.25 * 0.05
_CALL_PRICES: Final = {"s3:PutObject": prices.S3_PUT, "sns:PublishBatch": prices.SNS_PUBLISH}
# What Lambda's event source does for each batch: one receive, one delete.
_QUEUE_CALLS: Final = 2


def measure() -> Iterator[Measurement]:
    """Write units of a request at batch ten."""
    batch = run(SIZES[-1])
    yield Measurement(
        name="write-units",
        value=batch.write_units / batch.size,
        unit="write units per request at batch 10",
        reference="the claim and the settlement of a job",
        reference_value=WRITES_OF_A_JOB,
        bar=UNITS_BAR / WRITES_OF_A_JOB,
    )


def table() -> str:
    """Markdown: one row per kind of call, one column per batch size."""
    batches = [run(size) for size in SIZES]
    names = sorted({name for batch in batches for name in batch.calls.calls})
    rows = [
        ["per 1,000 requests", *(f"batch of {batch.size}" for batch in batches)],
        ["---", *("---:" for _ in batches)],
        ["dispatch invocations", *(_count(1, batch) for batch in batches)],
        ["announce invocations", *(_count(1, batch) for batch in batches)],
        ["`sqs:ReceiveMessage`, `sqs:DeleteMessageBatch` (by Lambda)", *(_count(_QUEUE_CALLS, b) for b in batches)],
        *([_label(name), *(_count(batch.calls.calls[name], batch) for batch in batches)] for name in names),
        ["AWS calls in all, at most", *(_count(_QUEUE_CALLS + batch.calls.calls.total(), batch) for batch in batches)],
        ["DynamoDB write units", *(_count(batch.write_units, batch) for batch in batches)],
        ["DynamoDB read units", *(_count(sum(batch.calls.reads.values()), batch) for batch in batches)],
        ["calls and units, dollars", *(f"{_calls_dollars(batch):.4f}" for batch in batches)],
        ["compute, dollars", *(f"{_compute_dollars(batch):.4f}" for batch in batches)],
        ["**dollars**", *(f"**{_calls_dollars(batch) + _compute_dollars(batch):.4f}**" for batch in batches)],
    ]
    return "\n".join(_line(row) for row in rows)


def _label(name: str) -> str:
    return f"`{name}`, statements (25 a call at most)" if name == STATEMENTS else f"`{name}`"


def _count(of_batch: float, batch: Batch) -> str:
    return f"{of_batch * REQUESTS / batch.size:,.0f}"


def _calls_dollars(batch: Batch) -> float:
    calls = sum(price * batch.calls.calls[name] for name, price in _CALL_PRICES.items())
    once = _QUEUE_CALLS * prices.SQS_CALL + 2 * prices.LAMBDA_INVOCATION
    return (calls + once + batch.write_units * prices.WRITE_UNIT) * REQUESTS / batch.size


def _compute_dollars(batch: Batch) -> float:
    seconds = DISPATCH_GB_SECONDS + ANNOUNCE_GB_SECONDS
    return seconds * prices.LAMBDA_GB_SECOND_ARM64 * REQUESTS / batch.size


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
