"""A dispatcher wired over any ports, as `bootstrap` wires it over the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from mediarelay.adapters.dynamodb_jobs import DynamoJobs
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.dynamodb_metrics import DynamoMetrics
from mediarelay.adapters.s3_media import S3Media
from mediarelay.contracts.keys import ApiKey
from mediarelay.core.fleet_clock import FleetClock
from mediarelay.core.rotation import RoundRobin
from mediarelay.health_ports import HealthBoard, HealthStore
from mediarelay.job_ports import CompletionTimes, Executions, MediaFetcher, MediaJobStore, SlotStore, Uploads
from mediarelay.lease_ports import LeaseStore
from mediarelay.ports import Clock, HttpClient, JobStore, KeySource, KeyStates, MediaStore, MetricSink, RequestQueue
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.services.attempts import AttemptRunner
from mediarelay.services.dispatch import DispatchService
from mediarelay.services.fleet_health import FleetHealth
from mediarelay.services.job_cancelling import JobCanceller
from mediarelay.services.job_starting import JobStarter
from mediarelay.services.key_leases import KeyLeases
from mediarelay.services.key_ring import KeyRing
from mediarelay.services.lease_desk import LeaseDesk
from mediarelay.services.long_jobs import JobParts, LongJobs, assembled
from mediarelay.services.results import ResultShelf
from mediarelay.services.router import Router
from mediarelay.services.serving import JobServer
from mediarelay.services.telemetry import TelemetryWriter
from tests.builders.requests import keys
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryBoard, MemoryHealth
from tests.doubles.job_vendors import JobVendors
from tests.doubles.keys import MemoryKeyStates
from tests.doubles.long_jobs import MemoryExecutions, MemorySlots, MemoryTimes, MemoryUploads
from tests.doubles.media import MemoryMedia
from tests.doubles.media_jobs import MemoryMediaJobs
from tests.doubles.queue import MemoryQueue
from tests.doubles.recording import FixedKeys, MemoryCounters, MemoryMetrics
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
    base_urls: Mapping[str, str] = field(default_factory=dict)
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
