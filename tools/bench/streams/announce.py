"""How many results a second are announced, and metrics counted, under the share of a processor that Lambda gives.

The shipped handler with its real clients, in a process of its own, against a server that answers at once. Its processor
time is measured; a function of 512 MB has 512/1769 of a processor, so that the same work takes it 3.5 times as long. To
that comes the time in which it waits for SNS. Each shard of a stream has as many invocations at once as the template's
`ParallelizationFactor` says.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.harness.template import load_template
from tools.aws_facts import MB_OF_A_PROCESSOR, PARTITION_WRITES, TABLE_WRITES
from tools.bench.costs.scenario import logged
from tools.bench.instant_server import instant_server
from tools.bench.lambda_environment import printed_by
from tools.bench.result import FOLDER, Measurement
from tools.bench.streams import aggregation
from tools.local.project import ROOT

ROWS: Final = FOLDER / "announce-rows.json"
EVENT: Final = ROOT / "events" / "lambda" / "announce-succeeded.json"
BATCHES: Final = (25, 100)
MEMORIES: Final = (256, 512, 1024)
ROUNDS: Final = 40
WARM_ROUNDS: Final = 5
GOAL: Final = 1000.0  # results a second
# What a call of SNS or DynamoDB within the region takes; assumed, generously.
CALL_SECONDS: Final = 0.015
EVENTS_A_PUBLISH: Final = 10  # SNS's own maximum
# A batch of metrics of one provider: one query, its buckets, one record (aggregation-write-units).
CALLS_OF_A_COUNT: Final = 6
CALLED_BACK: Final = {"callback_url": {"S": "https://hooks.example.com/media"}, "callback_body": {"S": "thin"}}
CALLBACK_BAR: Final = 1.15  # two fields more are read, and an attribute more is sent; nobody is called
SPARE: Final = 2.0  # twice the goal: what an outage has left behind is worked off meanwhile


def measure() -> Iterator[Measurement]:
    """Results a second of the deployed settings, on the shards of a new table; metrics a second of a single shard."""
    processor, called_back = _processor_seconds()
    shards = TABLE_WRITES.value / PARTITION_WRITES.value
    rows = [
        {"memory": memory, "batch": batch, "lane": lane_rate(seconds, batch, memory)}
        for memory in MEMORIES
        for batch, seconds in processor.items()
    ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    ROWS.write_text(json.dumps(rows), encoding="utf-8")
    function, source = deployed("AnnounceResultFunction", "SettledJobs")
    memory, batch = int(function["MemorySize"]), int(source["BatchSize"])
    lanes = shards * int(source["ParallelizationFactor"])
    yield Measurement(
        name="announce-rate",
        value=lanes * lane_rate(processor[batch], batch, memory),
        unit=f"results/s of {lanes:.0f} invocations at once: {memory} MB, batches of {batch}, {shards:.0f} shards",
        reference="a thousand results a second",
        reference_value=GOAL,
        bar=SPARE,
        more_is_better=True,
    )
    yield Measurement(
        name="announce-with-callbacks",
        value=called_back[batch] * 1e6,
        unit=f"µs of a processor a result whose publisher is called back; batches of {batch}",
        reference="the same without",
        reference_value=processor[batch] * 1e6,
        bar=CALLBACK_BAR,
    )
    function, source = deployed("AggregateHealthFunction", "Metrics")
    many = int(source["BatchSize"])
    with logged():  # verdicts are lines of the log
        counted = statistics.median(aggregation.batch_seconds(number) for number in range(aggregation.SAMPLES))
    yield Measurement(
        name="count-rate",
        value=many / (counted / share(int(function["MemorySize"])) + CALLS_OF_A_COUNT * CALL_SECONDS),
        unit=f"metrics/s of one shard: {function['MemorySize']} MB, batches of {many}",
        reference="a thousand calls a second, all of one provider in one shard",
        reference_value=GOAL,
        bar=1.0,
        more_is_better=True,
    )


def share(megabytes: float) -> float:
    """Returns the part of a processor that a function of this memory has."""
    return min(1.0, megabytes / MB_OF_A_PROCESSOR.value)


def lane_rate(processor_seconds: float, batch: int, megabytes: float) -> float:
    """Returns results a second of one invocation after the other, from the processor time of one result."""
    waiting = math.ceil(batch / EVENTS_A_PUBLISH) * CALL_SECONDS
    return batch / (batch * processor_seconds / share(megabytes) + waiting)


def deployed(function: str, event: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Returns a function's properties in the template, and those of one of its events."""
    properties = load_template()["Resources"][function]["Properties"]
    return properties, properties["Events"][event]["Properties"]


def table() -> str:
    """Markdown: results a second of one invocation after the other, by memory and batch."""
    rows = json.loads(ROWS.read_text(encoding="utf-8"))
    head = ["memory", *(f"batch of {batch}" for batch in BATCHES)]
    lines: list[Sequence[str]] = [head, ["---:", *("---:" for _ in BATCHES)]]
    for memory in MEMORIES:
        rates = {row["batch"]: row["lane"] for row in rows if row["memory"] == memory}
        lines.append([f"{memory} MB", *(f"{rates[batch]:,.0f}/s" for batch in BATCHES)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _processor_seconds() -> tuple[dict[int, float], dict[int, float]]:
    """Processor time of one result, by the size of the batch it comes in; and of one that is called back besides."""
    with instant_server() as url:
        taken = printed_by("tools.bench.streams.announce", url=url)
    plain, called_back = ({int(batch): seconds for batch, seconds in each.items()} for each in taken)
    return plain, called_back


def _work() -> None:
    """The function: announce batch after batch, each read from JSON as the runtime reads it."""
    from functions.announce_result import app  # noqa: PLC0415 # with the environment of a function, as in Lambda
    from tools.bench.lambda_events import context  # noqa: PLC0415 # beside it

    taken: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for batch in BATCHES:
        rounds: tuple[list[float], list[float]] = ([], [])
        # In turn, so that both meet the same machine.
        for number in range(2 * ROUNDS):
            payload = json.dumps(_event(number, batch, called_back=bool(number % 2)))
            started = time.process_time()
            answer = app.handler(json.loads(payload), context())
            rounds[number % 2].append((time.process_time() - started) / batch)
            if answer["batchItemFailures"]:
                raise RuntimeError(f"not announced: {answer}")
        for of_kind, seconds in zip(taken, rounds, strict=True):
            of_kind[batch] = statistics.median(seconds[WARM_ROUNDS:])
    print(json.dumps(taken))


def _event(number: int, batch: int, *, called_back: bool) -> dict[str, Any]:
    (record,) = json.loads(EVENT.read_text(encoding="utf-8"))["Records"]
    if called_back:
        record["dynamodb"]["NewImage"] |= CALLED_BACK
    text = json.dumps(record)
    name = record["dynamodb"]["NewImage"]["request_id"]["S"]
    records = []
    for position in range(batch):
        one = json.loads(text.replace(name, f"bench-{number:04d}-{position:04d}"))
        one["dynamodb"]["SequenceNumber"] = str(1 + position)
        records.append(one)
    return {"Records": records}


if __name__ == "__main__":
    _work()
