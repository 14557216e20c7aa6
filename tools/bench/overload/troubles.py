"""Trouble in the middle of the work, with real processes: what still was served, and by how much a limit was exceeded.

Four workers behind a proxy that can make a table refuse. The vendor keeps the accounts, refused calls included.
"""

from __future__ import annotations

import json
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.support.aws_proxy import AwsProxy
from tools.bench.overload.case import KEYS, LEAD_SECONDS, publish
from tools.bench.overload.local_aws import TELEMETRY, LocalAws, local_aws
from tools.bench.overload.processes import BURST, RATE, Vendor, Workers, vendor
from tools.bench.result import FOLDER, Measurement

WORKERS: Final = 4
DRAIN_SECONDS: Final = 90.0
ROWS: Final = FOLDER / "overload-troubles-rows.json"


@dataclass(frozen=True)
class Stage:
    """What a trouble may touch."""

    vendor: Vendor
    workers: Workers
    proxy: AwsProxy
    keys: Sequence[str]


@dataclass(frozen=True)
class Trouble:
    """What happens, and when to measure. Seconds after the first arrival.

    Attributes:
        load: Of all five keys.
        at: When it happens.
        until: How long messages are published.
        keys_left: How many keys may be used afterwards.
        skews: By how much each worker's clock is wrong.
        lease_seconds: The functions' timeout, after which a dead worker's messages return.
        warm_up: Measured only after this.
    """

    name: str
    load: float
    at: float
    until: float
    happens: Callable[[Stage], None] = lambda _: None
    keys_left: int = KEYS
    skews: tuple[float, ...] = (0.0,) * WORKERS
    lease_seconds: float = 60.0
    warm_up: float = 4.0

    @property
    def slug(self) -> str:
        """For names of keys and ids of jobs."""
        return self.name.replace(" ", "-")

    def arrivals(self) -> list[float]:
        """Seconds after the start, at random."""
        rng, at, moments = Random(self.name), 0.0, []  # noqa: S311 # repeatable runs, not secrets
        while (at := at + rng.expovariate(self.load * KEYS * RATE)) < self.until:
            moments.append(at)
        return moments


@dataclass(frozen=True)
class Row:
    """`goodput` of what remained to be had, `unserved` requests, `excess` in bursts beyond a limit."""

    name: str
    goodput: float
    unserved: int
    excess: float


def _kill_one(stage: Stage) -> None:
    stage.workers.kill(0)
    stage.workers.start(seconds=WORKER_SECONDS, skews=[0.0])


def _refuse(stage: Stage) -> None:
    with stage.proxy.trouble("dynamodb", TELEMETRY):
        time.sleep(30.0)


# A dead worker's job may be taken over, and its messages are seen again, soon enough for a bench to wait.
WORKER_SECONDS: Final = 10.0
TROUBLES: Final = (
    Trouble("a worker dies", 2.0, 8.0, 25.0, _kill_one, lease_seconds=WORKER_SECONDS),
    Trouble("the table refuses for 30 s", 0.9, 5.0, 40.0, _refuse),
    Trouble(
        "two of five keys rejected", 0.9, 6.0, 20.0, lambda stage: stage.vendor.control(reject=[*stage.keys[:2]]), 3
    ),
    Trouble("an account out of quota", 0.9, 6.0, 20.0, lambda stage: stage.vendor.control(exhaust=[stage.keys[0]]), 4),
    Trouble("clocks wrong by 2 s", 0.9, 0.0, 20.0, skews=(-2.0, -1.0, 1.0, 2.0)),
)


def measure(troubles: Sequence[Trouble] = TROUBLES) -> Iterator[Measurement]:
    """The worst against each bar."""
    with ExitStack() as stack:
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="troubles-")))
        server, aws = stack.enter_context(vendor()), stack.enter_context(local_aws(workdir))
        proxy = AwsProxy()
        stack.callback(proxy.close)
        proxy.target = aws.endpoint
        rows = [run(each, aws, server, proxy) for each in troubles]
    FOLDER.mkdir(parents=True, exist_ok=True)
    ROWS.write_text(json.dumps([asdict(each) for each in rows], indent=1) + "\n", encoding="utf-8")
    yield _worst("overload-troubles-goodput-lost", rows, lambda each: 1.0 - each.goodput, 0.05, "of what remained")
    yield _worst("overload-troubles-excess", rows, lambda each: each.excess, 1.0, "bursts beyond a limit")
    yield _worst("overload-troubles-unserved", rows, lambda each: float(each.unserved), 0.0, "requests")


def run(trouble: Trouble, aws: LocalAws, server: Vendor, proxy: AwsProxy) -> Row:
    """One trouble."""
    queue = aws.queue(trouble.slug, visibility=trouble.lease_seconds)
    keys = [f"{trouble.slug}-{number}" for number in range(KEYS)]
    workers = Workers(queue, proxy.url, server.url, keys, count=WORKERS)
    try:
        workers.start(seconds=trouble.lease_seconds, skews=trouble.skews)
        start = time.time() + LEAD_SECONDS
        timer = threading.Timer(LEAD_SECONDS + trouble.at, lambda: trouble.happens(Stage(server, workers, proxy, keys)))
        timer.start()
        publish(queue, trouble.slug, trouble.arrivals(), start)
        queue.await_empty(DRAIN_SECONDS)
        timer.join()
    finally:
        workers.end()
    told = server.tally(keys)
    served = [at - start for at in told["served"]]
    unserved = len(trouble.arrivals()) - aws.job_statuses(trouble.slug)["succeeded"]
    return Row(trouble.name, _goodput(trouble, served), unserved + queue.parked, told["excess"] / BURST)


def _goodput(trouble: Trouble, served: Sequence[float]) -> float:
    """Of what could be had from the warm-up on: what was asked for, or what the keys that are left allow."""
    begin, end = trouble.warm_up, trouble.until
    before, after = max(0.0, min(trouble.at, end) - begin), end - max(begin, trouble.at)
    asked = trouble.load * KEYS * (before + after)
    left = KEYS * before + trouble.keys_left * after
    if trouble.load < trouble.keys_left / KEYS:
        return sum(at <= end + 1.0 for at in served) / len(trouble.arrivals())
    return sum(begin <= at < end for at in served) / (RATE * min(asked, left))


def _worst(name: str, rows: Sequence[Row], number: Callable[[Row], float], bar: float, unit: str) -> Measurement:
    worst = max(rows, key=number)
    where = f"worst of {len(rows)} troubles: {worst.name}"
    return Measurement(name, max(0.0, number(worst)), unit, where, bar or 1.0, 1.0 if bar else math.ulp(0.0))
