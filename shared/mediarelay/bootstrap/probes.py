"""Wiring of probe_providers, apart from the others': no function imports what another needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import Field

from mediarelay.alerts.dynamodb import DynamoAlertPath
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.aggregate import AggregateSettings, build_aggregate
from mediarelay.bootstrap.settings import OfferSettings
from mediarelay.bootstrap.shared import key_source, provider_addresses
from mediarelay.calendar.dynamodb import DynamoCapabilities
from mediarelay.calendar.watch import CapabilityWatch
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.dynamodb_overrides import DynamoOverrides
from mediarelay.health.probe_sweep import KeyStores, Prober, ProbeService, Telling
from mediarelay.http.connections import RequestsHttp
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.keys.parsing import ApiKey
from mediarelay.metrics.dynamodb_buckets import DynamoBuckets
from mediarelay.metrics.emf import EmfCounters
from mediarelay.metrics.series.dynamodb import DynamoSeries
from mediarelay.metrics.series.rolling import SeriesKeeper
from mediarelay.providers.registry import ALL_PROVIDERS, with_servers


class ProbeSettings(AggregateSettings, OfferSettings):
    """Environment of probe_providers."""

    keys_secret_id: str = Field(alias="KEYS_SECRET_ID", default="")
    provider_base_urls: str = Field(alias="PROVIDER_BASE_URLS", default="")
    namespace: str = Field(alias="POWERTOOLS_METRICS_NAMESPACE", default="mediarelay")


def build_probes(settings: ProbeSettings) -> ProbeService:
    """Wire everything that probe_providers needs."""
    table, name, clock = clients.client("dynamodb"), settings.telemetry_table, SystemClock()
    http = RequestsHttp(clock, allow_plain_http=settings.stage == "local")
    added = settings.added_servers
    addresses, providers = provider_addresses(settings.provider_base_urls, added), with_servers(ALL_PROVIDERS, added)
    watch = CapabilityWatch(
        providers,
        DynamoCapabilities(table, name),
        servers=added,
        enabled=settings.providers,
        day=settings.rehearsed_day,
    )
    offered = settings.providers or providers
    vendors = {each: provider.vendor for each, provider in providers.items() if each in offered}
    return ProbeService(
        build_aggregate(settings),
        DynamoHealth(table, name),
        KeyStores(key_source(settings.keys_secret_id, added), DynamoKeyStates(table, name), DynamoPools(table, name)),
        DynamoOverrides(table, name),
        Telling(
            DynamoAlertPath(table, name),
            watch.look,
            partial(_look_at_limits, table, name, vendors),
            SeriesKeeper(DynamoBuckets(table, name), DynamoSeries(table, name)).keep,
            EmfCounters(settings.namespace, settings.stage),
        ),
        Prober(providers, http, base_urls=addresses, clock=clock, enabled=settings.providers),
        clock,
    )


def _look_at_limits(
    client: Any, table: str, vendors: Mapping[str, str], keys: Mapping[str, Sequence[ApiKey]], now: float
) -> None:
    # Imported here: the first sweep pays for it, not every start.
    from mediarelay.keys.pool import declared_rates  # noqa: PLC0415
    from mediarelay.limits.dynamodb import DynamoLimits, ServerDate  # noqa: PLC0415
    from mediarelay.limits.dynamodb_reports import DynamoLimitReports  # noqa: PLC0415
    from mediarelay.limits.local_view import FleetClock  # noqa: PLC0415
    from mediarelay.limits.watch import LimitWatch  # noqa: PLC0415

    limits = DynamoLimits(client, table, ServerDate(SystemClock(), FleetClock()))
    rates = {vendor: declared_rates(key.entry for key in held) for vendor, held in keys.items()}
    LimitWatch(vendors, limits, DynamoLimitReports(client, table)).look(rates, now)
