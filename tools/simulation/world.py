"""A run: the shipped services over stores in memory and vendors whose truth is known, from the first message to the
last.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any, Final, cast

from mediarelay.bootstrap.calling import CallingPorts, JobPorts
from mediarelay.bootstrap.dispatch import DispatchPorts, DispatchSettings, build_batches
from mediarelay.bootstrap.speech import SpeakPorts
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.health.ports import HealthStore
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.providers.registry import ALL_PROVIDERS
from tests.doubles.clock import EPOCH
from tests.doubles.health import MemorySharedHealth
from tests.doubles.jobs import MemoryReuse
from tests.doubles.keys import FixedKeys
from tests.doubles.long_jobs import MemorySlots, MemoryTimes, MemoryUploads
from tests.doubles.media import MemoryMedia
from tests.doubles.queue import LOST, MemoryQueue
from tests.doubles.recording import MemoryCounters
from tools.simulation.arrivals import Request, requests_of
from tools.simulation.aws.machines import Functions, Machines
from tools.simulation.aws.queue import Hands, Queue
from tools.simulation.aws.stores import (
    BUCKET_SECONDS,
    Book,
    CountedLimits,
    LimitsOfWorker,
    Network,
    WatchedJobs,
)
from tools.simulation.aws.telemetry import Telemetry
from tools.simulation.aws.template import facts_of
from tools.simulation.aws.workers import Handling, Process, Workers
from tools.simulation.loop import Crew, Loop, VirtualClock, virtual_threads
from tools.simulation.scenario import Change, Scenario
from tools.simulation.vendors.accounts import Accounts
from tools.simulation.vendors.jobs import AtOnce, VirtualJobs
from tools.simulation.vendors.truth import VendorState, changed
from tools.simulation.vendors.wire import Wire, addresses
from tools.simulator.state.world import World as Simulator

NOWHERE: Final = "nowhere"
_TABLES: Final = ("JOBS_TABLE", "TELEMETRY_TABLE", "RESULTS_BUCKET", "REQUEST_QUEUE_URL", "REQUEST_DLQ_URL")
_MACHINES: Final = ("MEDIA_JOB_STATE_MACHINE_ARN", "LONG_SPEECH_STATE_MACHINE_ARN")


class Run:
    """One scenario, once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.loop = Loop()
        self.book = Book()
        self.requests = requests_of(scenario)
        self._by_body = {request.body: request for request in self.requests}
        self.queue_facts, self.function = facts_of(scenario)
        self.states = {vendor: VendorState(scenario, vendor) for vendor in scenario.pools}
        self._accounts = Accounts(scenario)
        self._clock = VirtualClock(self.loop)
        self.network = Network(self.loop, scenario.outages, self._dice("network"))
        self._at_once = AtOnce()
        simulator = Simulator(self._accounts.at_the_vendors(), self._clock.now)
        self.wire = Wire(self.loop, scenario, self.states, simulator, self._dice("wire"), self._at_once)
        simulator.jobs = VirtualJobs(self.loop, self._clock.now, self._at_once, self.wire.seconds_of_work)
        self.memory = MemoryQueue(self._clock)
        self.queue = Queue(self.loop, self.memory, self.queue_facts, self.book, self._dice("queue"))
        self.jobs = WatchedJobs(self.loop, self.book)
        self.source = FixedKeys(self._accounts.in_the_secret())
        self.telemetry = Telemetry(
            self.loop, self.network, self.book, queued=lambda: self.queue.size, dice=self._dice("telemetry")
        )
        self.limits = CountedLimits()
        self._ports = self._shared_ports()
        by_key = {request.key: request for request in self.requests}
        functions = Functions(self.loop, self._calling, self._speaking, self._environment(), self._dice("functions"))
        self.machines = Machines(self.loop, functions.by_name(), lambda name: by_key.get(name.replace("@", "#")))
        self.workers = Workers(
            self.loop,
            self.queue,
            self.book,
            self.function,
            make=self._process,
            most=scenario.workers,
            dice=self._dice("workers"),
        )

    def run(self) -> None:
        """Let it happen."""
        scenario, loop = self.scenario, self.loop
        for request in self.requests:
            loop.at(request.at, partial(self._publish, request))
        for change in scenario.changes:
            loop.at(change.at, partial(self._change, change))
        with virtual_threads(loop), _quiet():
            self._deaths()
            watched = {name: ALL_PROVIDERS[name] for name in scenario.providers}
            self.telemetry.start(watched, self.wire, self._ports["source"], addresses(), self.limits)
            loop.run(scenario.seconds)
            loop.run(scenario.seconds + scenario.drain_seconds, done=self._all_ended)
            loop.close()
            self._at_once.close()

    def _all_ended(self) -> bool:
        return len(self.book.settled) >= len(self.requests)

    def _dice(self, what: str) -> Random:
        return Random(f"{self.scenario.seed}:{what}")  # noqa: S311 # dice of a simulation

    # --- what happens from outside ----------------------------------------------------------------------------------

    def _publish(self, request: Request) -> None:
        self.book.published += 1
        sent_at = round((EPOCH + self.loop.now) * 1000)
        message = QueueMessage(request.name, request.name, request.body, sent_at, 1, {}, group=request.tenant)
        self.queue.put(message)

    def _change(self, change: Change) -> None:
        state = self.states[change.vendor]
        if change.truth is not None:
            state.become(self.loop.now, changed(state.truth, change.truth), self._accounts.of(change.vendor))
        elif change.add_account is not None:
            for _ in range(change.add_account.repeat):
                self._accounts.add(change.vendor, change.add_account)
                state.add(change.add_account)
            self.wire.simulator.configure(self._accounts.at_the_vendors())
        elif change.remove_account is not None:
            self._accounts.remove(change.vendor, change.remove_account)
        elif change.lost_account is not None:
            error = "bad_key" if change.exhaust_account is None else "quota_exhausted"
            self.wire.lost[change.vendor, change.lost_account] = error
        self.source.keys = self._accounts.in_the_secret()

    def _deaths(self) -> None:
        dice, rate = self._dice("deaths"), self.scenario.deaths_per_minute / 60.0
        at = 0.0
        while rate and (at := at + dice.expovariate(rate)) < self.scenario.seconds:
            self.loop.at(at, self.workers.die)

    # --- the function -----------------------------------------------------------------------------------------------

    def _shared_ports(self) -> dict[str, Any]:
        to = self.network.to
        job_ports = JobPorts(
            media_jobs=to("jobs", self.jobs),
            slots=to("telemetry", MemorySlots()),
            times=to("telemetry", MemoryTimes()),
            fetcher=self.wire,
            uploads=MemoryUploads(),
        )
        return {
            "http": self.wire,
            "base_urls": addresses(),
            "source": to("secret", self.source, None),
            "states": to("telemetry", self.telemetry.key_states),
            "sinks": [to("telemetry", self.telemetry.sink)],
            "counters": MemoryCounters(),
            "shared_health": to("telemetry", MemorySharedHealth(cast(HealthStore, self.telemetry.health))),
            "media": to("results", MemoryMedia(), BUCKET_SECONDS),
            "job_ports": lambda: job_ports,
            "reuse": MemoryReuse,
        }

    def _environment(self) -> dict[str, str]:
        """Return the environment as the template gives it; whatever lies beyond a worker is a port of the run."""
        return {
            **dict.fromkeys((*_TABLES, *_MACHINES), NOWHERE),
            "LOST_REQUESTS_URL": f"{NOWHERE}/lost-requests",
            "MAXIMUM_CONCURRENCY": str(self.scenario.workers),
            "WORKER_THREADS": str(self.function.threads),
            "MESSAGE_SECONDS": str(self.function.message_seconds),
        }

    def _calling(self, worker: str, clock: VirtualClock | None = None) -> CallingPorts:
        return CallingPorts(clock=clock or self._clock, rng=self._dice(worker), **self._ports)

    def _leases(self, clock: VirtualClock, fleet: FleetClock) -> LimitStore | None:
        if not self.scenario.shared_limits:
            return None
        limits = self.network.to("telemetry", self.limits)
        return cast(LimitStore, LimitsOfWorker(limits, clock, fleet, self.loop))

    def _speaking(self, calling: CallingPorts) -> SpeakPorts:
        fleet, jobs = FleetClock(), self.network.to("jobs", self.jobs)
        return SpeakPorts(calling, jobs, jobs, self._leases(self._clock, fleet), fleet)

    def _process(self, number: int, crew: Crew) -> Process:
        offsets = self.scenario.clock_offsets
        offset = offsets[number % len(offsets)]
        clock, fleet = VirtualClock(self.loop, offset), FleetClock()
        hands = Hands(self.loop, self.queue)
        inbox = self.network.to("queue", hands)
        ports = DispatchPorts(
            self._calling(f"worker {number}", clock),
            jobs=self.network.to("jobs", self.jobs),
            queue=self.network.to("queue", self.memory),
            executions=lambda: self.machines.clips,
            speeches=lambda: self.machines.speeches,
            leases=self._leases(clock, fleet),
            fleet=fleet,
            inbox_of=lambda source: None if source == LOST else inbox,
        )
        batches = build_batches(DispatchSettings.model_validate(self._environment()), ports)
        handling = Handling(
            batches.service, self.loop, self.queue, self.book, self._by_body, threads=self.function.threads
        )
        batches.service = cast(DispatchService, handling)
        return Process(batches, handling, hands, crew, offset, number)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the services log to themselves: a run is judged by what it comes to."""
    logger = logging.getLogger("mediarelay")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
