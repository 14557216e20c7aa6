"""Wiring: adapters are made here, and for functions that call no provider in `bootstrap_announce`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.dynamodb_board import DynamoBoard
from mediarelay.adapters.dynamodb_completion_times import DynamoCompletionTimes
from mediarelay.adapters.dynamodb_jobs import DynamoJobs
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.dynamodb_leases import DynamoLeases
from mediarelay.adapters.dynamodb_media_jobs import DynamoMediaJobs
from mediarelay.adapters.dynamodb_metrics import DynamoMetrics
from mediarelay.adapters.dynamodb_slots import DynamoSlots
from mediarelay.adapters.emf_metrics import EmfCounters, EmfMetrics
from mediarelay.adapters.http import RequestsHttp
from mediarelay.adapters.media_fetch import RequestsMediaFetcher
from mediarelay.adapters.s3_media import S3Media
from mediarelay.adapters.s3_uploads import S3Uploads
from mediarelay.adapters.server_date import ServerDate
from mediarelay.adapters.sqs_requests import SqsRequests
from mediarelay.adapters.step_functions import StepFunctions
from mediarelay.bootstrap_keys import base_urls, key_source
from mediarelay.core.fleet_clock import FleetClock
from mediarelay.core.rotation import PowerOfTwoChoices, RotationPolicy, RoundRobin
from mediarelay.ports import Clock, MetricSink
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
from mediarelay.settings import DispatchSettings, JobSettings, ProviderSettings

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
    telemetry_client = aws.client("dynamodb", aws.TELEMETRY_CONFIG)
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
    bucket = aws.client("s3", aws.BUCKET_CONFIG)
    shelf = ResultShelf(S3Media(bucket, settings.results_bucket), clock)
    http = RequestsHttp(clock, allow_plain_http=settings.stage == "local")
    addresses = base_urls(providers)
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
        table=aws.client("dynamodb"),
        bucket=bucket,
    )


def build_dispatch(settings: DispatchSettings) -> DispatchService:
    """Everything dispatch_request needs."""
    parts = _parts(settings)
    clock, keys = parts.clock, parts.keys
    jobs = DynamoJobs(parts.table, settings.jobs_table)
    queue = SqsRequests(aws.client("sqs"), settings.request_queue_url, settings.request_dlq_url)
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
    executions = StepFunctions(aws.client("stepfunctions"), settings.state_machine_arn)
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
    client = aws.client("dynamodb", aws.LEASE_CONFIG)
    store = DynamoLeases(client, settings.telemetry_table, ServerDate(clock, fleet))
    counters = EmfCounters(settings.namespace, settings.stage)
    return KeyLeases(LeaseDesk(store, fleet, counters, workers=settings.workers, clock=clock, rng=rng), clock)
