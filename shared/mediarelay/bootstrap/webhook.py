"""Wiring of receive_webhook: the only function that checks foreign signatures, and it knows no provider keys."""

from __future__ import annotations

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.ed25519 import verify
from mediarelay.adapters.http import RequestsHttp
from mediarelay.adapters.waiting_tasks import DynamoWaitingTasks
from mediarelay.providers.fal_webhooks import public_keys
from mediarelay.services.webhook_keys import WebhookKeys
from mediarelay.services.webhooks import WebhookService
from mediarelay.settings import WebhookSettings


def build_webhooks(settings: WebhookSettings) -> WebhookService:
    """Everything receive_webhook needs."""
    clock = SystemClock()
    http = RequestsHttp(clock, allow_plain_http=settings.stage == "local")
    tasks = DynamoWaitingTasks(aws.client("dynamodb"), settings.telemetry_table, aws.client("stepfunctions"))
    keys = WebhookKeys(http, settings.jwks_url, public_keys, clock=clock)
    return WebhookService(keys, tasks, verify=verify, clock=clock)
