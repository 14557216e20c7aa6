"""One Jobs table as each of its ports, in memory or in DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mediarelay.api.listing.contract import shown
from mediarelay.api.listing.ports import Listing
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_speech.dynamodb import DynamoSpeechProgress
from mediarelay.long_speech.ports import SpeechProgress
from tests.doubles.jobs import MemoryJobs, MemorySpeechJobs


class JobStores(NamedTuple):
    """As workers, executions and those of long texts use it."""

    served: JobStore
    jobs: MediaJobStore
    progress: SpeechProgress

    @property
    def record(self) -> JobRecord:
        """The record of job-1."""
        found = self.jobs.get("job-1")
        assert found is not None
        return found


def in_memory(memory: MemorySpeechJobs) -> JobStores:
    return JobStores(memory, memory, memory)


def in_dynamodb(client: Any, table: str) -> JobStores:
    return JobStores(DynamoJobs(client, table), DynamoMediaJobs(client, table), DynamoSpeechProgress(client, table))


class MemoryListing:
    """Implements `api.listing.ports.JobIndex`. It has all of a stretch at once."""

    def __init__(self, jobs: MemoryJobs) -> None:
        self._jobs = jobs

    def stretch(self, since: int, until: int, *, most: int, wanted: Mapping[str, str]) -> Listing:
        """See `api.listing.ports.JobIndex.stretch`."""
        every = [record for record in self._jobs.all().values() if since <= record.received_at <= until and most]
        found = [each for each in every if not (each.branches or each.part or each.awaits_request)]
        jobs = [shown(each) for each in found if all(getattr(each, name) == value for name, value in wanted.items())]
        return Listing(jobs, since)
