"""Wiring of the functions that call providers: what all are made of, over AWS or another world; and those of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING, Any, Final

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import LimitedSettings, ProviderSettings
from mediarelay.bootstrap.shared import key_source, provider_addresses
from mediarelay.health.circuit.ports import SharedHealth
from mediarelay.health.dynamodb import DynamoSharedHealth
from mediarelay.health.fleet_view import FleetHealth
from mediarelay.http.connections import RequestsHttp
from mediarelay.http.ports import HttpClient
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.pool import PowerOfTwoChoices, RotationPolicy, RoundRobin
from mediarelay.keys.pools import KeyPools
from mediarelay.keys.ports import KeySource, KeyStates
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.emf import EmfCounters, EmfMetrics
from mediarelay.metrics.ports import MetricSink
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.providers import listing
from mediarelay.providers.listing import ListedProvider
from mediarelay.providers.registry import ALL_PROVIDERS, with_servers
from mediarelay.results.ports import MediaStore
from mediarelay.results.result_store import SPARE_BYTES, ResultStore, Room
from mediarelay.results.s3 import S3Media
from mediarelay.routing.router import Deployment, Router
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.flow_driver import FlowDriver
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: a function imports what it is made of.
if TYPE_CHECKING:
    from mediarelay.budgets.earmarking import Budgets
    from mediarelay.budgets.ports import BudgetSource, BudgetStore
    from mediarelay.job_records.claims import Settlement
    from mediarelay.limits.limiter import RateLimiter
    from mediarelay.long_jobs.assembly import LongJobFunctions
    from mediarelay.long_jobs.polling.ports import CompletionTimes
    from mediarelay.long_jobs.ports import MediaJobStore, SlotStore
    from mediarelay.long_jobs.transfer.ports import MediaFetcher, Uploads
    from mediarelay.reuse.ports import ReuseStore

MEGABYTE: Final = 1024 * 1024
LAMBDAS_DISK_MEGABYTES: Final = 512  # where a function asks for no more
_POLICIES: Final[Mapping[str, Callable[[], RotationPolicy]]] = {
    "round_robin": RoundRobin,
    "power_of_two": PowerOfTwoChoices,
}


@frozen
class CallingPorts:
    """What every function that calls providers reaches beyond itself. `base_urls` by provider name.

    `job_ports` are made for the first job that takes minutes, `reuse` for the first request that may be answered with
    an earlier result.
    """

    clock: Clock
    rng: Random
    http: HttpClient
    base_urls: Mapping[str, str]
    source: KeySource
    states: KeyStates
    sinks: Sequence[MetricSink]
    counters: Counters
    shared_health: SharedHealth
    media: MediaStore
    job_ports: Callable[[], JobPorts]
    reuse: Callable[[], ReuseStore]
    budgets: BudgetPorts | None = None


@frozen
class JobPorts:
    """What jobs that take minutes reach as well."""

    media_jobs: MediaJobStore
    slots: SlotStore
    times: CompletionTimes
    fetcher: MediaFetcher
    uploads: Uploads


@frozen
class BudgetPorts:
    """What is set aside and spent, and what may be; only where budgets are set."""

    store: BudgetStore
    source: BudgetSource


@frozen
class CallingParts:
    """What every function that calls providers is made of."""

    telemetry: TelemetryWriter
    keys: KeyPools
    router: Router
    driver: FlowDriver
    result_store: ResultStore
    runner: AttemptRunner


def calling_ports(settings: ProviderSettings, table: Any = None) -> CallingPorts:
    """Return the adapters of AWS; *table* is a client of DynamoDB that the caller has."""
    clock = SystemClock()
    table = table or clients.client("dynamodb")
    telemetry = clients.client("dynamodb", clients.TELEMETRY_CONFIG)
    bucket = clients.client("s3", clients.BUCKET_CONFIG)
    local = settings.stage == "local"

    @cache
    def job_ports() -> JobPorts:
        # Imported here: a worker of dispatch_request that meets no clip, sound or long text pays for none of it.
        from mediarelay.long_jobs.dynamodb import DynamoMediaJobs, DynamoSlots  # noqa: PLC0415
        from mediarelay.long_jobs.polling.dynamodb import DynamoCompletionTimes  # noqa: PLC0415
        from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher  # noqa: PLC0415
        from mediarelay.long_jobs.transfer.s3 import S3Uploads  # noqa: PLC0415

        return JobPorts(
            media_jobs=DynamoMediaJobs(table, settings.jobs_table),
            slots=DynamoSlots(table, settings.telemetry_table),
            times=DynamoCompletionTimes(table, settings.telemetry_table),
            fetcher=RequestsMediaFetcher(clock, extra_hosts=settings.media_hosts, local=local),
            uploads=S3Uploads(bucket, settings.results_bucket),
        )

    return CallingPorts(
        clock=clock,
        rng=Random(),  # noqa: S311 # jitter and rotation, not cryptography
        http=RequestsHttp(clock, allow_plain_http=local),
        base_urls=provider_addresses(settings.provider_base_urls, settings.added_servers),
        source=key_source(settings.keys_secret_id, settings.added_servers),
        states=DynamoKeyStates(telemetry, settings.telemetry_table),
        sinks=[DynamoMetrics(telemetry, settings.telemetry_table), EmfMetrics(settings.namespace)],
        counters=EmfCounters(settings.namespace, settings.stage),
        shared_health=DynamoSharedHealth(telemetry, settings.telemetry_table),
        media=S3Media(bucket, settings.results_bucket),
        job_ports=job_ports,
        reuse=lambda: _reuse_store(table, settings.telemetry_table),
        budgets=_budget_ports(settings, table, clock),
    )


def _reuse_store(table: Any, name: str) -> ReuseStore:
    from mediarelay.reuse.dynamodb import DynamoReuse  # noqa: PLC0415 # few requests ask for it

    return DynamoReuse(table, name)


def share_result(ports: CallingPorts, key: str, settlement: Settlement) -> None:
    """Let others have the result of a settled job."""
    from mediarelay.reuse.results import share  # noqa: PLC0415 # as above

    share(ports.reuse(), key, settlement)


def build_jobs(settings: ProviderSettings, ports: CallingPorts | None = None) -> LongJobFunctions:
    """Wire everything that submit_job, poll_job and settle_job need, over AWS or over the ports given."""
    ports = ports or calling_ports(settings)
    # A job of minutes holds a slot of its account throughout; only dispatch_request takes a permit for each call.
    return long_jobs(settings, ports, calling_parts(settings, ports, None))


def calling_parts(
    settings: ProviderSettings,
    ports: CallingPorts,
    limiter: RateLimiter | None,
    disk_megabytes: int = LAMBDAS_DISK_MEGABYTES,
) -> CallingParts:
    """Make what every function that calls providers is made of."""
    clock, rng = ports.clock, ports.rng
    telemetry = TelemetryWriter(ports.states, ports.sinks)
    keys = KeyPools(
        ports.source,
        ports.states,
        limiter,
        telemetry,
        clock=clock,
        rng=rng,
        policy=_POLICIES[settings.key_rotation],
    )
    added = settings.added_servers
    offered: Mapping[str, ListedProvider] = {**listing.providers(), **added.listed}
    if settings.providers:
        offered = {name: provider for name, provider in offered.items() if name in settings.providers}
    health = FleetHealth(
        ports.shared_health,
        kinds=dict(zip(offered, map(attrgetter("kind"), offered.values()), strict=True)),
        has_keys=lambda name: keys.has_keys(offered[name].vendor),
        clock=clock,
        workers=settings.workers if isinstance(settings, LimitedSettings) else 1,
    )
    providers = with_servers(ALL_PROVIDERS, added) if added.providers else ALL_PROVIDERS
    deployment = Deployment(added, settings.rehearsed_day, passes_options=settings.options_policy == "pass")
    router = Router(offered, providers, keys, health, rng, deployment)
    result_store = ResultStore(ports.media, clock)
    room = Room(disk_megabytes * MEGABYTE - SPARE_BYTES, clock)
    runner = AttemptRunner(ports.http, result_store, room, base_urls=ports.base_urls, secrets=keys.secrets, clock=clock)
    return CallingParts(telemetry, keys, router, FlowDriver(keys, health, clock, rng), result_store, runner)


def budgets_of(ports: BudgetPorts, clock: Clock, rng: Random) -> Budgets:
    """Make what sets money aside."""
    from mediarelay.budgets.earmarking import Budgets  # noqa: PLC0415 # as below

    return Budgets(ports.store, ports.source, clock, rng)


def media_jobs_of(ports: CallingPorts, budgets: Budgets | None) -> MediaJobStore:
    """Return the Jobs table as executions use it, with budgets where they are set."""
    media_jobs = ports.job_ports().media_jobs
    if budgets is None:
        return media_jobs
    from mediarelay.budgets.jobs import BudgetedMediaJobs  # noqa: PLC0415 # only where budgets are set

    return BudgetedMediaJobs(media_jobs, budgets)


def _budget_ports(settings: ProviderSettings, table: Any, clock: Clock) -> BudgetPorts | None:
    if not settings.budgets_parameter:
        return None
    from mediarelay.budgets.dynamodb import DynamoBudgets  # noqa: PLC0415 # only where budgets are set
    from mediarelay.budgets.ssm import ParameterBudgets  # noqa: PLC0415 # as above

    source = ParameterBudgets(clients.client("ssm"), settings.budgets_parameter, clock.now)
    return BudgetPorts(DynamoBudgets(table, settings.telemetry_table, clock.now), source)


def limit_store(settings: LimitedSettings, calling: CallingPorts, fleet: FleetClock) -> LimitStore | None:
    """Return the limits' table; None where workers share none."""
    if settings.leases != "on":
        return None
    from mediarelay.limits.dynamodb import DynamoLimits, ServerDate  # noqa: PLC0415 # as below

    client = clients.client("dynamodb", clients.LEASE_CONFIG)
    return DynamoLimits(client, settings.telemetry_table, ServerDate(calling.clock, fleet))


def shared_limiter(
    leases: LimitStore | None, fleet: FleetClock, calling: CallingPorts, *, workers: int, linger: float
) -> RateLimiter | None:
    """Make the limits that all workers share; None where they share none."""
    if leases is None:
        return None
    from mediarelay.limits.limiter import RateLimiter  # noqa: PLC0415 # the functions of jobs share none

    return RateLimiter(
        leases, fleet, calling.counters, workers=workers, clock=calling.clock, rng=calling.rng, linger=linger
    )


def long_jobs(settings: ProviderSettings, ports: CallingPorts, parts: CallingParts) -> LongJobFunctions:
    """Make the steps of video and audio jobs."""
    from mediarelay.long_jobs.assembly import JobParts, LongJobFunctions, no_purse  # noqa: PLC0415

    budgets = budgets_of(ports.budgets, ports.clock, ports.rng) if ports.budgets else None
    of_jobs = ports.job_ports()
    return LongJobFunctions(
        JobParts(
            jobs=media_jobs_of(ports, budgets),
            slots=of_jobs.slots,
            times=of_jobs.times,
            fetcher=of_jobs.fetcher,
            uploads=of_jobs.uploads,
            http=ports.http,
            router=parts.router,
            keys=parts.keys,
            driver=parts.driver,
            runner=parts.runner,
            result_store=parts.result_store,
            telemetry=parts.telemetry,
            counters=ports.counters,
            base_urls=ports.base_urls,
            pace=settings.job_pace,
            share=partial(share_result, ports),
            clock=ports.clock,
            rng=ports.rng,
            purse_of=budgets.purse_of if budgets else no_purse,
        )
    )
