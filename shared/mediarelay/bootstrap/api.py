"""Wiring of serve_api, apart from the others': no function imports what another needs."""

from __future__ import annotations

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.dynamodb_alerts import DynamoAlertLog, DynamoPools
from mediarelay.adapters.dynamodb_buckets import DynamoBuckets
from mediarelay.adapters.dynamodb_health import DynamoHealth
from mediarelay.adapters.dynamodb_jobs import DynamoJobs
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.dynamodb_overrides import DynamoOverrides
from mediarelay.adapters.s3_media import S3Links
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.services.operations import OperationsService, Stores
from mediarelay.settings import ApiSettings


def build_operations(settings: ApiSettings) -> OperationsService:
    """Everything serve_api needs."""
    table, name = aws.client("dynamodb"), settings.telemetry_table
    stores = Stores(
        records=DynamoHealth(table, name),
        buckets=DynamoBuckets(table, name),
        overrides=DynamoOverrides(table, name),
        pools=DynamoPools(table, name),
        alerts=DynamoAlertLog(table, name),
        states=DynamoKeyStates(table, name),
        jobs=DynamoJobs(table, settings.jobs_table),
    )
    links = S3Links(aws.client("s3", aws.BUCKET_CONFIG), settings.results_bucket, settings.presigned_url_seconds)
    return OperationsService(stores, links, ALL_PROVIDERS, clock=SystemClock())
