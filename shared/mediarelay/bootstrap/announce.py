"""Wiring of announce_result, apart from `bootstrap`: what calls no provider need not import them at a cold start."""

from __future__ import annotations

from mediarelay.announce.announcing import AnnounceService
from mediarelay.announce.sns import SnsResults
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import AnnounceSettings
from mediarelay.results.s3 import S3Links


def build_announce(settings: AnnounceSettings) -> AnnounceService:
    """Wire everything that announce_result needs."""
    links = S3Links(
        clients.client("s3", clients.BUCKET_CONFIG), settings.results_bucket, settings.presigned_url_seconds
    )
    topic = SnsResults(clients.client("sns"), settings.media_results_topic_arn)
    return AnnounceService(topic, links, clock=SystemClock(), link_seconds=settings.presigned_url_seconds)
