"""One Jobs table as each of its ports, in memory or in DynamoDB."""

from __future__ import annotations

from typing import Any, NamedTuple

from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_speech.dynamodb import DynamoSpeechProgress
from mediarelay.long_speech.ports import SpeechProgress
from tests.doubles.jobs import MemorySpeechJobs


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
