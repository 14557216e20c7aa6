"""Requests one after the other in virtual time, through the shipped dispatch, judgement and alerts.

What each worker counts goes through the metric items and the aggregator into the health records, and what the tables
tell through the alert service: what people would have been told is in `published`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from mediarelay.alerts.contract import Alert
from mediarelay.health.aggregate import AggregateService
from mediarelay.health.thresholds import ThresholdBook
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import keys_from
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.dynamodb_items import metric_record
from mediarelay.providers.listing import healthy_seconds
from tests.builders.dice import dice
from tests.builders.keys import fake_key
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryBuckets
from tests.doubles.keys import FixedKeys
from tests.doubles.queue import MemoryQueue
from tests.doubles.scripted_http import Answer, ScriptedHttp
from tests.harness.health.alert_desk import Desk
from tests.harness.worker import World, worker

CALL_SECONDS = 1.0


class Traffic:
    """Ordinary requests one after the other, on so many workers in turn."""

    def __init__(
        self, refused: Mapping[str, Mapping[str, Answer]], *, workers: int = 1, **entries: list[dict[str, Any]]
    ) -> None:
        """`refused` has the answers by text and by a part of the address; all others take a second."""
        clock = ManualClock()
        self.desk = Desk(clock)
        self.states, self.http, self.records = self.desk.states, ScriptedHttp(), self.desk.records
        self.http.during = lambda: clock.advance(CALL_SECONDS)
        for text, refusals in refused.items():
            for where, refusal in refusals.items():
                self.http.refuse(text, where, refusal)
        self._aggregate = AggregateService(
            MemoryBuckets(), self.records, limits=ThresholdBook(healthy_seconds()), clock=clock, rng=dice()
        )
        source = FixedKeys(keys_from({name.upper(): json.dumps(value) for name, value in entries.items()}))
        self.world = World(
            clock=clock,
            http=self.http,
            states=self.states,
            source=source,
            records=self.records,
            metrics=DynamoMetrics(self, "telemetry"),
        )
        self._workers = itertools.cycle([worker(self.world, seed=number) for number in range(workers)])
        self._numbers, self._sequence, self._told = itertools.count(1), itertools.count(1), [0, 0]

    def ask(self, text: str = "hello", **fields: Any) -> str:
        """Publish one, and serve it and whatever has come back meanwhile; then judge, and tell people."""
        assert isinstance(self.world.queue, MemoryQueue)
        name = f"job-{next(self._numbers)}"
        fresh = message(tts(text, request_id=name, **fields), sent_at=round(self.world.clock.now() * 1000))
        for each in [fresh, *self.world.queue.due()]:
            serving = next(self._workers)
            serving.handle(each, worker_ends_at=self.world.ends_at)
            serving.end_batch(worker_ends_at=self.world.ends_at)
        self._tell()
        return name

    def record(self, name: str) -> JobRecord:
        """Returns what has become of a job."""
        found = self.world.jobs.get(name)
        assert found is not None
        return found

    @property
    def published(self) -> list[Alert]:
        """What people were told."""
        return self.desk.published

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        """Take metric items as the table does, and give them to the aggregator as its stream does."""
        for puts in request["RequestItems"].values():
            changes = [
                {"dynamodb": {"NewImage": put["PutRequest"]["Item"], "SequenceNumber": str(next(self._sequence))}}
                for put in puts
            ]
            self._aggregate.aggregate([metric_record(change) for change in changes])
        return {}

    def _tell(self) -> None:
        health, keys = self._told
        self._told = [len(self.records.changes), len(self.states.changes)]
        for before, after in self.records.changes[health:]:
            self.desk.service.provider_changed(before, after)
        for known, verdict in self.states.changes[keys:]:
            self.desk.service.key_changed(known, verdict)


def entries(vendor: str, count: int, **declared: Any) -> list[dict[str, Any]]:
    """Returns what a secret says of so many keys of a vendor."""
    return [{"key": fake_key(vendor, number), **declared} for number in range(count)]
