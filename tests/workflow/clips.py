"""Requests for clips, and what is counted of the jobs they lead to."""

from __future__ import annotations

from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.outcome import Outcome
from tests.harness.long_jobs.workflow import Bench

KLING = {"request_id": "job-1", "providers": ["kling-video"]}
BOTH = {"request_id": "job-1", "providers": ["kling-video", "fal-kling"], "strategy": "ordered"}
FAL = {"request_id": "job-1", "providers": ["fal-kling"]}


def submits(bench: Bench) -> int:
    """How many jobs the vendors accepted, charged or not."""
    return sum(bench.vendors.submits.values())


def outcomes(record: JobRecord) -> list[Outcome]:
    """What its attempts came to."""
    return [attempt.outcome for attempt in record.attempts]
