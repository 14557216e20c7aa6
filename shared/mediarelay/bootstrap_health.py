"""Wiring of the health functions; `bootstrap` has the rest."""

from __future__ import annotations

from functools import partial
from random import Random

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.dynamodb_alerts import DynamoAlertLog, DynamoAlertPath, DynamoPools
from mediarelay.adapters.dynamodb_buckets import DynamoBuckets
from mediarelay.adapters.dynamodb_health import DynamoHealth
from mediarelay.adapters.dynamodb_jobs import DynamoJobs
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.dynamodb_overrides import DynamoOverrides
from mediarelay.adapters.http import RequestsHttp
from mediarelay.adapters.s3_media import S3Links
from mediarelay.adapters.sns_alerts import SnsAlerts
from mediarelay.adapters.sqs_depth import queued
from mediarelay.adapters.token_secret import SecretTokens
from mediarelay.bootstrap import base_urls, key_source
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.providers.thresholds import ThresholdBook
from mediarelay.services.aggregating import AggregateService
from mediarelay.services.alerting import AlertService
from mediarelay.services.authorizing import AuthorizeService
from mediarelay.services.operations import OperationsService, Stores
from mediarelay.services.probing import ProbeService
from mediarelay.settings import AggregateSettings, AlertSettings, ApiSettings, AuthorizeSettings, ProbeSettings


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


def build_alerts(settings: AlertSettings) -> AlertService:
    """Everything alert_operators needs."""
    table = aws.client("dynamodb")
    return AlertService(
        SnsAlerts(aws.client("sns"), settings.provider_alerts_topic_arn),
        DynamoAlertLog(table, settings.telemetry_table),
        DynamoKeyStates(table, settings.telemetry_table),
        vendor_of=vendor_of,
        queued=partial(queued, aws.client("sqs"), settings.request_queue_url),
        clock=SystemClock(),
    )


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


def build_authorize(settings: AuthorizeSettings) -> AuthorizeService:
    """Everything authorize_request needs."""
    return AuthorizeService(SecretTokens(settings.tokens_secret_id, aws.STORE_CONFIG), clock=SystemClock())


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


def vendor_of(provider: str) -> str | None:
    """Who owns the account; None for a provider that is no longer known."""
    known = ALL_PROVIDERS.get(provider)
    return known.vendor if known else None
