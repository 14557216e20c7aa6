"""A world with vendors of jobs, the shipped handlers over it, and the shipped state machine to run them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from functions.poll_job import app as poll_app
from functions.settle_job import app as settle_app
from functions.submit_job import app as submit_app
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import ApiKey, keys_from
from mediarelay.long_jobs.assembly import LongJobFunctions
from mediarelay.long_jobs.execution_state import ExecutionState
from tests.builders.requests import message
from tests.doubles.job_vendors import JobVendors, secrets_of
from tests.doubles.keys import FixedKeys
from tests.doubles.long_jobs import MemoryExecutions, MemorySlots, MemoryUploads
from tests.harness.long_jobs.asl import Execution, StateMachine
from tests.harness.long_jobs.fal_webhooks import FalWebhooks
from tests.harness.worker import World, job_worker, worker

KEYS: dict[str, Any] = {
    "KLING_API_KEYS": [
        {"key": "fake-kling-key-0000", "account": "studio", "concurrency": 3},
        {"key": "fake-kling-key-0001", "account": "studio"},
        {"key": "fake-kling-key-0002", "account": "spare", "concurrency": 2},
    ],
    "FAL_KEYS": [{"key": "fake-fal-key-0000", "account": "main"}, {"key": "fake-fal-key-0001", "account": "backup"}],
    "ELEVENLABS_API_KEYS": "fake-elevenlabs-key-0000",
}
HANDLERS = {"SubmitJobFunction": submit_app, "PollJobFunction": poll_app, "SettleJobFunction": settle_app}


@dataclass
class Context:
    """The part of a Lambda context that the handlers look at; a function of theirs has a minute."""

    function_name: str = "function"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@dataclass
class Bench:
    """Publish, run, look."""

    keys: dict[str, tuple[ApiKey, ...]] = field(default_factory=lambda: keys_from(KEYS))
    seed: int = 0
    before: Callable[[str, Any], None] = lambda _name, _event: None
    webhook_url: str | None = None
    warm: int = 0  # so many workers are used again and again; none means a fresh one each time

    def __post_init__(self) -> None:
        source = FixedKeys(self.keys)
        self.world = World(source=source)
        self.clock = self.world.clock
        self.vendors = JobVendors(self.clock, secrets_of(self.keys))
        self.world = replace(self.world, http=self.vendors, fetcher=self.vendors, webhook_url=self.webhook_url)
        self.webhooks = FalWebhooks(self.vendors, self.clock)
        self._workers: list[LongJobFunctions] = []
        self._turn = 0

    @property
    def executions(self) -> MemoryExecutions:
        assert isinstance(self.world.executions, MemoryExecutions)
        return self.world.executions

    @property
    def slots(self) -> MemorySlots:
        assert isinstance(self.world.slots, MemorySlots)
        return self.world.slots

    @property
    def uploads(self) -> MemoryUploads:
        assert isinstance(self.world.uploads, MemoryUploads)
        return self.world.uploads

    def publish(self, body: Any, message_id: str = "message-1") -> None:
        """A fresh dispatcher handles one message."""
        given = body if isinstance(body, QueueMessage) else message(body, message_id=message_id)
        given = replace(given, sent_at=round(self.clock.now() * 1000))
        worker(self.world).handle(given, worker_ends_at=self.world.ends_at)

    def run(self, body: Any) -> JobRecord:
        """Publish one message and see its execution to the end; the record."""
        self.publish(body)
        (name,) = self.executions.started
        self.ran = self.execute(name)
        return self.record(name.replace("@", "#"))

    def execute(self, name: str) -> Execution:
        """Run one started execution alone."""
        execution = Execution(name, self.executions.started[name])
        with self.machine() as machine:
            for seconds in machine.steps(execution):
                self.clock.sleep(seconds)
                if name in self.executions.stopped:
                    execution.status = "ABORTED"
        self.executions.ended.add(name)
        return execution

    def execute_until(self, name: str, state: str) -> Execution:
        """Run one started execution until it is about to wait in that state."""
        execution = Execution(name, self.executions.started[name])
        with self.machine() as machine:
            for seconds in machine.steps(execution):
                if execution.visits[state]:
                    return execution
                self.clock.sleep(seconds)
        raise AssertionError(f"it ended without reaching {state}")

    def submit(self, state: dict[str, Any]) -> ExecutionState:
        """One visit of a fresh worker of submit_job to an execution."""
        return ExecutionState.from_state(self._function("SubmitJobFunction")(state))

    def poll(self, state: dict[str, Any]) -> ExecutionState:
        """One poll by a fresh worker."""
        return ExecutionState.from_state(self._function("PollJobFunction")(state))

    def run_all(self) -> list[Execution]:
        """Run every started execution at once."""
        executions = [Execution(name, state) for name, state in self.executions.started.items()]
        with self.machine() as machine:
            machine.run_all(executions)
        return executions

    def record(self, request_id: str) -> JobRecord:
        record = self.world.jobs.get(request_id)
        assert record is not None
        return record

    @contextmanager
    def machine(self) -> Iterator[StateMachine]:
        """The machine over the shipped handlers; each invocation is a fresh worker, on the world's own clock."""
        functions = {f"${{{name}Arn}}": self._function(name) for name in HANDLERS}
        yield StateMachine(functions, self.clock, callbacks=self.webhooks, seed=self.seed)

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        app = HANDLERS[name]

        def invoke(event: dict[str, Any]) -> Any:
            self.before(name, event)
            working = self._service()
            with patch.object(app, "service", lambda: working), patch.object(app.time, "time", self.clock.now):
                return app.handler(event, Context())

        return invoke

    def _service(self) -> LongJobFunctions:
        self._turn += 1
        if self.warm and len(self._workers) == self.warm:
            return self._workers[self._turn % self.warm]
        self._workers.append(job_worker(self.world, seed=self._turn))
        return self._workers[-1]


def state_of(execution: Execution) -> dict[str, Any]:
    """What the execution carries at its end."""
    job: dict[str, Any] = json.loads(json.dumps(execution.state))["job"]
    return job
