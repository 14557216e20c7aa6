"""Wiring of announce_result and count_usage, which read the stream of the Jobs table, apart from the others': what
calls no provider need not import them at a cold start. Each of the two imports what it is made of.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings

# Only for annotations: see above.
if TYPE_CHECKING:
    from mediarelay.announce.announcing import AnnounceService
    from mediarelay.announce.ports import Replies
    from mediarelay.usage.usage import UsageCounter


class AnnounceSettings(Settings):
    """Environment of announce_result."""

    namespace: str = Field(alias="POWERTOOLS_METRICS_NAMESPACE", default="mediarelay")
    sibling_queue_url: str = Field(alias="REQUEST_QUEUE_URL", default="")
    reply_prefix: str = Field(alias="REPLY_PREFIX", default="")
    results_bucket: str = Field(alias="RESULTS_BUCKET", min_length=1)
    media_results_topic_arn: str = Field(alias="MEDIA_RESULTS_TOPIC_ARN", min_length=1)
    presigned_url_seconds: PositiveInt = Field(alias="PRESIGNED_URL_SECONDS", default=3600)


class UsageSettings(Settings):
    """Environment of count_usage."""

    usage_table: str = Field(alias="USAGE_TABLE", min_length=1)


def build_announce(settings: AnnounceSettings) -> AnnounceService:
    """Wire everything that announce_result needs."""
    from mediarelay.announce.announcing import AnnounceService  # noqa: PLC0415 # see above
    from mediarelay.announce.sns import SnsResults  # noqa: PLC0415
    from mediarelay.results.s3 import S3Links  # noqa: PLC0415

    links = S3Links(
        clients.client("s3", clients.BUCKET_CONFIG), settings.results_bucket, settings.presigned_url_seconds
    )
    topic = SnsResults(clients.client("sns"), settings.media_results_topic_arn)

    @cache
    def replies() -> Replies:
        # Imported here: most results are heard on the topic alone.
        from mediarelay.announce.sqs import SqsReplies  # noqa: PLC0415
        from mediarelay.metrics.emf import EmfCounters  # noqa: PLC0415

        queues, counters = clients.client("sqs", clients.LEASE_CONFIG), EmfCounters(settings.namespace, settings.stage)
        return SqsReplies(
            queues, settings.sibling_queue_url, settings.reply_prefix, counters=counters, clock=SystemClock()
        )

    return AnnounceService(
        topic, links, replies=replies, clock=SystemClock(), link_seconds=settings.presigned_url_seconds
    )


def build_usage(settings: UsageSettings) -> UsageCounter:
    """Wire everything that count_usage needs."""
    from mediarelay.usage.dynamodb import DynamoUsage  # noqa: PLC0415 # see above
    from mediarelay.usage.usage import UsageCounter  # noqa: PLC0415

    store = DynamoUsage(clients.client("dynamodb"), settings.usage_table)
    return UsageCounter(store, SystemClock(), Random())  # noqa: S311 # jitter, not cryptography
