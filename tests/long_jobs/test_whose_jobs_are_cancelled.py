from __future__ import annotations

from typing import Any

from mediarelay.job_records.contract import JobRecord
from mediarelay.long_jobs.cancel import JobCanceller
from mediarelay.providers.listing import ListedProvider
from mediarelay.vocabulary.kinds import Kind
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.jobs import MemoryMediaJobs
from tests.doubles.long_jobs import MemoryExecutions

PROVIDERS = {
    name: ListedProvider(name, "acme", "acme", kind, is_job=kind is not Kind.TTS)
    for name, kind in {"acme-tts": Kind.TTS, "acme-video": Kind.VIDEO, "acme-image": Kind.IMAGE}.items()
}


class Asked(MemoryMediaJobs):
    """Has no job, and knows which it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def get(self, request_id: str) -> JobRecord | None:
        self.names.append(request_id)
        return None


def test_a_request_of_strategy_all_may_have_a_job_at_any_provider_that_the_deployment_knows() -> None:
    jobs = Asked()
    nothing: Any = None  # what a canceller without jobs never uses
    executions = MemoryExecutions()
    canceller = JobCanceller(jobs, executions, executions, nothing, nothing, providers=PROVIDERS, clock=ManualClock())
    canceller.cancel("r-1", worker_ends_at=EPOCH + 60)
    assert jobs.names == ["r-1", "r-1#acme-tts", "r-1#acme-video", "r-1#acme-image"]
