"""Wiring of alert_operators, apart from the others': no function imports what another needs."""

from __future__ import annotations

from functools import partial

from mediarelay.alerts.alerting import AlertService
from mediarelay.alerts.dynamodb import DynamoAlertLog
from mediarelay.alerts.sns import SnsAlerts
from mediarelay.alerts.sqs import queued
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import AlertSettings
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.providers import listing
from mediarelay.providers.listing import AddedServers


def build_alerts(settings: AlertSettings) -> AlertService:
    """Wire everything that alert_operators needs."""
    table = clients.client("dynamodb")
    return AlertService(
        SnsAlerts(clients.client("sns"), settings.provider_alerts_topic_arn),
        DynamoAlertLog(table, settings.telemetry_table),
        DynamoKeyStates(table, settings.telemetry_table),
        vendor_of=partial(vendor_of, settings.added_servers),
        queued=partial(
            queued, clients.client("sqs"), *filter(None, [settings.request_queue_url, settings.picture_queue_url])
        ),
        clock=SystemClock(),
    )


def vendor_of(added: AddedServers, provider: str) -> str | None:
    """Return the vendor of a provider; None for one that is no longer known."""
    known = listing.providers().get(provider) or added.listed.get(provider)
    return known.vendor if known else None
