"""Wiring of probe_providers, apart from the others': no function imports what another needs."""

from __future__ import annotations

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.dynamodb_alerts import DynamoAlertPath, DynamoPools
from mediarelay.adapters.dynamodb_health import DynamoHealth
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.dynamodb_overrides import DynamoOverrides
from mediarelay.adapters.http import RequestsHttp
from mediarelay.bootstrap_aggregate import build_aggregate
from mediarelay.bootstrap_keys import base_urls, key_source
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.services.probing import ProbeService
from mediarelay.settings import ProbeSettings


def build_probes(settings: ProbeSettings) -> ProbeService:
    """Everything probe_providers needs."""
    table, name, clock = aws.client("dynamodb"), settings.telemetry_table, SystemClock()
    return ProbeService(
        build_aggregate(settings),
        DynamoHealth(table, name),
        DynamoKeyStates(table, name),
        DynamoPools(table, name),
        DynamoOverrides(table, name),
        DynamoAlertPath(table, name),
        key_source(settings.keys_secret_id),
        RequestsHttp(clock, allow_plain_http=settings.stage == "local"),
        ALL_PROVIDERS,
        base_urls=base_urls(ALL_PROVIDERS),
        clock=clock,
    )
