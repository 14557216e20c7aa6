"""Wiring of serve_api, apart from the others': neither a function nor a route imports what another needs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt

from mediarelay.api.routes import Services
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings, hosts_of
from mediarelay.results.s3 import S3Links

# Only for annotations: see below.
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mediarelay.api.dead_letters.redriving import RedriveService
    from mediarelay.api.job_views import JobReader
    from mediarelay.api.listing.listing import ListingService
    from mediarelay.api.operations import OperationsService
    from mediarelay.api.orders.ordering import BudgetOrders
    from mediarelay.api.overview.overview import OverviewService
    from mediarelay.api.ports import AuditLog
    from mediarelay.api.publishing.ports import JobNotes
    from mediarelay.api.publishing.publishing import PublishingService
    from mediarelay.api.telling.telling import TellingService
    from mediarelay.budgets.ports import BudgetStore
    from mediarelay.limits.ports import LimitStore
    from mediarelay.metrics.series.ports import SeriesStore
    from mediarelay.providers.listing import ListedProvider


class ApiSettings(Settings):
    """Environment of serve_api."""

    budgets_parameter: str = Field(alias="BUDGETS_PARAMETER", default="")
    request_dlq_url: str = Field(alias="REQUEST_DLQ_URL", default="")
    request_queue_url: str = Field(alias="REQUEST_QUEUE_URL", default="")
    picture_queue_url: str = Field(alias="PICTURE_QUEUE_URL", default="")
    telemetry_table: str = Field(alias="TELEMETRY_TABLE", min_length=1)
    usage_table: str = Field(alias="USAGE_TABLE", min_length=1)
    jobs_table: str = Field(alias="JOBS_TABLE", min_length=1)
    results_bucket: str = Field(alias="RESULTS_BUCKET", min_length=1)
    presigned_url_seconds: PositiveInt = Field(alias="PRESIGNED_URL_SECONDS", default=3600)
    media_results_topic_arn: str = Field(alias="MEDIA_RESULTS_TOPIC_ARN", default="")
    callback_queue_url: str = Field(alias="CALLBACK_QUEUE_URL", default="")
    callback_hosts: str = Field(alias="CALLBACK_HOSTS", default="")


def _budgets(table: Any, name: str) -> BudgetStore:
    from mediarelay.budgets.dynamodb import DynamoBudgets  # noqa: PLC0415 # most deployments set no budgets

    return DynamoBudgets(table, name, SystemClock().now)


def _limits(table: Any, name: str) -> LimitStore:
    from mediarelay.limits.dynamodb import DynamoLimits, ServerDate  # noqa: PLC0415 # only one view shows them
    from mediarelay.limits.local_view import FleetClock  # noqa: PLC0415

    return DynamoLimits(table, name, ServerDate(SystemClock(), FleetClock()))


def _operations(settings: ApiSettings, table: Any) -> OperationsService:
    from mediarelay.alerts.dynamodb import DynamoAlertLog  # noqa: PLC0415 # see above
    from mediarelay.api.operations import OperationsService, Stores  # noqa: PLC0415
    from mediarelay.health.dynamodb import DynamoHealth  # noqa: PLC0415
    from mediarelay.health.dynamodb_overrides import DynamoOverrides  # noqa: PLC0415
    from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools  # noqa: PLC0415
    from mediarelay.metrics.dynamodb_buckets import DynamoBuckets  # noqa: PLC0415
    from mediarelay.usage.dynamodb import DynamoUsage  # noqa: PLC0415

    name = settings.telemetry_table
    stores = Stores(
        records=DynamoHealth(table, name),
        buckets=DynamoBuckets(table, name),
        overrides=DynamoOverrides(table, name),
        pools=DynamoPools(table, name),
        alerts=DynamoAlertLog(table, name),
        states=DynamoKeyStates(table, name),
        budgets=lambda: _budgets(table, name),
        usage=DynamoUsage(table, settings.usage_table),
        audit=_audit(settings, table),
        series=_series(settings, table),
        limits=lambda: _limits(table, name),
    )
    return OperationsService(stores, _providers(settings), clock=SystemClock())


def _notes(settings: ApiSettings, table: Any) -> JobNotes:
    from mediarelay.api.publishing.dynamodb import DynamoNotes  # noqa: PLC0415 # see above

    return DynamoNotes(table, settings.jobs_table)


def _audit(settings: ApiSettings, table: Any) -> AuditLog:
    from mediarelay.api.dynamodb import DynamoAudit  # noqa: PLC0415 # see above

    return DynamoAudit(table, settings.telemetry_table)


def _series(settings: ApiSettings, table: Any) -> SeriesStore:
    from mediarelay.metrics.series.dynamodb import DynamoSeries  # noqa: PLC0415 # see above

    return DynamoSeries(table, settings.telemetry_table)


def _providers(settings: ApiSettings) -> Mapping[str, ListedProvider]:
    from mediarelay.providers import listing  # noqa: PLC0415 # see above

    return {**listing.providers(), **settings.added_servers.listed}


def build_services(settings: ApiSettings) -> Services:
    """Wire what is asked for, when it first is."""
    table, bucket = clients.client("dynamodb"), clients.client("s3", clients.BUCKET_CONFIG)
    links = S3Links(bucket, settings.results_bucket, settings.presigned_url_seconds)

    @cache
    def operations() -> OperationsService:
        return _operations(settings, table)

    @cache
    def jobs() -> JobReader:
        from mediarelay.api.job_views import JobReader  # noqa: PLC0415 # as above

        return JobReader(_notes(settings, table), links, _providers(settings))

    @cache
    def publishing() -> PublishingService:
        from mediarelay.api.publishing.publishing import PublishingService  # noqa: PLC0415
        from mediarelay.api.publishing.sqs import SqsOutbox  # noqa: PLC0415

        clock = SystemClock()
        # One try: a request without an id is another one each time that it is sent.
        outbox = SqsOutbox(clients.client("sqs", clients.TELEMETRY_CONFIG), settings.request_queue_url)
        notes, audit = _notes(settings, table), _audit(settings, table)
        hosts = hosts_of(settings.callback_hosts)
        return PublishingService(outbox, notes, audit, view=jobs().view, callback_hosts=hosts, clock=clock)

    @cache
    def dead_letters() -> RedriveService:
        from mediarelay.api.dead_letters.redriving import RedriveService  # noqa: PLC0415 # as above
        from mediarelay.api.dead_letters.sqs import SqsDeadLetters  # noqa: PLC0415

        letters = SqsDeadLetters(clients.client("sqs"), settings.request_dlq_url, settings.request_queue_url)
        notes, audit = _notes(settings, table), _audit(settings, table)
        return RedriveService(letters, notes, audit, clock=SystemClock())

    @cache
    def overview() -> OverviewService:
        from mediarelay.api.overview.overview import OverviewService  # noqa: PLC0415 # as above
        from mediarelay.api.overview.sqs import SqsQueues  # noqa: PLC0415

        urls = [settings.request_queue_url, settings.picture_queue_url]
        queues = SqsQueues(clients.client("sqs"), urls, settings.request_dlq_url)
        series = _series(settings, table)
        return OverviewService(operations(), queues, series, stage=settings.stage, clock=SystemClock())

    @cache
    def listing() -> ListingService:
        from mediarelay.api.listing.dynamodb import DynamoListing  # noqa: PLC0415 # as above
        from mediarelay.api.listing.listing import ListingService  # noqa: PLC0415

        return ListingService(DynamoListing(table, settings.jobs_table), clock=SystemClock())

    @cache
    def telling() -> TellingService:
        from mediarelay.announce.announcing import AnnounceService  # noqa: PLC0415 # as above
        from mediarelay.announce.sns import SnsResults  # noqa: PLC0415
        from mediarelay.api.telling.telling import TellingService  # noqa: PLC0415
        from mediarelay.callbacks.sqs import SqsCallbacks  # noqa: PLC0415

        clock, seconds = SystemClock(), settings.presigned_url_seconds
        topic = SnsResults(clients.client("sns"), settings.media_results_topic_arn)
        announce = AnnounceService(topic, links, clock=clock, link_seconds=seconds)
        url = settings.callback_queue_url
        callbacks = SqsCallbacks(clients.client("sqs"), url) if url else None
        notes, audit = _notes(settings, table), _audit(settings, table)
        return TellingService(announce, callbacks, notes, audit, clock=clock)

    @cache
    def budget_orders() -> BudgetOrders:
        from mediarelay.api.orders.ordering import BudgetOrders  # noqa: PLC0415 # as above
        from mediarelay.budgets.ssm import ParameterDocument  # noqa: PLC0415

        name = settings.budgets_parameter
        document = ParameterDocument(clients.client("ssm"), name) if name else None
        return BudgetOrders(document, _audit(settings, table), clock=SystemClock())

    return Services(
        operations=operations,
        jobs=jobs,
        publishing=publishing,
        dead_letters=dead_letters,
        overview=overview,
        listing=listing,
        telling=telling,
        budget_orders=budget_orders,
        results_origin=cache(lambda: "/".join(links.sign("x")[1].split("/", 3)[:3])),
    )
