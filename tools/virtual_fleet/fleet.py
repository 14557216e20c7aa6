"""Workers, requests and calls in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import simpy
from pydantic import SecretStr

from mediarelay.health.fleet_view import FleetHealth
from mediarelay.keys.pool import KeyEntry
from mediarelay.keys.pools import TakenKey
from mediarelay.metrics.tally import Attempt, cause_of
from mediarelay.providers.offers import Offer
from mediarelay.results.result_store import Purchase
from mediarelay.routing.order import decide
from mediarelay.serving.attempts import AttemptResult
from mediarelay.serving.failover import Budget, Deferred, Delivered, Ending, Reserve, Reserved, TakeKey, Wait
from mediarelay.serving.flow_driver import CallDue, FlowDriver
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome
from tools.virtual_fleet.board import Board
from tools.virtual_fleet.providers import Behaviour
from tools.virtual_fleet.telemetry import Telemetry

# 2026-08-01 12:00 UTC
EPOCH = 1_785_585_600.0
WORKER_SECONDS = 60.0
T = TypeVar("T")
Process = Generator[Any, Any, T]


class AtOnce(Executor):
    """Runs what is submitted there and then: virtual time knows no background."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `Executor.submit`."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class VirtualClock:
    """Implements `vocabulary.clock.Clock` on simulated time."""

    env: simpy.Environment

    def now(self) -> float:
        """Unix seconds."""
        return EPOCH + float(self.env.now)

    def sleep(self, seconds: float) -> None:
        """Nothing sleeps in virtual time: processes yield."""
        raise AssertionError(f"somebody slept {seconds} s in virtual time")


@dataclass(frozen=True)
class CallMade:
    """One call to a provider; moments in seconds since the start."""

    provider: str
    worker: int
    started: float
    ended: float
    outcome: Outcome


@dataclass
class Fleet:
    """So many workers that share records and permits.

    Attributes:
        providers: By name; all of one kind.
        rate: Requests per second, evenly spaced.
        workers: How many; each request goes to one at random, as SQS does it.
        delay: From an attempt's end to its record in the stream's batch, seconds.
        every: How often the aggregator is invoked, seconds.
        calls: Every call made.
        failed: Requests that came back to their publisher as failed.
        delivered: Requests that were served.
    """

    providers: Mapping[str, Behaviour]
    rate: float
    workers: int = 1
    delay: float = 0.5
    every: float = 0.5
    seed: int = 0
    strategy: str = "fastest"
    calls: list[CallMade] = field(default_factory=list)
    failed: int = 0
    delivered: int = 0

    def __post_init__(self) -> None:
        self.env = simpy.Environment()
        self.rng = Random(self.seed)  # noqa: S311 # dice of a simulation
        self.telemetry = Telemetry(self.env, EPOCH, self.delay, self.every)
        self.clock, board = VirtualClock(self.env), Board(self.telemetry)
        self._health = [
            FleetHealth(
                board,
                kinds=dict.fromkeys(self.providers, Kind.TTS),
                has_keys=lambda _: True,
                clock=self.clock,
                background=AtOnce(),
            )
            for _ in range(self.workers)
        ]

    def run(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        self.env.process(self.telemetry.run())
        self.env.process(self._publish(seconds))
        self.env.run(until=seconds)

    def _publish(self, seconds: float) -> Process[None]:
        number = 0
        while self.env.now < seconds:
            number += 1
            self.env.process(self._serve(f"job-{number}", self.rng.randrange(self.workers)))
            yield self.env.timeout(1 / self.rate)

    def _serve(self, job_id: str, worker: int) -> Process[None]:
        """One request until it is settled; a deferral is another delivery, to any worker."""
        while True:
            ending = yield from self._deliver(job_id, worker)
            if not isinstance(ending, Deferred):
                break
            yield self.env.timeout(max(1.0, ending.requeue_at - EPOCH - self.env.now))
            worker = self.rng.randrange(self.workers)
        if isinstance(ending, Delivered):
            self.delivered += 1
        else:
            self.failed += 1

    def _deliver(self, job_id: str, worker: int) -> Process[Ending]:
        health = self._health[worker]
        health.refresh()
        order = decide(self._offers(health), self.strategy, rng=self.rng).order
        now = EPOCH + self.env.now
        budget = Budget(expires_at=now + 3600, worker_ends_at=now + WORKER_SECONDS)
        driver = FlowDriver(EndlessKeys(), health, self.clock, self.rng)
        with health.waiting(job_id, order):
            steps = driver.steps([offer.provider for offer in order], budget, FleetWork(job_id, now + WORKER_SECONDS))
            result: AttemptResult | None = None
            try:
                while True:
                    match steps.send(result):
                        case Wait(seconds=seconds):
                            yield self.env.timeout(seconds)
                            result = None
                        case CallDue(provider=name):
                            result = yield from self._call(name, worker, job_id)
            except StopIteration as stop:
                ending: Ending = stop.value
                return ending

    def _offers(self, health: FleetHealth) -> Sequence[Offer]:
        return [
            Offer(name, 0.01, health.expected_seconds(name, 1.0), 10, health.availability(name), health.pending(name))
            for name in self.providers
        ]

    def _call(self, name: str, worker: int, job_id: str) -> Process[AttemptResult]:
        started = self.env.now
        outcome, seconds = self.providers[name].call(started, self.rng)
        yield self.env.timeout(seconds)
        self.calls.append(CallMade(name, worker, started, self.env.now, outcome))
        started_at, took = round((EPOCH + started) * 1000), round(seconds * 1000)
        self.telemetry.note(name, Attempt(outcome, started_at, took, cause=cause_of(job_id)))
        if outcome is Outcome.DELIVERED:
            return AttemptResult(Purchase(name, "model", "key", 0.0, ()), None, 200)
        return AttemptResult(None, Failure(outcome, "server_error", status=500), 500)


class EndlessKeys:
    """Implements `flow_driver.KeysInUse`: what is simulated is the providers' health, and keys say nothing of that."""

    def delivered(self, key: TakenKey, provider: str, *, limit: Limit | None = None) -> None:
        """See `flow_driver.KeysInUse.delivered`."""

    def failed(self, key: TakenKey, provider: str, failure: Failure) -> None:
        """See `flow_driver.KeysInUse.failed`."""

    def abandoned(self, key: TakenKey, provider: str) -> None:
        """See `flow_driver.KeysInUse.abandoned`."""


@dataclass
class FleetWork:
    """Implements `flow_driver.Work`: a request that any key serves."""

    job_id: str
    worker_ends_at: float
    key: TakenKey | None = None

    def too_dear(self, provider: str) -> bool:
        """See `flow_driver.Work.too_dear`: its money has no end."""
        del provider
        return False

    def take_key(self, step: TakeKey) -> TakenKey:
        """See `flow_driver.Work.take_key`."""
        return TakenKey(KeyEntry("key", step.provider), SecretStr(""), 0.0)

    def return_key(self, key: TakenKey, provider: str) -> None:
        """See `flow_driver.Work.return_key`."""

    def reserve(self, step: Reserve) -> Reserved:
        """See `flow_driver.Work.reserve`: there are no lines."""
        del step
        return Reserved(None)

    def call(self, provider: str, key: TakenKey) -> AttemptResult:
        """Calls are made by the fleet, in its own time."""
        raise NotImplementedError(provider)

    def conclude(self, provider: str, key: TakenKey, result: AttemptResult, *, started: float, urgent: bool) -> None:
        """See `flow_driver.Work.conclude`."""
