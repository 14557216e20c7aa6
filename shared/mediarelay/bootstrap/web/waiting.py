"""Wiring of wait_for_job, apart from the others': no function imports what another needs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from mediarelay.api.waiting.waiting import WaitService
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings

# Only for annotations: see below.
if TYPE_CHECKING:
    from mediarelay.api.job_views import JobReader


class WaitSettings(Settings):
    """Environment of wait_for_job."""

    jobs_table: str = Field(alias="JOBS_TABLE", min_length=1)
    results_bucket: str = Field(alias="RESULTS_BUCKET", min_length=1)
    presigned_url_seconds: PositiveInt = Field(alias="PRESIGNED_URL_SECONDS", default=3600)


def build_waiting(settings: WaitSettings) -> WaitService:
    """Wire everything that wait_for_job needs."""
    table, bucket = clients.client("dynamodb"), clients.client("s3", clients.BUCKET_CONFIG)

    @cache
    def reader() -> JobReader:
        from mediarelay.api.job_views import JobReader  # noqa: PLC0415 # who waits has time for what tells of jobs
        from mediarelay.api.publishing.dynamodb import DynamoNotes  # noqa: PLC0415 # as above
        from mediarelay.providers import listing  # noqa: PLC0415 # as above
        from mediarelay.results.s3 import S3Links  # noqa: PLC0415 # as above

        links = S3Links(bucket, settings.results_bucket, settings.presigned_url_seconds)
        providers = {**listing.providers(), **settings.added_servers.listed}
        return JobReader(DynamoNotes(table, settings.jobs_table), links, providers)

    return WaitService(reader, SystemClock())
