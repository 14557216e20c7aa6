"""Wiring of deliver_callback, which calls publishers' servers."""

from __future__ import annotations

import json
from random import Random

from pydantic import Field

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings, hosts_of
from mediarelay.callbacks.deliver import CallbackCaller, CallbackService, Receivers
from mediarelay.callbacks.dynamodb import DynamoCallbacks
from mediarelay.callbacks.secrets_manager import SecretsByHost
from mediarelay.callbacks.sqs import SqsCallbacks, SqsGivenUp
from mediarelay.http.connections import RequestsHttp
from mediarelay.metrics.emf import EmfCounters


class CallbackSettings(Settings):
    """Environment of deliver_callback."""

    jobs_table: str = Field(alias="JOBS_TABLE", min_length=1)
    callback_queue_url: str = Field(alias="CALLBACK_QUEUE_URL", min_length=1)
    callback_hosts: str = Field(alias="CALLBACK_HOSTS", default="")
    callback_secrets_id: str = Field(alias="CALLBACK_SECRETS_ID", min_length=1)
    callback_receivers: str = Field(alias="CALLBACK_RECEIVERS", default="{}")
    events_queue_url: str = Field(alias="EVENTS_QUEUE_URL", default="")
    namespace: str = Field(alias="POWERTOOLS_METRICS_NAMESPACE", default="mediarelay")

    @property
    def receivers_instead(self) -> dict[str, str]:
        """Where calls go instead, by host; nowhere else unless local."""
        return json.loads(self.callback_receivers) if self.stage == "local" else {}


def build_callbacks(settings: CallbackSettings) -> CallbackService:
    """Wire everything that deliver_callback needs."""
    clock, queues = SystemClock(), clients.client("sqs")
    return CallbackService(
        DynamoCallbacks(clients.client("dynamodb"), settings.jobs_table),
        SqsCallbacks(queues, settings.callback_queue_url),
        CallbackCaller(
            SecretsByHost(clients.client("secretsmanager"), settings.callback_secrets_id),
            RequestsHttp(clock, allow_plain_http=settings.stage == "local"),
            Receivers(hosts_of(settings.callback_hosts), settings.receivers_instead),
            clock,
        ),
        counters=EmfCounters(settings.namespace, settings.stage),
        clock=clock,
        draw=Random().random,  # noqa: S311 # jitter, not cryptography
        given_up=SqsGivenUp(queues, settings.events_queue_url) if settings.events_queue_url else None,
    )
