"""The cost of a thousand requests, as a table and as a measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tools.bench.costs import bill
from tools.bench.costs.ledger import STATEMENTS
from tools.bench.costs.scenario import Batch, run
from tools.bench.result import Measurement

SIZES: Final = (1, 10)
REQUESTS: Final = 1000
# The two conditional writes without which a job can be neither claimed nor settled (docs/decisions/0003).
WRITES_OF_A_JOB: Final = 2.0
UNITS_BAR: Final = 2.3
# What a thousand requests for speech came to with every line of a log naming its function, and traces recorded.
SPEECH_BEFORE: Final = 0.0105
# What Lambda's event source does for each batch: one receive, one delete.
_QUEUE_CALLS: Final = 2


def measure() -> Iterator[Measurement]:
    """Write units of a request at batch ten, and all that a thousand for speech cost."""
    batch = run(SIZES[-1])
    speech = bill.of(batch, bill.SPEECH_SECONDS)
    yield Measurement(
        name="write-units",
        value=batch.write_units / batch.size,
        unit="write units per request at batch 10",
        reference="the claim and the settlement of a job",
        reference_value=WRITES_OF_A_JOB,
        bar=UNITS_BAR / WRITES_OF_A_JOB,
    )
    yield Measurement(
        name="listing-write-units",
        value=batch.index_units / batch.size,
        unit="write units of the index of jobs per request at batch 10",
        reference="the claim and the settlement of a job",
        reference_value=WRITES_OF_A_JOB,
        bar=1.0,
    )
    yield Measurement(
        name="speech-dollars",
        value=speech.total - speech.lines[bill.LISTING],
        unit="dollars per 1,000 requests for speech at batch 10, all that AWS charges but the index of jobs",
        reference="with traces, and with what each line of a log repeated",
        reference_value=SPEECH_BEFORE,
        bar=1.0,
    )


def table() -> str:
    """Markdown: one row per kind of call, one column per batch size."""
    batches = [run(size) for size in SIZES]
    names = sorted({name for batch in batches for name in batch.calls.calls})
    rows = [
        ["per 1,000 requests", *(f"batch of {batch.size}" for batch in batches)],
        ["---", *("---:" for _ in batches)],
        ["dispatch, announce and aggregate invocations, each", *(_count(1, batch) for batch in batches)],
        ["`sqs:ReceiveMessage`, `sqs:DeleteMessageBatch` (by Lambda)", *(_count(_QUEUE_CALLS, b) for b in batches)],
        *([_label(name), *(_count(batch.calls.calls[name], batch) for batch in batches)] for name in names),
        ["AWS calls in all, at most", *(_count(_QUEUE_CALLS + batch.calls.calls.total(), batch) for batch in batches)],
        ["DynamoDB write units", *(_count(batch.write_units, batch) for batch in batches)],
        [
            "of the index of jobs, beside them",
            *(_count(batch.index_units, batch) for batch in batches),
        ],
        ["DynamoDB read units", *(_count(sum(batch.calls.reads.values()), batch) for batch in batches)],
        ["megabytes of logs that the functions write", *(f"{_log_megabytes(batch):.1f}" for batch in batches)],
    ]
    return "\n".join(_line(row) for row in rows)


def dollars() -> str:
    """Markdown: what AWS charges for a thousand requests, line by line, by kind and size of batch."""
    alone, ten = (run(size) for size in SIZES)
    columns = {
        "speech alone": bill.of(alone, bill.SPEECH_SECONDS),
        "speech, batch 10": bill.of(ten, bill.SPEECH_SECONDS),
        "picture alone": bill.of(alone, bill.PICTURE_SECONDS),
        "picture, batch 10": bill.of(ten, bill.PICTURE_SECONDS),
        "clip": bill.of_a_clip(ten),
    }
    rows = [
        ["dollars per 1,000", *columns],
        ["---", *("---:" for _ in columns)],
        *([name, *(f"{each.lines[name]:.4f}" for each in columns.values())] for name in bill.LINES),
        ["**sum**", *(f"**{each.total:.4f}**" for each in columns.values())],
        ["with `Traces=on`, at most", *(f"{each.total + each.traces:.4f}" for each in columns.values())],
    ]
    return "\n".join(_line(row) for row in rows)


def idle() -> str:
    """Markdown: what a month costs in which nothing is asked for."""
    rows = [
        ["an idle month", "dollars"],
        ["---", "---:"],
        *([name, f"{cost:.2f}"] for name, cost in bill.idle().items()),
    ]
    return "\n".join(_line(row) for row in [*rows, ["**sum**", f"**{sum(bill.idle().values()):.2f}**"]])


def _label(name: str) -> str:
    return f"`{name}`, statements (25 a call at most)" if name == STATEMENTS else f"`{name}`"


def _count(of_batch: float, batch: Batch) -> str:
    return f"{of_batch * REQUESTS / batch.size:,.0f}"


def _log_megabytes(batch: Batch) -> float:
    return batch.log_bytes / batch.size * REQUESTS / 1e6


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
