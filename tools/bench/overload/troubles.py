"""Trouble in the middle of the work, with real processes: what is done to four workers, their table and their keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tools.bench.overload.case import KEYS, at_random
from tools.bench.overload.local_aws import TELEMETRY
from tools.bench.overload.processes import BURST, RATE, Vendor, Workers
from tools.local.aws_proxy import AwsProxy

WORKERS: Final = 4
# Two bursts are served.
WARM_UP_SECONDS: Final = 8.0
# Slightly overloaded: after ten seconds a second's work is queued, 7.5 later what quiet tenants are kept is saved up.
SAVED_UP_SECONDS: Final = 18.0
AWAY_SECONDS: Final = 30.0
# A dead worker's messages return after so long; the function's timeout too, so that its jobs may be taken over.
WORKER_SECONDS: Final = 10.0
DEATHS_APART_SECONDS: Final = 6.0
# The possible is computed in steps of this.
STEP_SECONDS: Final = 0.005


@dataclass(frozen=True)
class Stage:
    """What a trouble may touch."""

    vendor: Vendor
    workers: Workers
    proxy: AwsProxy
    keys: Sequence[str]


def nothing(_: Stage) -> None:
    """The trouble is there from the beginning."""


@dataclass(frozen=True)
class Trouble:
    """What happens, and when. Seconds after the start.

    Attributes:
        load: Of all five keys.
        at: When it happens.
        until: How long messages are published.
        since: From when on is measured.
        keys_left: How many keys may be used afterwards.
        skews: By how much each worker's clock is wrong.
        seconds: The function's timeout.
        concurrency: Declared of each key; None declares none.
    """

    name: str
    load: float
    at: float
    until: float
    happens: Callable[[Stage], None] = nothing
    since: float = WARM_UP_SECONDS
    keys_left: int = KEYS
    skews: tuple[float, ...] = (0.0,) * WORKERS
    seconds: float = 60.0
    concurrency: int | None = None

    @property
    def slug(self) -> str:
        """For names of keys and ids of jobs."""
        return self.name.replace(" ", "-")

    def arrivals(self) -> list[float]:
        """Seconds after the start, at random."""
        return at_random(self.name, self.load, self.until)

    def within(self, served: Sequence[float]) -> int:
        """How many of these moments are measured."""
        return sum(self.since <= at < self.until for at in served)

    def possible(self) -> list[float]:
        """When the same requests would be served by one who has all keys' tokens in one bucket and loses nothing."""
        arrivals = self.arrivals()
        served: list[float] = []
        tokens, keys = float(KEYS * BURST), KEYS
        for step in range(round(self.until / STEP_SECONDS)):
            now = step * STEP_SECONDS
            if now >= self.at:
                keys = self.keys_left
            tokens = min(keys * BURST, tokens + keys * RATE * STEP_SECONDS)
            while tokens >= 1.0 and len(served) < len(arrivals) and arrivals[len(served)] <= now:
                served.append(now)
                tokens -= 1.0
        return served


def _die(stage: Stage) -> None:
    """Two of them, one after the other; others begin in their place."""
    for pause in (DEATHS_APART_SECONDS, 0.0):
        stage.workers.kill(0)
        stage.workers.start(seconds=WORKER_SECONDS, skews=[0.0])
        time.sleep(pause)


def _refuse(stage: Stage) -> None:
    with stage.proxy.trouble("dynamodb", TELEMETRY):
        time.sleep(AWAY_SECONDS)


def _reject(stage: Stage) -> None:
    stage.vendor.control(reject=list(stage.keys[:2]))


def _exhaust(stage: Stage) -> None:
    stage.vendor.control(exhaust=[stage.keys[0]])


TROUBLES: Final = (
    # A worker takes its batch's permits along, half a second of all keys; two in forty seconds are many deaths.
    Trouble("workers die with leases", 1.2, 22.0, 58.0, _die, since=SAVED_UP_SECONDS, seconds=WORKER_SECONDS),
    Trouble("workers die with slots", 0.9, 12.0, 28.0, _die, seconds=WORKER_SECONDS, concurrency=4),
    Trouble("table away 30 s", 0.9, 10.0, 50.0, _refuse),
    Trouble("two of five keys rejected", 0.9, 12.0, 34.0, _reject, keys_left=3),
    Trouble("an account out of quota", 0.9, 12.0, 34.0, _exhaust, keys_left=4),
    Trouble("clocks wrong by 2 s", 1.2, 0.0, 34.0, since=SAVED_UP_SECONDS, skews=(-2.0, -1.0, 1.0, 2.0)),
)
