"""Wiring of announce_result, apart from `bootstrap`: what calls no provider need not import them at a cold start."""

from __future__ import annotations

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.s3_media import S3Links
from mediarelay.adapters.sns_results import SnsResults
from mediarelay.services.announcing import AnnounceService
from mediarelay.settings import AnnounceSettings


def build_announce(settings: AnnounceSettings) -> AnnounceService:
    """Everything announce_result needs."""
    links = S3Links(aws.client("s3", aws.BUCKET_CONFIG), settings.results_bucket, settings.presigned_url_seconds)
    topic = SnsResults(aws.client("sns"), settings.media_results_topic_arn)
    return AnnounceService(topic, links, clock=SystemClock(), link_seconds=settings.presigned_url_seconds)
