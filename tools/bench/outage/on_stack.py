"""The outage on the local stack: the deployed template, four workers, 20 requests a second, a subscriber's queue.

Measured is what a test must not judge on a busy machine: how many calls still reach the provider, and how soon it is
known.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tools.bench.result import Measurement
from tools.local.plan import provider_parameters
from tools.local.simulator import simulator_keys
from tools.local.stack import LocalStack
from tools.outage.calls import calls_after_first_fault
from tools.outage.drill import PROVIDER, Drill, set_workers
from tools.outage.inbox import Inbox
from tools.simulator.process import SimulatorProcess

PER_SECOND = 20.0
WORKERS = 4
WINDOW_SECONDS = 20.0
KNOWN_SAMPLES = 100
PATIENCE_SECONDS = 90.0
# What is promised.
ALERT_SECONDS = 5.0
CALLS = 6
ORDER = (PROVIDER, "elevenlabs-tts")


@dataclass(frozen=True)
class Seen:
    """Seconds after the first fault had come back to a worker, and calls in the window after that."""

    down: float
    alert: float
    calls: int


def measure() -> Iterator[Measurement]:
    """Seconds from the first fault to the record, and to the alert in the subscriber's queue."""
    with ExitStack() as stack:
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outage-")))
        simulator = stack.enter_context(SimulatorProcess())
        local = stack.enter_context(
            LocalStack.start(workdir, parameters=provider_parameters(simulator.urls), secret=simulator_keys())
        )
        set_workers(local, WORKERS)
        topic = local.outputs["ProviderAlertsTopicArn"]
        inbox = Inbox(local.client("sqs"), local.client("sns"), topic, "outage-bench")
        # A minute's sweep, as the schedule runs it: a stack that is in use has had one.
        local.client("lambda").invoke(FunctionName=local.outputs["ProbeProvidersFunctionName"], Payload=b"{}")
        seen = one_outage(Drill(local, simulator.client, inbox, ORDER))
    promised = f"what is promised; {WORKERS} workers, {PER_SECOND:g} requests/s"
    yield Measurement("outage-calls-on-stack", seen.calls, "calls in the 20 s after", promised, CALLS, 1.0)
    yield Measurement("outage-down-recorded", seen.down, "s after the first fault", promised, ALERT_SECONDS, 1.0)
    yield Measurement("outage-alert-received", seen.alert, "s after the first fault", promised, ALERT_SECONDS, 1.0)


def one_outage(drill: Drill, name: str = "bench") -> Seen:
    """Break the provider for 20 seconds under traffic; *name* begins the ids of its requests.

    Raises:
        NothingCame: It was never in use, or nobody was told.
    """
    with drill.traffic(name, per_second=PER_SECOND):
        drill.warm(KNOWN_SAMPLES, patience=PATIENCE_SECONDS)
        with drill.broken():
            broken_at = time.time()
            (at, alert), *_ = drill.until("an alert", lambda: drill.told("opened"), patience=PATIENCE_SECONDS)
            time.sleep(max(0.0, broken_at + WINDOW_SECONDS + 1 - time.time()))
    calls = drill.calls()
    first = min(call.ended for call in calls if call.failed)
    return Seen(alert.at - first, at - first, len(calls_after_first_fault(calls, within=WINDOW_SECONDS)))
