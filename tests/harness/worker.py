"""A worker as `bootstrap` wires it, over the ports of a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from mediarelay.bootstrap.calling import BudgetPorts, CallingPorts, JobPorts, build_jobs
from mediarelay.bootstrap.dispatch import DispatchPorts, DispatchSettings, build_batches, build_dispatch
from mediarelay.bootstrap.settings import ProviderSettings
from mediarelay.bootstrap.speech import SpeakPorts, SpeakSettings, SteerPorts, build_speaker, build_steerer
from mediarelay.dispatch.batches import BatchService
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import Inbox, RequestQueue
from mediarelay.health.circuit.ports import SharedHealth
from mediarelay.health.ports import HealthStore
from mediarelay.http.ports import HttpClient
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pools import KeyPools
from mediarelay.keys.ports import KeySource, KeyStates
from mediarelay.limits.ports import LimitStore
from mediarelay.long_jobs.assembly import LongJobFunctions
from mediarelay.long_jobs.polling.ports import CompletionTimes
from mediarelay.long_jobs.ports import Executions, MediaJobStore, SlotStore
from mediarelay.long_jobs.transfer.ports import MediaFetcher, Uploads
from mediarelay.long_speech.ports import SpeechProgress
from mediarelay.long_speech.speak import PartSpeaker
from mediarelay.long_speech.steer import SpeechSteerer
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.ports import MetricSink
from mediarelay.providers.listing import base_urls
from mediarelay.results.ports import MediaStore
from mediarelay.results.s3 import S3Media
from mediarelay.reuse.dynamodb import DynamoReuse
from mediarelay.reuse.ports import ReuseStore
from tests.builders.keys import keys
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryHealth, MemorySharedHealth
from tests.doubles.job_vendors import JobVendors
from tests.doubles.jobs import MemoryMediaJobs, MemoryReuse, MemorySpeechJobs
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
    jobs: JobStore = field(default_factory=MemorySpeechJobs)
    states: KeyStates = field(default_factory=MemoryKeyStates)
    media: MediaStore = field(default_factory=MemoryMedia)
    queue: RequestQueue | None = None
    metrics: MetricSink = field(default_factory=MemoryMetrics)
    source: KeySource = field(default_factory=lambda: FixedKeys(_some_keys()))
    leases: LimitStore | None = None
    counters: MemoryCounters = field(default_factory=MemoryCounters)
    base_urls: Mapping[str, str] = field(default_factory=lambda: base_urls({}, {}))
    records: HealthStore = field(default_factory=MemoryHealth)
    shared_health: SharedHealth | None = None
    media_jobs: MediaJobStore | None = None
    executions: Executions = field(default_factory=MemoryExecutions)
    speeches: Executions = field(default_factory=MemoryExecutions)
    progress: SpeechProgress | None = None
    slots: SlotStore = field(default_factory=MemorySlots)
    times: CompletionTimes = field(default_factory=MemoryTimes)
    fetcher: MediaFetcher | None = None
    uploads: Uploads = field(default_factory=MemoryUploads)
    reuse: ReuseStore = field(default_factory=MemoryReuse)
    webhook_url: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    openai_servers: str = ""
    budgets: BudgetPorts | None = None

    def __post_init__(self) -> None:
        if self.shared_health is None:
            self.shared_health = MemorySharedHealth(self.records)
        if self.queue is None:
            self.queue = MemoryQueue(self.clock)
        if self.media_jobs is None:
            # The same table; a port that a test has put around it is not looked through.
            self.media_jobs = self.jobs if isinstance(self.jobs, MemoryMediaJobs) else MemorySpeechJobs()
        if self.progress is None:
            self.progress = self.media_jobs if isinstance(self.media_jobs, MemorySpeechJobs) else MemorySpeechJobs()
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
        reuse=DynamoReuse(account.dynamodb, TELEMETRY),
    )


def worker(world: World, *, seed: int = 0) -> DispatchService:
    """A fresh worker: nothing remembered but what the stores hold."""
    return build_dispatch(DispatchSettings.model_validate(_environment(world)), _dispatch_ports(world, seed))


def batch_worker(world: World, *, seed: int = 0, inbox: Inbox | None = None) -> BatchService:
    """The same with what receives its batches, and the queue that it may take more from."""
    ports = replace(_dispatch_ports(world, seed), inbox_of=lambda _source: inbox)
    return build_batches(DispatchSettings.model_validate(_environment(world)), ports)


def _dispatch_ports(world: World, seed: int) -> DispatchPorts:
    assert world.queue is not None
    return DispatchPorts(
        _ports(world, seed),
        jobs=world.jobs,
        queue=world.queue,
        executions=lambda: world.executions,
        speeches=lambda: world.speeches,
        leases=world.leases,
        linger=30.0,
    )


def job_worker(world: World, *, seed: int = 0) -> LongJobFunctions:
    """A fresh worker of the state machine."""
    return build_jobs(ProviderSettings.model_validate(_environment(world)), _ports(world, seed))


def speaker(world: World, *, seed: int = 0) -> PartSpeaker:
    """A fresh worker of speak_part."""
    assert world.progress is not None
    ports = SpeakPorts(_ports(world, seed), jobs=world.jobs, progress=world.progress, leases=world.leases, linger=30.0)
    return build_speaker(SpeakSettings.model_validate(_environment(world)), ports)


def steerer(world: World, *, seed: int = 0) -> SpeechSteerer:
    """A fresh worker of steer_speech."""
    assert world.progress is not None
    ports = SteerPorts(_ports(world, seed), world.progress)
    return build_steerer(ProviderSettings.model_validate(_environment(world)), ports)


def _environment(world: World) -> dict[str, str]:
    """As the template gives it. Nothing is there: whatever lies beyond the worker is a port of the world."""
    names = ("JOBS_TABLE", "TELEMETRY_TABLE", "RESULTS_BUCKET", "REQUEST_DLQ_URL")
    nowhere = dict.fromkeys((*names, "MEDIA_JOB_STATE_MACHINE_ARN", "LONG_SPEECH_STATE_MACHINE_ARN"), "nowhere")
    servers = {"OPENAI_SERVERS": world.openai_servers, "STAGE": "local"} if world.openai_servers else {}
    return {
        **nowhere,
        "REQUEST_QUEUE_URL": "nowhere/requests",
        "PICTURE_QUEUE_URL": "nowhere/pictures",
        "LOST_REQUESTS_URL": "nowhere/lost-requests",
        "MAXIMUM_CONCURRENCY": "4",
        "WEBHOOK_URL": world.webhook_url or "",
        **servers,
        **world.variables,
    }


def _ports(world: World, seed: int) -> CallingPorts:
    assert world.shared_health is not None
    assert world.media_jobs is not None
    assert world.fetcher is not None
    job_ports = JobPorts(
        media_jobs=world.media_jobs, slots=world.slots, times=world.times, fetcher=world.fetcher, uploads=world.uploads
    )
    return CallingPorts(
        clock=world.clock,
        rng=Random(seed),
        http=world.http,
        base_urls=world.base_urls,
        source=world.source,
        states=world.states,
        sinks=[world.metrics],
        counters=world.counters,
        shared_health=world.shared_health,
        media=world.media,
        job_ports=lambda: job_ports,
        reuse=lambda: world.reuse,
        budgets=world.budgets,
    )


def key_pools(world: World, *, seed: int = 0) -> KeyPools:
    """The keys of a fresh worker, without the rest of it."""
    return worker(world, seed=seed)._server._keys
