"""Wiring of probe_providers, apart from the others': no function imports what another needs."""

from __future__ import annotations

from mediarelay.alerts.dynamodb import DynamoAlertPath
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.aggregate import build_aggregate
from mediarelay.bootstrap.settings import ProbeSettings
from mediarelay.bootstrap.shared import key_source, provider_addresses
from mediarelay.calendar.dynamodb import DynamoCapabilities
from mediarelay.calendar.watch import CapabilityWatch
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.dynamodb_overrides import DynamoOverrides
from mediarelay.health.probe_sweep import KeyStores, Prober, ProbeService, Telling
from mediarelay.http.connections import RequestsHttp
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.metrics.emf import EmfCounters
from mediarelay.providers.registry import ALL_PROVIDERS, with_servers


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
    return ProbeService(
        build_aggregate(settings),
        DynamoHealth(table, name),
        KeyStores(key_source(settings.keys_secret_id, added), DynamoKeyStates(table, name), DynamoPools(table, name)),
        DynamoOverrides(table, name),
        Telling(DynamoAlertPath(table, name), watch.look, EmfCounters(settings.namespace, settings.stage)),
        Prober(providers, http, base_urls=addresses, clock=clock, enabled=settings.providers),
        clock,
    )
