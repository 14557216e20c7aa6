"""A dispatcher wired over any ports, as `bootstrap` wires it over the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import RequestQueue
from mediarelay.health.circuit.ports import HealthBoard
from mediarelay.health.fleet_view import FleetHealth
from mediarelay.health.ports import HealthStore
from mediarelay.http.ports import HttpClient
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.permits import KeyLeases
from mediarelay.keys.pools import KeyRing
from mediarelay.keys.ports import KeySource, KeyStates
from mediarelay.keys.rotation import RoundRobin
from mediarelay.limits.fleet_clock import FleetClock
from mediarelay.limits.limiter import LeaseDesk
from mediarelay.limits.ports import LeaseStore
from mediarelay.long_jobs.assembly import JobParts, LongJobs, assembled
from mediarelay.long_jobs.cancel import JobCanceller
from mediarelay.long_jobs.polling.ports import CompletionTimes
from mediarelay.long_jobs.ports import Executions, MediaJobStore, SlotStore
from mediarelay.long_jobs.start import JobStarter
from mediarelay.long_jobs.transfer.ports import MediaFetcher, Uploads
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.ports import MetricSink
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.providers.registry import ALL_PROVIDERS, base_urls
from mediarelay.results.ports import MediaStore
from mediarelay.results.result_store import ResultShelf
from mediarelay.results.s3 import S3Media
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.serve import JobServer
from mediarelay.vocabulary.clock import Clock
from tests.builders.keys import keys
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryBoard, MemoryHealth
from tests.doubles.job_vendors import JobVendors
from tests.doubles.jobs import MemoryMediaJobs
from tests.doubles.keys import FixedKeys, MemoryKeyStates
from tests.doubles.long_jobs import MemoryExecutions, MemorySlots, MemoryTimes, MemoryUploads
from tests.doubles.media import MemoryMedia
from tests.doubles.queue import MemoryQueue
from tests.doubles.recording import MemoryCounters, MemoryMetrics
from tests.doubles.scripted_http import ScriptedHttp
from tests.harness.local_aws import BUCKET, JOBS, TELEMETRY, LocalAws

WORKER_SECONDS = 60.0


def _some_keys() -> Mapping[str, tuple[ApiKey, ...]]:
    return keys(openai=2, elevenlabs=2, fal=2)


@dataclass
class World:
    """Everything a worker touches; several workers may share one."""

    clock: ManualClock = field(default_factory=ManualClock)
    http: HttpClient = field(default_factory=ScriptedHttp)
    jobs: JobStore = field(default_factory=MemoryMediaJobs)
    states: KeyStates = field(default_factory=MemoryKeyStates)
    media: MediaStore = field(default_factory=MemoryMedia)
    queue: RequestQueue | None = None
    metrics: MetricSink = field(default_factory=MemoryMetrics)
    source: KeySource = field(default_factory=lambda: FixedKeys(_some_keys()))
    leases: LeaseStore | None = None
    counters: MemoryCounters = field(default_factory=MemoryCounters)
    base_urls: Mapping[str, str] = field(default_factory=lambda: base_urls({}, {}))
    records: HealthStore = field(default_factory=MemoryHealth)
    board: HealthBoard | None = None
    media_jobs: MediaJobStore | None = None
    executions: Executions = field(default_factory=MemoryExecutions)
    slots: SlotStore = field(default_factory=MemorySlots)
    times: CompletionTimes = field(default_factory=MemoryTimes)
    fetcher: MediaFetcher | None = None
    uploads: Uploads = field(default_factory=MemoryUploads)
    webhook_url: str | None = None

    def __post_init__(self) -> None:
        if self.board is None:
            self.board = MemoryBoard(self.records)
        if self.queue is None:
            self.queue = MemoryQueue(self.clock)
        if self.media_jobs is None:
            # The same table; a port that a test has put around it is not looked through.
            self.media_jobs = self.jobs if isinstance(self.jobs, MemoryMediaJobs) else MemoryMediaJobs()
        if self.fetcher is None:
            self.fetcher = JobVendors(self.clock)

    @property
    def ends_at(self) -> float:
        """When a worker that starts now must end."""
        return self.clock.now() + WORKER_SECONDS


def on_aws(account: LocalAws, clock: ManualClock) -> World:
    """The same world over the real adapters; the queue stays in memory, so that a test can see its delays."""
    return World(
        clock=clock,
        jobs=DynamoJobs(account.dynamodb, JOBS),
        states=DynamoKeyStates(account.dynamodb, TELEMETRY),
        media=S3Media(account.s3, BUCKET),
        metrics=DynamoMetrics(account.dynamodb, TELEMETRY),
    )


def worker(world: World, *, seed: int = 0) -> DispatchService:
    """A fresh worker: nothing remembered but what the stores hold."""
    parts, long_jobs, health = _made(world, seed)
    ring, telemetry = parts.keys, parts.telemetry
    server = JobServer(
        world.jobs,
        parts.router,
        ring,
        parts.runner,
        parts.shelf,
        telemetry,
        health,
        clock=world.clock,
        rng=parts.rng,
    )
    assert world.queue is not None
    return DispatchService(
        world.jobs,
        world.queue,
        parts.router,
        server,
        ring,
        telemetry,
        starter=JobStarter(parts.jobs, world.executions, world.clock, webhook_url=world.webhook_url),
        canceller=JobCanceller(
            parts.jobs, world.executions, ring, long_jobs.poller, long_jobs.settler, clock=world.clock
        ),
        clock=world.clock,
    )


def job_worker(world: World, *, seed: int = 0) -> LongJobs:
    """A fresh worker of the state machine."""
    return _made(world, seed)[1]


def _made(world: World, seed: int) -> tuple[JobParts, LongJobs, FleetHealth]:
    clock: Clock = world.clock
    telemetry = TelemetryWriter(world.states, [world.metrics])
    rng = Random(seed)  # noqa: S311 # dice of a test
    leases = None
    if world.leases is not None:
        desk = LeaseDesk(world.leases, FleetClock(), world.counters, workers=4, clock=clock, rng=rng, linger=30.0)
        leases = KeyLeases(desk, clock)
    ring = KeyRing(world.source, world.states, leases, telemetry, clock=clock, rng=rng, policy=RoundRobin)
    assert world.board is not None
    health = FleetHealth(
        world.board,
        kinds={name: provider.kind for name, provider in ALL_PROVIDERS.items()},
        has_keys=lambda name: ring.has_keys(ALL_PROVIDERS[name].vendor),
        clock=clock,
    )
    router = Router(
        ALL_PROVIDERS,
        usable_keys=lambda name: ring.usable(ALL_PROVIDERS[name].vendor, name),
        has_keys=ring.has_keys,
        health=health,
        rng=rng,
    )
    shelf = ResultShelf(world.media, clock)
    assert world.media_jobs is not None
    assert world.fetcher is not None
    parts = JobParts(
        jobs=world.media_jobs,
        slots=world.slots,
        times=world.times,
        fetcher=world.fetcher,
        uploads=world.uploads,
        http=world.http,
        router=router,
        keys=ring,
        health=health,
        runner=AttemptRunner(world.http, shelf, base_urls=world.base_urls, secrets=ring.secrets, clock=clock),
        shelf=shelf,
        telemetry=telemetry,
        counters=world.counters,
        base_urls=world.base_urls,
        pace=1.0,
        clock=clock,
        rng=rng,
    )
    return parts, assembled(parts), health


def key_ring(world: World, *, seed: int = 0) -> KeyRing:
    """The keys of a fresh worker, without the rest of it."""
    return _made(world, seed)[0].keys
