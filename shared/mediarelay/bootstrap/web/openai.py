"""Wiring of answer_openai, apart from the others': no function imports what another needs."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from mediarelay.api.openai.dynamodb import DynamoMarkers
from mediarelay.api.openai.serving import OpenAiService, OpenAiStores
from mediarelay.api.publishing.dynamodb import DynamoNotes
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import OfferSettings
from mediarelay.bootstrap.web.authorize import AuthorizeSettings
from mediarelay.results.s3 import S3Links, S3Media

# Only for annotations: see below.
if TYPE_CHECKING:
    from mediarelay.api.listing.listing import ListingService
    from mediarelay.api.openai.translating import Menu
    from mediarelay.api.publishing.publishing import PublishingService
    from mediarelay.vocabulary.clock import Clock


class OpenAiSettings(OfferSettings, AuthorizeSettings):
    """Environment of answer_openai, which checks tokens as authorize_request does."""

    request_queue_url: str = Field(alias="REQUEST_QUEUE_URL", min_length=1)
    telemetry_table: str = Field(alias="TELEMETRY_TABLE", min_length=1)
    jobs_table: str = Field(alias="JOBS_TABLE", min_length=1)
    results_bucket: str = Field(alias="RESULTS_BUCKET", min_length=1)
    presigned_url_seconds: PositiveInt = Field(alias="PRESIGNED_URL_SECONDS", default=3600)
    wait_seconds: PositiveFloat = Field(alias="OPENAI_WAIT_SECONDS", default=280.0)
    aliases: dict[str, str] = Field(alias="OPENAI_MODEL_ALIASES", default_factory=dict)

    @field_validator("aliases", mode="before")
    @classmethod
    def _written(cls, given: Any) -> Any:
        return json.loads(given or "{}") if isinstance(given, str) else given


def build_openai(settings: OpenAiSettings, clock: Clock | None = None) -> OpenAiService:
    """Wire everything that answer_openai needs; by the system's clock when none is given."""
    table, clock = clients.client("dynamodb"), clock or SystemClock()
    bucket = clients.client("s3", clients.BUCKET_CONFIG)
    notes = DynamoNotes(table, settings.jobs_table)

    @cache
    def publishing() -> PublishingService:
        from mediarelay.api.contract import JobView  # noqa: PLC0415 # nobody needs it to be refused
        from mediarelay.api.dynamodb import DynamoAudit  # noqa: PLC0415 # as above
        from mediarelay.api.publishing.publishing import PublishingService  # noqa: PLC0415
        from mediarelay.api.publishing.sqs import SqsOutbox  # noqa: PLC0415

        # One try: what is published again under its id is the same request.
        outbox = SqsOutbox(clients.client("sqs", clients.TELEMETRY_CONFIG), settings.request_queue_url)
        audit = DynamoAudit(table, settings.telemetry_table)
        return PublishingService(
            outbox, notes, audit, view=lambda record, **_: JobView(**dict(record), links=[]), clock=clock
        )

    @cache
    def listing() -> ListingService:
        from mediarelay.api.listing.dynamodb import DynamoListing  # noqa: PLC0415 # few list their clips
        from mediarelay.api.listing.listing import ListingService  # noqa: PLC0415 # as above

        return ListingService(DynamoListing(table, settings.jobs_table), clock=clock)

    stores = OpenAiStores(
        publishing=publishing,
        notes=notes,
        markers=DynamoMarkers(table, settings.telemetry_table),
        media=S3Media(bucket, settings.results_bucket),
        links=S3Links(bucket, settings.results_bucket, settings.presigned_url_seconds),
        listing=listing,
    )
    return OpenAiService(
        stores, cache(lambda: _menu(settings)), clock=clock, dice=secrets.token_bytes, wait=settings.wait_seconds
    )


def _menu(settings: OpenAiSettings) -> Menu:
    from mediarelay.api.openai.translating import Menu, Offered  # noqa: PLC0415 # who is not let in needs no catalogue
    from mediarelay.providers import catalogue, listing  # noqa: PLC0415

    added, today = settings.added_servers, settings.rehearsed_day or datetime.now(UTC).date()
    offered = {}
    for name, provider in {**listing.providers(), **added.listed}.items():
        if settings.providers and name not in settings.providers:
            continue
        models = {**catalogue.models(name), **added.models.get(name, {})}
        sold = {id_: model for id_, model in models.items() if not model.retired(today)}
        default = catalogue.default_of(models.values(), today) if models else None
        offered[name] = Offered(provider.kind, provider.vendor, default, sold)
    return Menu(offered, settings.aliases)
