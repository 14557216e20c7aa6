"""What still was served in each trouble, by how much a limit was exceeded, and whether anything was lost."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tools.bench.overload.case import KEYS, LEAD_SECONDS, publish
from tools.bench.overload.local_aws import LocalAws, local_aws
from tools.bench.overload.processes import BURST, Vendor, Workers, vendor
from tools.bench.overload.troubles import TROUBLES, WORKERS, Stage, Trouble
from tools.bench.result import FOLDER, Measurement
from tools.local.aws_proxy import AwsProxy

DRAIN_SECONDS: Final = 60.0
GOODPUT_LOST, BURSTS = 0.05, 1.0
ROWS: Final = FOLDER / "troubles-rows.json"


@dataclass(frozen=True)
class Row:
    """One trouble: `goodput` of what remained possible, `excess` in bursts beyond a limit, `unserved` requests."""

    name: str
    load: float
    goodput: float
    waste: float
    excess: float
    unserved: int

    @property
    def holds(self) -> bool:
        """Whether all bars are met."""
        return 1.0 - self.goodput <= GOODPUT_LOST and self.excess <= BURSTS and not self.unserved

    def facts(self) -> dict[str, Any]:
        """As JSON, rounded for people."""
        facts = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {**facts, "holds": self.holds}


def measure(troubles: Sequence[Trouble] = TROUBLES) -> Iterator[Measurement]:
    """The worst trouble against each bar."""
    with ExitStack() as stack:
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="troubles-")))
        server, aws = stack.enter_context(vendor()), stack.enter_context(local_aws(workdir))
        proxy = AwsProxy()
        stack.callback(proxy.close)
        proxy.target = aws.endpoint
        rows = [run(each, aws, server, proxy) for each in troubles]
    FOLDER.mkdir(parents=True, exist_ok=True)
    ROWS.write_text(json.dumps([each.facts() for each in rows], indent=1) + "\n", encoding="utf-8")
    lost = max(rows, key=lambda each: 1.0 - each.goodput)
    yield _result("troubles-goodput-lost", 1.0 - lost.goodput, "of what remained", lost, rows, GOODPUT_LOST)
    over = max(rows, key=lambda each: each.excess)
    yield _result("troubles-excess", over.excess, "bursts beyond a limit", over, rows, BURSTS)
    left = max(rows, key=lambda each: each.unserved)
    yield _result("troubles-unserved", left.unserved, "requests", left, rows, 0.0)


def run(trouble: Trouble, aws: LocalAws, server: Vendor, proxy: AwsProxy) -> Row:
    """One trouble, from the first message until the queue is empty."""
    queue = aws.queue(trouble.slug, visibility=trouble.seconds)
    keys = [f"silent-{trouble.slug}-{number}" for number in range(KEYS)]
    workers = Workers(queue, proxy.url, server.url, keys, count=WORKERS, concurrency=trouble.concurrency)
    try:
        workers.start(seconds=trouble.seconds, skews=trouble.skews)
        start, stage = time.time() + LEAD_SECONDS, Stage(server, workers, proxy, keys)
        timer = threading.Timer(LEAD_SECONDS + trouble.at, trouble.happens, [stage])
        timer.start()
        publish(queue, trouble.slug, trouble.arrivals(), start)
        timer.join()
        queue.await_empty(DRAIN_SECONDS)
    finally:
        workers.end()
    unserved = len(trouble.arrivals()) - aws.job_statuses(trouble.slug)["succeeded"]
    return _row(trouble, server.tally(keys), start, unserved + queue.parked)


def _row(trouble: Trouble, told: dict[str, Any], start: float, unserved: int) -> Row:
    served = [at - start for at in told["served"]]
    goodput = trouble.within(served) / trouble.within(trouble.possible())
    waste = len(told["refused"]) / max(1, len(served) + len(told["refused"]))
    return Row(trouble.name, trouble.load, goodput, waste, told["excess"] / BURST, unserved)


def _result(name: str, value: float, unit: str, worst: Row, rows: Sequence[Row], bar: float) -> Measurement:
    where = f"worst of {len(rows)} troubles: {worst.name}"
    return Measurement(name, max(0.0, value), unit, where, bar or 1.0, 1.0 if bar else 0.0)


def table() -> str:
    """All troubles, as they were measured last."""
    head = ["| trouble | load | goodput | waste | bursts beyond a limit | unserved | holds |", f"|{' --- |' * 7}"]
    return "\n".join([*head, *(_line(each) for each in json.loads(ROWS.read_text(encoding="utf-8")))])


def _line(row: dict[str, Any]) -> str:
    numbers = f"{row['goodput']:.3f} | {100 * row['waste']:.1f} % | {row['excess']:.2f} | {row['unserved']}"
    return f"| {row['name']} | {row['load']:g} | {numbers} | {'yes' if row['holds'] else '**no**'} |"
