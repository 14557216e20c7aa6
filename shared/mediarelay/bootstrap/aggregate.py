"""Wiring of aggregate_health, apart from the others': no function imports what another needs."""

from __future__ import annotations

from random import Random

from pydantic import Field, Json

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings
from mediarelay.health.aggregate import AggregateService
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.thresholds import ThresholdBook
from mediarelay.metrics.dynamodb_buckets import DynamoBuckets
from mediarelay.providers.listing import healthy_seconds


class AggregateSettings(Settings):
    """Environment of aggregate_health."""

    telemetry_table: str = Field(alias="TELEMETRY_TABLE", min_length=1)
    health_thresholds: Json[dict[str, dict[str, float]]] = Field(alias="HEALTH_THRESHOLDS", default_factory=dict)


def build_aggregate(settings: AggregateSettings) -> AggregateService:
    """Wire everything that aggregate_health needs."""
    table = clients.client("dynamodb")
    return AggregateService(
        DynamoBuckets(table, settings.telemetry_table),
        DynamoHealth(table, settings.telemetry_table),
        limits=ThresholdBook(healthy_seconds(), settings.health_thresholds),
        clock=SystemClock(),
        rng=Random(),  # noqa: S311 # jitter, not cryptography
    )
