"""Wiring of serve_api, apart from the others': no function imports what another needs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt

from mediarelay.alerts.dynamodb import DynamoAlertLog
from mediarelay.api.dynamodb import DynamoAudit
from mediarelay.api.operations import OperationsService, Services, Stores
from mediarelay.api.publishing.dynamodb import DynamoNotes
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings, hosts_of
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.dynamodb_overrides import DynamoOverrides
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.metrics.dynamodb_buckets import DynamoBuckets
from mediarelay.metrics.series.dynamodb import DynamoSeries
from mediarelay.providers import listing
from mediarelay.results.s3 import S3Links
from mediarelay.usage.dynamodb import DynamoUsage

# Only for annotations: see below.
if TYPE_CHECKING:
    from mediarelay.api.dead_letters.redriving import RedriveService
    from mediarelay.api.listing.listing import ListingService
    from mediarelay.api.orders.ordering import BudgetOrders
    from mediarelay.api.overview.overview import OverviewService
    from mediarelay.api.publishing.publishing import PublishingService
    from mediarelay.api.telling.telling import TellingService
    from mediarelay.budgets.ports import BudgetStore
    from mediarelay.limits.ports import LimitStore


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


def build_services(settings: ApiSettings, operations: OperationsService) -> Services:
    """Wire what few ask for, when they do."""

    @cache
    def publishing() -> PublishingService:
        from mediarelay.api.publishing.publishing import PublishingService  # noqa: PLC0415
        from mediarelay.api.publishing.sqs import SqsOutbox  # noqa: PLC0415

        table, clock = clients.client("dynamodb"), SystemClock()
        # One try: a request without an id is another one each time that it is sent.
        outbox = SqsOutbox(clients.client("sqs", clients.TELEMETRY_CONFIG), settings.request_queue_url)
        notes, audit = DynamoNotes(table, settings.jobs_table), DynamoAudit(table, settings.telemetry_table)
        hosts = hosts_of(settings.callback_hosts)
        return PublishingService(outbox, notes, audit, view=operations.jobs.view, callback_hosts=hosts, clock=clock)

    @cache
    def dead_letters() -> RedriveService:
        from mediarelay.api.dead_letters.redriving import RedriveService  # noqa: PLC0415 # as above
        from mediarelay.api.dead_letters.sqs import SqsDeadLetters  # noqa: PLC0415

        table, queues = clients.client("dynamodb"), clients.client("sqs")
        letters = SqsDeadLetters(queues, settings.request_dlq_url, settings.request_queue_url)
        notes, audit = DynamoNotes(table, settings.jobs_table), DynamoAudit(table, settings.telemetry_table)
        return RedriveService(letters, notes, audit, clock=SystemClock())

    @cache
    def overview() -> OverviewService:
        from mediarelay.api.overview.overview import OverviewService  # noqa: PLC0415 # as above
        from mediarelay.api.overview.sqs import SqsQueues  # noqa: PLC0415

        urls = [settings.request_queue_url, settings.picture_queue_url]
        queues = SqsQueues(clients.client("sqs"), urls, settings.request_dlq_url)
        series = DynamoSeries(clients.client("dynamodb"), settings.telemetry_table)
        return OverviewService(operations, queues, series, stage=settings.stage, clock=SystemClock())

    @cache
    def listing() -> ListingService:
        from mediarelay.api.listing.dynamodb import DynamoListing  # noqa: PLC0415 # as above
        from mediarelay.api.listing.listing import ListingService  # noqa: PLC0415

        return ListingService(DynamoListing(clients.client("dynamodb"), settings.jobs_table), clock=SystemClock())

    @cache
    def telling() -> TellingService:
        from mediarelay.announce.announcing import AnnounceService  # noqa: PLC0415 # as above
        from mediarelay.announce.sns import SnsResults  # noqa: PLC0415
        from mediarelay.api.telling.telling import TellingService  # noqa: PLC0415
        from mediarelay.callbacks.sqs import SqsCallbacks  # noqa: PLC0415

        table, clock, seconds = clients.client("dynamodb"), SystemClock(), settings.presigned_url_seconds
        links = S3Links(clients.client("s3", clients.BUCKET_CONFIG), settings.results_bucket, seconds)
        topic = SnsResults(clients.client("sns"), settings.media_results_topic_arn)
        announce = AnnounceService(topic, links, clock=clock, link_seconds=seconds)
        url = settings.callback_queue_url
        callbacks = SqsCallbacks(clients.client("sqs"), url) if url else None
        notes, audit = DynamoNotes(table, settings.jobs_table), DynamoAudit(table, settings.telemetry_table)
        return TellingService(announce, callbacks, notes, audit, clock=clock)

    @cache
    def budget_orders() -> BudgetOrders:
        from mediarelay.api.orders.ordering import BudgetOrders  # noqa: PLC0415 # as above
        from mediarelay.budgets.ssm import ParameterDocument  # noqa: PLC0415

        name = settings.budgets_parameter
        document = ParameterDocument(clients.client("ssm"), name) if name else None
        audit = DynamoAudit(clients.client("dynamodb"), settings.telemetry_table)
        return BudgetOrders(document, audit, clock=SystemClock())

    return Services(
        publishing=publishing,
        dead_letters=dead_letters,
        overview=overview,
        listing=listing,
        telling=telling,
        budget_orders=budget_orders,
    )


def build_operations(settings: ApiSettings) -> OperationsService:
    """Wire everything that serve_api needs."""
    table, name = clients.client("dynamodb"), settings.telemetry_table
    stores = Stores(
        records=DynamoHealth(table, name),
        buckets=DynamoBuckets(table, name),
        overrides=DynamoOverrides(table, name),
        pools=DynamoPools(table, name),
        alerts=DynamoAlertLog(table, name),
        states=DynamoKeyStates(table, name),
        jobs=DynamoNotes(table, settings.jobs_table),
        budgets=lambda: _budgets(table, name),
        usage=DynamoUsage(table, settings.usage_table),
        audit=DynamoAudit(table, name),
        series=DynamoSeries(table, name),
        limits=lambda: _limits(table, name),
    )
    links = S3Links(
        clients.client("s3", clients.BUCKET_CONFIG), settings.results_bucket, settings.presigned_url_seconds
    )
    providers = {**listing.providers(), **settings.added_servers.listed}
    return OperationsService(stores, links, providers, clock=SystemClock())
