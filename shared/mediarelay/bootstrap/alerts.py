"""Wiring of alert_operators, apart from the others': no function imports what another needs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mediarelay.alerts.alerting import AlertService, Sources
from mediarelay.alerts.dynamodb import DynamoAlertLog, DynamoIncidents
from mediarelay.alerts.sns import SnsAlerts
from mediarelay.alerts.sqs import queued
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.providers import listing
from mediarelay.providers.listing import AddedServers

# Only for an annotation: see below.
if TYPE_CHECKING:
    from mediarelay.health.ports import HealthStore
    from mediarelay.limits.ports import LimitReports


class AlertSettings(Settings):
    """Environment of alert_operators."""

    telemetry_table: str = Field(alias="TELEMETRY_TABLE", min_length=1)
    request_queue_url: str = Field(alias="REQUEST_QUEUE_URL", min_length=1)
    picture_queue_url: str = Field(alias="PICTURE_QUEUE_URL", default="")
    provider_alerts_topic_arn: str = Field(alias="PROVIDER_ALERTS_TOPIC_ARN", min_length=1)


def build_alerts(settings: AlertSettings) -> AlertService:
    """Wire everything that alert_operators needs."""
    table = clients.client("dynamodb")
    return AlertService(
        SnsAlerts(clients.client("sns"), settings.provider_alerts_topic_arn),
        DynamoAlertLog(table, settings.telemetry_table),
        DynamoIncidents(table, settings.telemetry_table),
        Sources(
            DynamoKeyStates(table, settings.telemetry_table),
            DynamoPools(table, settings.telemetry_table),
            partial(_records, table, settings.telemetry_table),
            partial(_limits, table, settings.telemetry_table),
        ),
        vendor_of=partial(vendor_of, settings.added_servers),
        queued=partial(
            queued, clients.client("sqs"), *filter(None, [settings.request_queue_url, settings.picture_queue_url])
        ),
        clock=SystemClock(),
    )


def _records(client: Any, table: str) -> HealthStore:
    # Imported here: records are read by themselves only while an incident is open.
    from mediarelay.health.dynamodb import DynamoHealth  # noqa: PLC0415

    return DynamoHealth(client, table)


def _limits(client: Any, table: str) -> LimitReports:
    # Imported here: as rare.
    from mediarelay.limits.dynamodb_reports import DynamoLimitReports  # noqa: PLC0415

    return DynamoLimitReports(client, table)


def vendor_of(added: AddedServers, provider: str) -> str | None:
    """Return the vendor of a provider; None for one that is no longer known."""
    known = listing.providers().get(provider) or added.listed.get(provider)
    return known.vendor if known else None
