"""A worker in memory, and the ways a test looks at what it did."""

from __future__ import annotations

from typing import Any

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import job_key
from tests.builders.requests import message
from tests.doubles.queue import MemoryQueue
from tests.doubles.scripted_http import ScriptedHttp
from tests.harness.worker import World, worker


class Bench:
    """One world, and the ways a test looks at it."""

    def __init__(self) -> None:
        self.world = World()
        self.clock = self.world.clock

    @property
    def http(self) -> ScriptedHttp:
        assert isinstance(self.world.http, ScriptedHttp)
        return self.world.http

    @property
    def queue(self) -> MemoryQueue:
        assert isinstance(self.world.queue, MemoryQueue)
        return self.world.queue

    def handle(self, body: Any, **fields: Any) -> JobRecord | None:
        """A fresh worker handles one message; the record of the job `message-1`, or of the request's own id."""
        given = body if isinstance(body, QueueMessage) else message(body, **fields)
        service = worker(self.world)
        service.handle(given, worker_ends_at=self.world.ends_at)
        service.end_batch(worker_ends_at=self.world.ends_at)
        asked = body if isinstance(body, dict) else {}
        named = asked.get("request_id") or given.attributes.get("mediarelay_request_id") or given.message_id
        return self.world.jobs.get(job_key(named, asked.get("tenant")))

    def served(self, body: Any, **fields: Any) -> JobRecord:
        record = self.handle(body, **fields)
        assert record is not None
        return record

    def end_lost(self) -> None:
        """A fresh worker ends each request that was given up and whose end could not be recorded."""
        lost, self.queue.lost = self.queue.lost, []
        for each in lost:
            self.handle(each)

    def causes(self) -> list[str]:
        return [parked.attributes["error_code"] for parked in self.queue.dlq]

    def statuses(self, vendor: str) -> list[str]:
        return sorted(verdict.status for verdict in self.world.states.load(vendor))
