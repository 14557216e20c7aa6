"""One case: the same arrivals for every side, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Final

from tools.bench.overload.local_aws import LocalAws, Queue
from tools.bench.overload.processes import RATE, Peers, Vendor, Workers

KEYS: Final = 5
SECONDS: Final = 12.0
OVERLOADED_SECONDS: Final = 24.0
# The buckets are full at first; overloaded, they are empty after this, and what quiet tenants are kept is saved up.
WARM_UP_SECONDS: Final = 8.0
# Below capacity: what is served this long after the last arrival was served in time.
IN_TIME_SECONDS: Final = 1.0
# From the order to the first arrival, so that all sides begin together.
LEAD_SECONDS: Final = 0.5
TICK_SECONDS: Final = 0.05
DRAIN_SECONDS: Final = 60.0
FUNCTION_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Case:
    """So many workers, such a load, and whether a 429 names a wait."""

    workers: int
    load: float
    told: bool

    @property
    def name(self) -> str:
        """Unique among the cases; part of key names and job ids."""
        return f"{self.workers}-workers-load-{self.load:g}-{'told' if self.told else 'silent'}".replace(".", "")

    @property
    def seconds(self) -> float:
        """How long requests arrive."""
        return SECONDS if self.load < 1.0 else OVERLOADED_SECONDS

    def keys(self, side: str) -> list[str]:
        """Of one side: nobody draws on another's limits."""
        return [f"{'told' if self.told else 'silent'}-{self.name}-{side}-{number}" for number in range(KEYS)]

    def arrivals(self) -> list[float]:
        """Seconds after the start, at random."""
        return at_random(self.name, self.load, self.seconds)


def at_random(seed: str, load: float, seconds: float) -> list[float]:
    """Moments of requests, in seconds after the start, at such a load of all keys."""
    rng, at, moments = Random(seed), 0.0, []  # noqa: S311 # repeatable runs, not secrets
    while (at := at + rng.expovariate(load * KEYS * RATE)) < seconds:
        moments.append(at)
    return moments


@dataclass(frozen=True)
class Row:
    """What one side came to. `goodput` is of what was possible, `waste` of its calls, `failed` of its requests."""

    side: str
    workers: int
    load: float
    told: bool
    goodput: float
    waste: float
    failed: float
    excess: float

    def facts(self) -> dict[str, Any]:
        """As JSON, rounded for people."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def run(case: Case, aws: LocalAws, vendor: Vendor, peers: Mapping[str, Peers]) -> list[Row]:
    """All sides. Below capacity they go side by side, on keys of their own; an overload each has for itself."""
    begun = _Peers(case, vendor, peers)
    together = case.load < 1.0
    ours = _ours(case, aws, vendor, begun.begin if together else None)
    if not together:
        begun.begin(time.time() + LEAD_SECONDS)
    return [ours, *begun.rows()]


class _Peers:
    """The peers' part of a case."""

    def __init__(self, case: Case, vendor: Vendor, peers: Mapping[str, Peers]) -> None:
        self._case, self._vendor, self._peers = case, vendor, peers
        self._start = 0.0

    def begin(self, start: float) -> None:
        """Give the order."""
        case, self._start = self._case, start
        for side, processes in self._peers.items():
            processes.begin(self._vendor.url, case.keys(side), case.arrivals(), start, case.workers)

    def rows(self) -> list[Row]:
        """Wait for what they say."""
        rows = []
        for side, processes in self._peers.items():
            ends = processes.outcome(self._case.workers)
            failed = ends["failed"] / sum(ends.values())
            rows.append(_row(side, self._case, self._vendor, self._start, failed))
        return rows


def _ours(case: Case, aws: LocalAws, vendor: Vendor, also: Any) -> Row:
    queue = aws.queue(case.name, visibility=6 * FUNCTION_SECONDS)
    workers = Workers(queue, aws.endpoint, vendor.url, case.keys("ours"), count=case.workers)
    try:
        workers.start(seconds=FUNCTION_SECONDS, skews=[0.0] * case.workers)
        start = time.time() + LEAD_SECONDS
        if also:
            also(start)
        publish(queue, case.name, case.arrivals(), start)
        queue.await_empty(DRAIN_SECONDS)
    finally:
        workers.end()
    published = len(case.arrivals())
    served = aws.job_statuses(case.name)["succeeded"]
    return _row("ours", case, vendor, start, (published - served + queue.parked) / published)


def publish(queue: Queue, name: str, arrivals: Sequence[float], start: float) -> None:
    """Send each message at its moment, those of a tick together."""
    left = list(enumerate(arrivals))
    while left:
        time.sleep(TICK_SECONDS)
        due = [number for number, at in left if start + at <= time.time()]
        left = left[len(due) :]
        queue.send([_request(f"{name}-{number}") for number in due])


def _request(request_id: str) -> dict[str, Any]:
    return {"request_id": request_id, "kind": "tts", "input": {"text": request_id}, "providers": ["openai-tts"]}


def _row(side: str, case: Case, vendor: Vendor, start: float, failed: float) -> Row:
    told = vendor.tally(case.keys(side))
    calls = len(told["served"]) + len(told["refused"])
    good = _goodput(case, [at - start for at in told["served"]])
    waste = len(told["refused"]) / max(1, calls)
    return Row(side, case.workers, case.load, case.told, good, waste, failed, told["excess"])


def _goodput(case: Case, served: Sequence[float]) -> float:
    """Of what was possible: of all that was asked for, or overloaded, of the keys' rates once the buckets are empty."""
    if case.load < 1.0:
        return sum(at <= case.seconds + IN_TIME_SECONDS for at in served) / len(case.arrivals())
    within = sum(WARM_UP_SECONDS <= at < case.seconds for at in served)
    return within / (KEYS * RATE * (case.seconds - WARM_UP_SECONDS))
