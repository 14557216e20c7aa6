"""Wiring of forward_events, which tells others' systems what the topics told. What is not asked for is not imported."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings
from mediarelay.events.forwarding import ForwardingService, Outlets
from mediarelay.events.sqs import SqsEvents

# Only for annotations: see above.
if TYPE_CHECKING:
    from mediarelay.alerts.ports import IncidentStates
    from mediarelay.events.eventbridge import EventBridgeBus
    from mediarelay.events.pager import PagerDuty
    from mediarelay.events.sns import SnsChat


class EventSettings(Settings):
    """Environment of forward_events."""

    events_queue_url: str = Field(alias="EVENTS_QUEUE_URL", min_length=1)
    events_dlq_url: str = Field(alias="EVENTS_DLQ_URL", min_length=1)
    telemetry_table: str = Field(alias="TELEMETRY_TABLE", min_length=1)
    event_bus: str = Field(alias="EVENT_BUS", default="")
    chat_alerts_topic_arn: str = Field(alias="CHAT_ALERTS_TOPIC_ARN", default="")
    pager_secret_id: str = Field(alias="PAGER_SECRET_ID", default="")
    console_url: str = Field(alias="CONSOLE_URL", default="")


def build_forwarding(settings: EventSettings) -> ForwardingService:
    """Wire everything that forward_events needs."""
    outlets = Outlets(
        bus=_bus(settings) if settings.event_bus else None,
        chat=_chat(settings) if settings.chat_alerts_topic_arn else None,
        pager=_pager(settings) if settings.pager_secret_id else None,
    )

    @cache
    def incidents() -> IncidentStates:
        from mediarelay.alerts.dynamodb import DynamoIncidents  # noqa: PLC0415 # see above

        return DynamoIncidents(clients.client("dynamodb"), settings.telemetry_table)

    queue = SqsEvents(clients.client("sqs"), settings.events_queue_url, settings.events_dlq_url)
    return ForwardingService(outlets, queue, incidents, stage=settings.stage, console=settings.console_url)


def _bus(settings: EventSettings) -> EventBridgeBus:
    from mediarelay.events.eventbridge import EventBridgeBus  # noqa: PLC0415 # see above

    return EventBridgeBus(clients.client("events"), settings.event_bus)


def _chat(settings: EventSettings) -> SnsChat:
    from mediarelay.events.sns import SnsChat  # noqa: PLC0415 # see above

    return SnsChat(clients.client("sns"), settings.chat_alerts_topic_arn)


def _pager(settings: EventSettings) -> PagerDuty:
    from mediarelay.events.pager import PagerDuty  # noqa: PLC0415 # see above
    from mediarelay.events.secrets_manager import StoredText  # noqa: PLC0415
    from mediarelay.http.connections import RequestsHttp  # noqa: PLC0415

    clock = SystemClock()
    key = StoredText(clients.client("secretsmanager"), settings.pager_secret_id)
    return PagerDuty(RequestsHttp(clock, allow_plain_http=False), key.load, clock)
