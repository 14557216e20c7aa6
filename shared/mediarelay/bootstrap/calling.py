"""Wiring of the functions that call providers: dispatch_request, and those of the state machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from mediarelay.bootstrap.adapters import CallingPorts, DispatchPorts, calling_ports, dispatch_ports
from mediarelay.bootstrap.settings import DispatchSettings, JobSettings, ProviderSettings
from mediarelay.health.fleet_view import FleetHealth
from mediarelay.job_records.job_spec import JobSpec
from mediarelay.keys.pool import PowerOfTwoChoices, RotationPolicy, RoundRobin
from mediarelay.keys.pools import KeyPools
from mediarelay.limits.limiter import RateLimiter
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.providers import listing
from mediarelay.providers.listing import ListedProvider
from mediarelay.providers.registry import ALL_PROVIDERS, with_servers
from mediarelay.results.result_store import ResultStore
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.flow_driver import FlowDriver

# Only for annotations: a function imports what it is made of, and dispatch_request seldom needs the jobs'.
if TYPE_CHECKING:
    from mediarelay.dispatch.dispatch import DispatchService
    from mediarelay.long_jobs.assembly import LongJobFunctions
    from mediarelay.long_jobs.cancel import JobCanceller
    from mediarelay.long_jobs.start import Machine

_POLICIES: Final[Mapping[str, Callable[[], RotationPolicy]]] = {
    "round_robin": RoundRobin,
    "power_of_two": PowerOfTwoChoices,
}


@dataclass(frozen=True)
class CallingParts:
    """What every function that calls providers is made of."""

    telemetry: TelemetryWriter
    keys: KeyPools
    router: Router
    driver: FlowDriver
    result_store: ResultStore
    runner: AttemptRunner


def build_dispatch(settings: DispatchSettings, ports: DispatchPorts | None = None) -> DispatchService:
    """Wire everything that dispatch_request needs, over AWS or over the ports given."""
    from mediarelay.dispatch.dispatch import DispatchService  # noqa: PLC0415 # no other function needs these
    from mediarelay.long_jobs.start import JobStarter  # noqa: PLC0415
    from mediarelay.serving.serve import JobServer  # noqa: PLC0415

    ports = ports or dispatch_ports(settings)
    clock = ports.calling.clock
    parts = calling_parts(
        settings,
        ports.calling,
        shared_limiter(ports.leases, ports.fleet, ports.calling, workers=settings.workers, linger=ports.linger),
    )
    server = JobServer(ports.jobs, parts.driver, parts.keys, parts.runner, parts.result_store, parts.telemetry, clock)

    @cache
    def canceller() -> JobCanceller:
        # Imported here: only a cancellation pays for what it takes.
        from mediarelay.long_jobs.cancel import JobCanceller  # noqa: PLC0415

        long_jobs = _long_jobs(settings, ports.calling, parts)
        providers = {**listing.providers(), **settings.added_servers.listed}
        return JobCanceller(long_jobs.jobs, ports.executions, parts.keys, long_jobs, providers=providers, clock=clock)

    return DispatchService(
        ports.jobs,
        ports.queue,
        parts.router,
        server,
        starter=JobStarter(ports.calling.media_jobs, _machines(settings, ports), clock),
        canceller=canceller,
        clock=clock,
    )


def _machines(settings: DispatchSettings, ports: DispatchPorts) -> Callable[[JobSpec], Machine]:
    from mediarelay.long_jobs.start import Machine, media_job  # noqa: PLC0415 # as above

    media = Machine(ports.executions, media_job(settings.webhook_url or None))

    def machine_of(spec: JobSpec) -> Machine:
        if not spec.in_parts:
            return media
        # Imported here: only a text that no model takes pays for what keeps it.
        from mediarelay.long_speech.start import speech_job  # noqa: PLC0415

        return Machine(ports.speeches, speech_job(ports.calling.media))

    return machine_of


def build_jobs(settings: JobSettings, ports: CallingPorts | None = None) -> LongJobFunctions:
    """Wire everything that submit_job, poll_job and settle_job need, over AWS or over the ports given."""
    ports = ports or calling_ports(settings)
    # A job of minutes holds a slot of its account throughout; only dispatch_request takes a permit for each call.
    return _long_jobs(settings, ports, calling_parts(settings, ports, None))


def calling_parts(settings: ProviderSettings, ports: CallingPorts, limiter: RateLimiter | None) -> CallingParts:
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
    )
    router = Router(offered, with_servers(ALL_PROVIDERS, added), keys, health, rng, added, settings.rehearsed_day)
    result_store = ResultStore(ports.media, clock)
    runner = AttemptRunner(ports.http, result_store, base_urls=ports.base_urls, secrets=keys.secrets, clock=clock)
    return CallingParts(telemetry, keys, router, FlowDriver(keys, health, clock, rng), result_store, runner)


def shared_limiter(
    leases: LimitStore | None, fleet: FleetClock, calling: CallingPorts, *, workers: int, linger: float
) -> RateLimiter | None:
    """Make the limits that all workers share; None where they share none."""
    if leases is None:
        return None
    return RateLimiter(
        leases, fleet, calling.counters, workers=workers, clock=calling.clock, rng=calling.rng, linger=linger
    )


def _long_jobs(settings: ProviderSettings, ports: CallingPorts, parts: CallingParts) -> LongJobFunctions:
    from mediarelay.long_jobs.assembly import JobParts, LongJobFunctions  # noqa: PLC0415

    return LongJobFunctions(
        JobParts(
            jobs=ports.media_jobs,
            slots=ports.slots,
            times=ports.times,
            fetcher=ports.fetcher,
            uploads=ports.uploads,
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
            clock=ports.clock,
            rng=ports.rng,
        )
    )
