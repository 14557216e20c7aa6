"""A dispatcher wired over any ports, as `bootstrap` wires it over the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from mediarelay.adapters.dynamodb_jobs import DynamoJobs
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.dynamodb_metrics import DynamoMetrics
from mediarelay.adapters.leases import LocalLeases
from mediarelay.adapters.s3_media import S3Media
from mediarelay.contracts.keys import ApiKey
from mediarelay.core.rotation import RoundRobin
from mediarelay.health_ports import HealthStore, TrialPermits
from mediarelay.ports import Clock, HttpClient, JobStore, KeySource, KeyStates, MediaStore, MetricSink, RequestQueue
from mediarelay.providers.registry import PROVIDERS
from mediarelay.services.attempts import AttemptRunner
from mediarelay.services.dispatch import DispatchService
from mediarelay.services.fleet_health import FleetHealth
from mediarelay.services.key_ring import KeyRing
from mediarelay.services.results import ResultShelf
from mediarelay.services.router import Router
from mediarelay.services.serving import JobServer
from mediarelay.services.telemetry import TelemetryWriter
from tests.support.builders import keys
from tests.support.clock import ManualClock
from tests.support.local_aws import BUCKET, JOBS, TELEMETRY, LocalAws
from tests.support.memory_health import MemoryHealth, MemoryTrials
from tests.support.memory_jobs import MemoryJobs
from tests.support.memory_key_states import MemoryKeyStates
from tests.support.memory_media import MemoryMedia
from tests.support.memory_queue import MemoryQueue
from tests.support.recording import FixedKeys, MemoryMetrics
from tests.support.scripted_http import ScriptedHttp

WORKER_SECONDS = 60.0


def _some_keys() -> Mapping[str, tuple[ApiKey, ...]]:
    return keys(openai=2, elevenlabs=2, fal=2)


@dataclass
class World:
    """Everything a worker touches; several workers may share one."""

    clock: ManualClock = field(default_factory=ManualClock)
    http: HttpClient = field(default_factory=ScriptedHttp)
    jobs: JobStore = field(default_factory=MemoryJobs)
    states: KeyStates = field(default_factory=MemoryKeyStates)
    media: MediaStore = field(default_factory=MemoryMedia)
    queue: RequestQueue | None = None
    metrics: MetricSink = field(default_factory=MemoryMetrics)
    source: KeySource = field(default_factory=lambda: FixedKeys(_some_keys()))
    records: HealthStore = field(default_factory=MemoryHealth)
    permits: TrialPermits = field(default_factory=MemoryTrials)

    def __post_init__(self) -> None:
        if self.queue is None:
            self.queue = MemoryQueue(self.clock)

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
    clock: Clock = world.clock
    rng = Random(seed)  # noqa: S311 # dice of a test
    telemetry = TelemetryWriter(world.states, [world.metrics])
    ring = KeyRing(world.source, world.states, LocalLeases(), telemetry, clock=clock, rng=rng, policy=RoundRobin)
    health = FleetHealth(
        world.records,
        world.permits,
        kinds={name: provider.kind for name, provider in PROVIDERS.items()},
        has_keys=lambda name: ring.has_keys(PROVIDERS[name].vendor),
        clock=clock,
    )
    router = Router(
        PROVIDERS,
        usable_keys=lambda name: ring.usable(PROVIDERS[name].vendor, name),
        has_keys=ring.has_keys,
        health=health,
        rng=rng,
    )
    shelf = ResultShelf(world.media, clock)
    runner = AttemptRunner(world.http, shelf, base_urls={}, secrets=ring.secrets, clock=clock)
    server = JobServer(world.jobs, router, ring, runner, shelf, telemetry, health, clock=clock, rng=rng)
    assert world.queue is not None
    return DispatchService(world.jobs, world.queue, router, server, ring, telemetry, clock=clock)
