"""Wiring of alert_operators, apart from the others': no function imports what another needs."""

from __future__ import annotations

from functools import partial

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.dynamodb_alerts import DynamoAlertLog
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.sns_alerts import SnsAlerts
from mediarelay.adapters.sqs_depth import queued
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.services.alerting import AlertService
from mediarelay.settings import AlertSettings


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


def vendor_of(provider: str) -> str | None:
    """Who owns the account; None for a provider that is no longer known."""
    known = ALL_PROVIDERS.get(provider)
    return known.vendor if known else None
