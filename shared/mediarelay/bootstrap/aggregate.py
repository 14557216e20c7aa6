"""Wiring of aggregate_health, apart from the others': no function imports what another needs."""

from __future__ import annotations

from random import Random

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.dynamodb_buckets import DynamoBuckets
from mediarelay.adapters.dynamodb_health import DynamoHealth
from mediarelay.providers.thresholds import ThresholdBook
from mediarelay.services.aggregating import AggregateService
from mediarelay.settings import AggregateSettings


def build_aggregate(settings: AggregateSettings) -> AggregateService:
    """Everything aggregate_health needs."""
    table = aws.client("dynamodb")
    return AggregateService(
        DynamoBuckets(table, settings.telemetry_table),
        DynamoHealth(table, settings.telemetry_table),
        limits=ThresholdBook(settings.health_thresholds),
        clock=SystemClock(),
        rng=Random(),  # noqa: S311 # jitter, not cryptography
    )
