"""The outage on the local stack: the deployed template, one worker and four, 20 requests a second, a real subscriber.

Measured is what a test must not judge on a busy machine: how many calls still reach the provider, and how soon it is
known. Each number of workers has a stack of its own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tools.bench.result import Measurement
from tools.local.outage.calls import calls_after_first_fault
from tools.local.outage.drill import ORDER, Drill, set_workers
from tools.local.outage.inbox import Inbox
from tools.local.plan import provider_parameters
from tools.local.simulator import simulator_keys
from tools.local.stack import LocalStack
from tools.simulator.process import SimulatorProcess

PER_SECOND = 20.0
WINDOW_SECONDS = 20.0
KNOWN_SAMPLES = 100
MAX_WAIT_SECONDS = 90.0
# What is promised.
ALERT_SECONDS = 5.0
CALLS = {1: 3, 4: 6}  # by workers
SUCCEEDED = "succeeded"


@dataclass(frozen=True)
class Seen:
    """Seconds after the first fault had come back to a worker, calls in the window after that, and requests in all that
    did not succeed.
    """

    down: float
    alert: float
    calls: int
    failed: int


def measure() -> Iterator[Measurement]:
    """Calls, failures, and seconds from the first fault to the record and to the alert in the subscriber's queue."""
    for workers, calls in CALLS.items():
        seen = _seen(workers)
        reservation_of = f"what is promised; workers: {workers}, {PER_SECOND:g} requests/s"
        after = "s after the first fault"
        yield Measurement(
            f"outage-calls-on-stack-{workers}", seen.calls, "calls in the 20 s after", reservation_of, calls, 1.0
        )
        yield Measurement(f"outage-down-recorded-{workers}", seen.down, after, reservation_of, ALERT_SECONDS, 1.0)
        yield Measurement(f"outage-alert-received-{workers}", seen.alert, after, reservation_of, ALERT_SECONDS, 1.0)
        yield Measurement(f"outage-failed-on-stack-{workers}", seen.failed, "requests that failed", "one", 1.0, 0.0)


def _seen(workers: int) -> Seen:
    with ExitStack() as stack:
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outage-")))
        simulator = stack.enter_context(SimulatorProcess())
        local = stack.enter_context(
            LocalStack.start(workdir, parameters=provider_parameters(simulator.urls), secret=simulator_keys())
        )
        set_workers(local, workers)
        topic = local.outputs["ProviderAlertsTopicArn"]
        inbox = Inbox(local.client("sqs"), local.client("sns"), topic, "outage-bench")
        # A minute's sweep, as the schedule runs it: a stack that is in use has had one.
        local.client("lambda").invoke(FunctionName=local.outputs["ProbeProvidersFunctionName"], Payload=b"{}")
        return one_outage(Drill(local, simulator.client, inbox, ORDER))


def one_outage(drill: Drill, name: str = "bench") -> Seen:
    """Break the provider for 20 seconds under traffic; *name* begins the ids of its requests.

    Raises:
        NothingCame: It was never in use, nobody was told, or requests were never settled.
    """
    with drill.traffic(name, per_second=PER_SECOND) as ids:
        drill.warm(KNOWN_SAMPLES, max_wait=MAX_WAIT_SECONDS)
        with drill.broken():
            broken_at = time.time()
            (at, alert), *_ = drill.until("an alert", lambda: drill.told("opened"), max_wait=MAX_WAIT_SECONDS)
            time.sleep(max(0.0, broken_at + WINDOW_SECONDS + 1 - time.time()))
    statuses = drill.until("the end of all", lambda: _settled(drill.stack, ids), max_wait=MAX_WAIT_SECONDS)
    failed = sum(status != SUCCEEDED for status in statuses)
    calls = drill.all_calls(max_wait=MAX_WAIT_SECONDS)
    first = min(call.ended for call in calls if call.failed)
    return Seen(alert.at - first, at - first, len(calls_after_first_fault(calls, within=WINDOW_SECONDS)), failed)


def _settled(stack: LocalStack, ids: Sequence[str]) -> list[str]:
    """How the jobs ended; nothing while one of them has not."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["JobsTableName"])
    found = {item["request_id"]["S"]: item for page in pages for item in page["Items"]}
    ended = [found[each]["status"]["S"] for each in ids if each in found and "settled_at" in found[each]]
    return ended if len(ended) == len(ids) else []
