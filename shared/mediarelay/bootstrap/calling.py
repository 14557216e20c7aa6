"""Wiring of the functions that call providers: dispatch_request, and those of the state machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mediarelay.bootstrap.adapters import CallingPorts, DispatchPorts, calling_ports, dispatch_ports
from mediarelay.bootstrap.settings import DispatchSettings, JobSettings, ProviderSettings
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.health.fleet_view import FleetHealth
from mediarelay.keys.pool import PowerOfTwoChoices, RotationPolicy, RoundRobin
from mediarelay.keys.pools import KeyPools
from mediarelay.limits.limiter import RateLimiter
from mediarelay.long_jobs.assembly import JobParts, LongJobFunctions
from mediarelay.long_jobs.cancel import JobCanceller
from mediarelay.long_jobs.start import JobStarter
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.providers import listing
from mediarelay.providers.listing import ListedProvider
from mediarelay.providers.registry import ALL_PROVIDERS, with_servers
from mediarelay.results.result_store import ResultStore
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.flow_driver import FlowDriver
from mediarelay.serving.serve import JobServer

_POLICIES: Final[Mapping[str, Callable[[], RotationPolicy]]] = {
    "round_robin": RoundRobin,
    "power_of_two": PowerOfTwoChoices,
}


@dataclass(frozen=True)
class _Parts:
    """What every function that calls providers is made of."""

    telemetry: TelemetryWriter
    keys: KeyPools
    router: Router
    driver: FlowDriver
    result_store: ResultStore
    runner: AttemptRunner


def build_dispatch(settings: DispatchSettings, ports: DispatchPorts | None = None) -> DispatchService:
    """Wire everything that dispatch_request needs, over AWS or over the ports given."""
    ports = ports or dispatch_ports(settings)
    clock = ports.calling.clock
    parts = _parts(settings, ports.calling, _limiter(settings, ports))
    server = JobServer(ports.jobs, parts.driver, parts.keys, parts.runner, parts.result_store, parts.telemetry, clock)
    long_jobs = _long_jobs(settings, ports.calling, parts)
    return DispatchService(
        ports.jobs,
        ports.queue,
        parts.router,
        server,
        starter=JobStarter(long_jobs.jobs, ports.executions, clock, webhook_url=settings.webhook_url or None),
        canceller=JobCanceller(long_jobs.jobs, ports.executions, parts.keys, long_jobs, clock=clock),
        clock=clock,
    )


def build_jobs(settings: JobSettings, ports: CallingPorts | None = None) -> LongJobFunctions:
    """Wire everything that submit_job, poll_job and settle_job need, over AWS or over the ports given."""
    ports = ports or calling_ports(settings)
    # A job of minutes holds a slot of its account throughout; only dispatch_request takes a permit for each call.
    return _long_jobs(settings, ports, _parts(settings, ports, None))


def _parts(settings: ProviderSettings, ports: CallingPorts, limiter: RateLimiter | None) -> _Parts:
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
        kinds={name: provider.kind for name, provider in offered.items()},
        has_keys=lambda name: keys.has_keys(offered[name].vendor),
        clock=clock,
    )
    router = Router(offered, with_servers(ALL_PROVIDERS, added), keys, health, rng, added)
    result_store = ResultStore(ports.media, clock)
    runner = AttemptRunner(ports.http, result_store, base_urls=ports.base_urls, secrets=keys.secrets, clock=clock)
    return _Parts(telemetry, keys, router, FlowDriver(keys, health, clock, rng), result_store, runner)


def _limiter(settings: DispatchSettings, ports: DispatchPorts) -> RateLimiter | None:
    if ports.leases is None:
        return None
    calling = ports.calling
    return RateLimiter(
        ports.leases,
        ports.fleet,
        calling.counters,
        workers=settings.workers,
        clock=calling.clock,
        rng=calling.rng,
        linger=ports.linger,
    )


def _long_jobs(settings: ProviderSettings, ports: CallingPorts, parts: _Parts) -> LongJobFunctions:
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
