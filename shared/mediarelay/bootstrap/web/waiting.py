"""Wiring of wait_for_job, apart from the others': no function imports what another needs."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from mediarelay.api.job_views import JobReader
from mediarelay.api.publishing.dynamodb import DynamoNotes
from mediarelay.api.waiting.waiting import WaitService
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings
from mediarelay.providers import listing
from mediarelay.results.s3 import S3Links


class WaitSettings(Settings):
    """Environment of wait_for_job."""

    jobs_table: str = Field(alias="JOBS_TABLE", min_length=1)
    results_bucket: str = Field(alias="RESULTS_BUCKET", min_length=1)
    presigned_url_seconds: PositiveInt = Field(alias="PRESIGNED_URL_SECONDS", default=3600)


def build_waiting(settings: WaitSettings) -> WaitService:
    """Wire everything that wait_for_job needs."""
    notes = DynamoNotes(clients.client("dynamodb"), settings.jobs_table)
    bucket = clients.client("s3", clients.BUCKET_CONFIG)
    links = S3Links(bucket, settings.results_bucket, settings.presigned_url_seconds)
    providers = {**listing.providers(), **settings.added_servers.listed}
    return WaitService(JobReader(notes, links, providers), SystemClock())
