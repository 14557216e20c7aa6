"""Wiring: adapters are made here, and for functions that call no provider in `bootstrap_announce`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import DispatchSettings, JobSettings, ProviderSettings
from mediarelay.bootstrap.shared import key_source, provider_addresses
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.sqs import SqsRequests
from mediarelay.health.circuit.dynamodb import DynamoBoard
from mediarelay.health.fleet_view import FleetHealth
from mediarelay.http.client import RequestsHttp
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.permits import KeyLeases
from mediarelay.keys.pools import KeyRing
from mediarelay.keys.rotation import PowerOfTwoChoices, RotationPolicy, RoundRobin
from mediarelay.limits.dynamodb import DynamoLeases
from mediarelay.limits.fleet_clock import FleetClock
from mediarelay.limits.limiter import LeaseDesk
from mediarelay.limits.server_date import ServerDate
from mediarelay.long_jobs.assembly import JobParts, LongJobs, assembled
from mediarelay.long_jobs.cancel import JobCanceller
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs, DynamoSlots
from mediarelay.long_jobs.polling.dynamodb import DynamoCompletionTimes
from mediarelay.long_jobs.start import JobStarter
from mediarelay.long_jobs.step_functions import StepFunctions
from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher
from mediarelay.long_jobs.transfer.s3 import S3Uploads
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.emf import EmfCounters, EmfMetrics
from mediarelay.metrics.ports import MetricSink
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.results.result_store import ResultShelf
from mediarelay.results.s3 import S3Media
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.serve import JobServer
from mediarelay.vocabulary.clock import Clock

_POLICIES: Final[Mapping[str, Callable[[], RotationPolicy]]] = {
    "round_robin": RoundRobin,
    "power_of_two": PowerOfTwoChoices,
}


@dataclass(frozen=True)
class _Parts:
    """What every function that calls providers is made of."""

    settings: ProviderSettings
    clock: SystemClock
    rng: Random
    telemetry: TelemetryWriter
    keys: KeyRing
    router: Router
    health: FleetHealth
    shelf: ResultShelf
    http: RequestsHttp
    base_urls: Mapping[str, str]
    runner: AttemptRunner
    table: Any
    bucket: Any


def _parts(settings: ProviderSettings) -> _Parts:
    clock, rng = SystemClock(), Random()  # noqa: S311 # jitter and rotation, not cryptography
    telemetry_client = clients.client("dynamodb", clients.TELEMETRY_CONFIG)
    states = DynamoKeyStates(telemetry_client, settings.telemetry_table)
    sinks: list[MetricSink] = [
        DynamoMetrics(telemetry_client, settings.telemetry_table),
        EmfMetrics(settings.namespace),
    ]
    telemetry = TelemetryWriter(states, sinks)
    keys = KeyRing(
        key_source(settings.keys_secret_id),
        states,
        _leases(settings, clock, rng),
        telemetry,
        clock=clock,
        rng=rng,
        policy=_POLICIES[settings.key_rotation],
    )
    enabled = settings.providers or ALL_PROVIDERS
    providers = {name: provider for name, provider in ALL_PROVIDERS.items() if name in enabled}
    health = FleetHealth(
        DynamoBoard(telemetry_client, settings.telemetry_table),
        kinds={name: provider.kind for name, provider in providers.items()},
        has_keys=lambda name: keys.has_keys(providers[name].vendor),
        clock=clock,
    )
    router = Router(
        providers,
        usable_keys=lambda name: keys.usable(providers[name].vendor, name),
        has_keys=keys.has_keys,
        health=health,
        rng=rng,
    )
    bucket = clients.client("s3", clients.BUCKET_CONFIG)
    shelf = ResultShelf(S3Media(bucket, settings.results_bucket), clock)
    http = RequestsHttp(clock, allow_plain_http=settings.stage == "local")
    addresses = provider_addresses(settings.provider_base_urls)
    runner = AttemptRunner(http, shelf, base_urls=addresses, secrets=keys.secrets, clock=clock)
    return _Parts(
        settings=settings,
        clock=clock,
        rng=rng,
        telemetry=telemetry,
        keys=keys,
        router=router,
        health=health,
        shelf=shelf,
        http=http,
        base_urls=addresses,
        runner=runner,
        table=clients.client("dynamodb"),
        bucket=bucket,
    )


def build_dispatch(settings: DispatchSettings) -> DispatchService:
    """Everything dispatch_request needs."""
    parts = _parts(settings)
    clock, keys = parts.clock, parts.keys
    jobs = DynamoJobs(parts.table, settings.jobs_table)
    queue = SqsRequests(clients.client("sqs"), settings.request_queue_url, settings.request_dlq_url)
    server = JobServer(
        jobs,
        parts.router,
        keys,
        parts.runner,
        parts.shelf,
        parts.telemetry,
        parts.health,
        clock=clock,
        rng=parts.rng,
    )
    executions = StepFunctions(clients.client("stepfunctions"), settings.state_machine_arn)
    long_jobs = _long_jobs(parts)
    return DispatchService(
        jobs,
        queue,
        parts.router,
        server,
        keys,
        parts.telemetry,
        starter=JobStarter(long_jobs.jobs, executions, clock, webhook_url=settings.webhook_url or None),
        canceller=JobCanceller(long_jobs.jobs, executions, keys, long_jobs.poller, long_jobs.settler, clock=clock),
        clock=clock,
    )


def build_jobs(settings: JobSettings) -> LongJobs:
    """Everything submit_job, poll_job and settle_job need."""
    return _long_jobs(_parts(settings))


def _long_jobs(parts: _Parts) -> LongJobs:
    settings, clock = parts.settings, parts.clock
    jobs = DynamoMediaJobs(parts.table, settings.jobs_table)
    times = DynamoCompletionTimes(parts.table, settings.telemetry_table)
    fetcher = RequestsMediaFetcher(clock, extra_hosts=settings.media_hosts, local=settings.stage == "local")
    return assembled(
        JobParts(
            jobs=jobs,
            slots=DynamoSlots(parts.table, settings.telemetry_table),
            times=times,
            fetcher=fetcher,
            uploads=S3Uploads(parts.bucket, settings.results_bucket),
            http=parts.http,
            router=parts.router,
            keys=parts.keys,
            health=parts.health,
            runner=parts.runner,
            shelf=parts.shelf,
            telemetry=parts.telemetry,
            counters=EmfCounters(settings.namespace, settings.stage),
            base_urls=parts.base_urls,
            pace=settings.job_pace,
            clock=clock,
            rng=parts.rng,
        )
    )


def _leases(settings: ProviderSettings, clock: Clock, rng: Random) -> KeyLeases | None:
    # A job of minutes holds a slot of its account throughout; only dispatch_request leases for each call.
    if not isinstance(settings, DispatchSettings) or settings.leases == "off":
        return None
    fleet = FleetClock()
    client = clients.client("dynamodb", clients.LEASE_CONFIG)
    store = DynamoLeases(client, settings.telemetry_table, ServerDate(clock, fleet))
    counters = EmfCounters(settings.namespace, settings.stage)
    return KeyLeases(LeaseDesk(store, fleet, counters, workers=settings.workers, clock=clock, rng=rng), clock)
