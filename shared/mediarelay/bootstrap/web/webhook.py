"""Wiring of receive_webhook: the only function that checks foreign signatures, and it knows no provider keys."""

from __future__ import annotations

from pydantic import Field

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings
from mediarelay.http.connections import RequestsHttp
from mediarelay.long_jobs.webhooks.dynamodb import DynamoWaitingTasks
from mediarelay.long_jobs.webhooks.ed25519 import verify
from mediarelay.long_jobs.webhooks.fal import public_keys
from mediarelay.long_jobs.webhooks.receive import WebhookService
from mediarelay.long_jobs.webhooks.signing_keys import WebhookKeys


class WebhookSettings(Settings):
    """Environment of receive_webhook."""

    telemetry_table: str = Field(alias="TELEMETRY_TABLE", min_length=1)
    jwks_url: str = Field(alias="FAL_JWKS_URL", min_length=1)


def build_webhooks(settings: WebhookSettings) -> WebhookService:
    """Wire everything that receive_webhook needs."""
    clock = SystemClock()
    http = RequestsHttp(clock, allow_plain_http=settings.stage == "local")
    tasks = DynamoWaitingTasks(clients.client("dynamodb"), settings.telemetry_table, clients.client("stepfunctions"))
    keys = WebhookKeys(http, settings.jwks_url, public_keys, clock=clock)
    return WebhookService(keys, tasks, verify=verify, clock=clock)
