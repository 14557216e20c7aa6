"""One run: a queue, workers, executions and a stream in virtual time, all on one thread, over the shipped code."""

from __future__ import annotations

import heapq
import itertools
import json
import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from functions.dispatch_request import app as dispatch_app
from functions.draw_picture import app as draw_app
from functions.poll_job import app as poll_app
from functions.settle_job import app as settle_app
from functions.speak_part import app as speak_app
from functions.steer_speech import app as steer_app
from functions.submit_job import app as submit_app
from mediarelay.announce.announcing import AnnounceService
from mediarelay.announce.contract import ResultEvent
from mediarelay.bootstrap.calling import BudgetPorts
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import ApiKey
from tests.builders.requests import delivered, message
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemorySharedHealth
from tests.doubles.job_vendors import JobVendors
from tests.doubles.jobs import FixedPlan, MemoryBudgets, MemoryReuse, MemorySpeechJobs
from tests.doubles.keys import FixedKeys, MemoryKeyStates
from tests.doubles.leases import MemoryLimits
from tests.doubles.long_jobs import MemoryExecutions, MemorySlots, MemoryTimes, MemoryUploads
from tests.doubles.media import MemoryMedia
from tests.doubles.queue import LOST, PICTURES, MemoryQueue
from tests.doubles.recording import MemoryMetrics, PlainLinks, RecordingTopic
from tests.doubles.trouble import WorkerKilled
from tests.harness.long_jobs.asl import Execution, ExecutionFailed, StateMachine, definition
from tests.harness.long_jobs.fal_webhooks import FalWebhooks
from tests.harness.worker import World, batch_worker, job_worker, speaker, steerer
from tests.sweep.faults import Faults, Port, RunId, Wire
from tests.sweep.vendors import Vendors

# As the template has it.
VISIBILITY_SECONDS = 900.0
RECEIVES = 5
LOST_RECEIVES = 100
FUNCTION_SECONDS = {
    **dict.fromkeys((dispatch_app, draw_app), 450),
    **dict.fromkeys((settle_app, steer_app), 900),
    submit_app: 300,
    poll_app: 60,
    speak_app: 150,
}
WORKERS: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((dispatch_app, draw_app), batch_worker),
    **dict.fromkeys((submit_app, poll_app, settle_app), job_worker),
    speak_app: speaker,
    steer_app: steerer,
}
ENDED_BY = {"media_job": settle_app, "long_speech": steer_app}
THREADED = (
    "dispatch.batches",
    "dispatch.dispatch",
    "health.fleet_view",
    "keys.pools",
    "limits.limiter",
    "metrics.writer",
)
EVENT_RETRIES = (60.0, 120.0)
STREAM_PAUSE, STREAM_LONGEST_PAUSE = 1.0, 300.0
MACHINES = {name: definition(name) for name in ("media_job", "long_speech")}
DAY = 86_400.0
# An execution may take eight days, since a result is kept for seven; nothing takes longer than that.
TIME_LIMIT = 9 * DAY
TURN_LIMIT = 20_000


class Inline:
    """A pool without threads: what is submitted is done at once, so that each run is the same whenever it is made."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """As a pool is made."""

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        """See `concurrent.futures.Executor.submit`; a worker that dies in it is dead."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args))
        except Exception as error:  # noqa: BLE001 # as the pool does
            done.set_exception(error)
        return done

    def map(self, work: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        """See `concurrent.futures.Executor.map`."""
        return [work(item) for item in items]


class Told(dict[str, JobRecord]):
    """Records whose changes are told as the table's stream tells them."""

    def __init__(self, stream: list[tuple[JobRecord | None, JobRecord]]) -> None:
        super().__init__()
        self._stream = stream

    def __setitem__(self, name: str, record: JobRecord) -> None:
        self._stream.append((self.get(name), record))
        super().__setitem__(name, record)


@dataclass(frozen=True)
class Published:
    """One message, and so many seconds after the beginning it is published."""

    body: Mapping[str, Any]
    after: float = 0.0


class Webhooks(FalWebhooks):
    """fal's calls, one for each job; a token can't be kept while the table is away."""

    def __init__(self, vendors: JobVendors, clock: ManualClock, faults: Faults) -> None:
        super().__init__(vendors, clock)
        self._faults = faults
        self._over: set[str] = set()

    def kept(self, item: Mapping[str, Any]) -> None:
        """See `asl.Callbacks.kept`."""
        if self._faults.is_away("telemetry"):
            raise ExecutionFailed("DynamoDb.DynamoDbException", "the table is away")
        super().kept(item)

    def due(self, token: str) -> float | None:
        """See `asl.Callbacks.due`."""
        return None if self._jobs[token] in self._over else super().due(token)

    def called(self, token: str) -> bool:
        """See `asl.Callbacks.called`."""
        name = self._jobs[token]
        if name in self._over:
            self.tasks.waiting.discard(token)
            return False
        if self.clock.now() >= self._vendors.tasks[name].done_at:
            self._over.add(name)
        return super().called(token)


class Stage:
    """Everything that a run has, and what it came to.

    Attributes:
        changes: Every change of a record, in order.
        published: The messages that were.
        waiting: The messages in the queue that are visible, or will be without anybody's doing.
        redriven: Those that SQS has moved to the DLQ.
        unheard: Ends of executions that were told in vain.
        overran: Workers that outlived their function.
        late: It was not over at its time limit.
    """

    def __init__(
        self,
        run: RunId,
        keys: Mapping[str, tuple[ApiKey, ...]],
        *,
        leases: bool = False,
        webhooks: bool = False,
        plan: str = "",
    ) -> None:
        """*plan* is the document of the budgets; without one there are none."""
        self.run = run
        self.clock = ManualClock()
        self.began = self.clock.now()
        self.faults = faults = Faults(run, self.clock)
        self.vendors = Vendors(self.clock, keys)
        self.changes: list[tuple[JobRecord | None, JobRecord]] = []
        self.jobs, self.queue, self.slots = MemorySpeechJobs(), MemoryQueue(self.clock), MemorySlots()
        self.jobs._records = Told(self.changes)
        self.topic, self.uploads, self.limits = RecordingTopic(), MemoryUploads(), MemoryLimits()
        self.budgets = MemoryBudgets()
        self.executions = {"media_job": MemoryExecutions(), "long_speech": MemoryExecutions()}
        self.ran: list[Execution] = []
        self._running: list[tuple[Execution, str]] = []
        self.waiting: dict[str, QueueMessage] = {}
        self.published: list[QueueMessage] = []
        self.redriven: list[QueueMessage] = []
        self.unheard: list[Any] = []
        self.overran: list[str] = []
        self.late = False
        self._announcer = AnnounceService(
            Port(self.topic, "topic", faults), PlainLinks(), clock=self.clock, link_seconds=3600
        )
        self._told = 0
        self._pauses = 0
        self._warm: dict[Any, Any] = {}
        self._turn = itertools.count(1)
        self._begun = dict.fromkeys(self.executions, 0)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._callbacks = Webhooks(self.vendors.jobs, self.clock, faults) if webhooks else None
        wire, jobs = Wire(self.vendors, faults), Port(self.jobs, "jobs", faults)
        self.world = World(
            clock=self.clock,
            http=wire,
            fetcher=wire,
            jobs=jobs,
            media_jobs=jobs,
            progress=jobs,
            states=Port(MemoryKeyStates(), "telemetry", faults),
            media=Port(MemoryMedia(), "bucket", faults),
            uploads=Port(self.uploads, "bucket", faults),
            queue=Port(self.queue, "queue", faults),
            metrics=Port(MemoryMetrics(), "telemetry", faults),
            source=Port(FixedKeys(keys), "secret", faults, local=("faults", "beside")),
            leases=Port(self.limits, "telemetry", faults) if leases else None,
            shared_health=Port(MemorySharedHealth(), "telemetry", faults),
            slots=Port(self.slots, "telemetry", faults),
            times=Port(MemoryTimes(), "telemetry", faults),
            reuse=Port(MemoryReuse(), "telemetry", faults),
            executions=Port(self.executions["media_job"], "machine", faults),
            speeches=Port(self.executions["long_speech"], "machine", faults),
            budgets=BudgetPorts(Port(self.budgets, "telemetry", faults), FixedPlan(plan)) if plan else None,
            webhook_url="https://webhooks.invalid/fal" if webhooks else None,
        )
        functions = {"SubmitJobFunction": submit_app, "PollJobFunction": poll_app, "SettleJobFunction": settle_app}
        functions |= {"SpeakPartFunction": speak_app, "SteerSpeechFunction": steer_app}
        self._functions = {f"${{{name}Arn}}": self._function(app) for name, app in functions.items()}

    # --- what happens, in order -----------------------------------------------------------------------------------

    def play(self, published: Sequence[Published]) -> None:
        """From the first message until nothing is left to happen."""
        for number, each in enumerate(published, 1):
            self._at(each.after, partial(self._send, message(each.body, message_id=f"message-{number}")))
        with shipped(self):
            for _ in range(TURN_LIMIT):
                self._collect()
                if not self._events:
                    return
                at, _, act = heapq.heappop(self._events)
                if at > self.began + TIME_LIMIT:
                    break
                self.clock.advance(max(0.0, at - self.clock.now()))
                act()
        self.late = True

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.clock.now() + max(0.0, seconds), next(self._numbers), act))

    def _collect(self) -> None:
        """Whatever was begun since."""
        for name, executions in self.executions.items():
            for started in list(executions.started)[self._begun[name] :]:
                self._begun[name] += 1
                self._start(name, Execution(started, executions.started[started]))
        for execution, name in self._running:
            if execution.name in self.executions[name].stopped:
                self._end(execution, name, "ABORTED")
        for item in self.queue.delayed:
            self.waiting[item.message.message_id] = item.message
            self._at(item.visible_at - self.clock.now(), partial(self._deliver, item.message))
        self.queue.delayed.clear()
        for lost in self.queue.lost:
            self.waiting[lost.message_id] = lost
            self._at(0.0, partial(self._deliver, lost))
        self.queue.lost.clear()
        if self._told < len(self.changes) and not self._pauses:
            self._tell()

    # --- the queue ------------------------------------------------------------------------------------------------

    def _send(self, given: QueueMessage) -> None:
        sent = replace(given, sent_at=round(self.clock.now() * 1000))
        self.waiting[sent.message_id] = sent
        self.published.append(sent)
        self._deliver(sent)

    def _deliver(self, given: QueueMessage) -> None:
        if self.faults.is_away("queue"):
            self._at(self.faults.away_until - self.clock.now() + 1.0, partial(self._deliver, given))
            return
        received = self.clock.now()
        app = draw_app if given.source == PICTURES else dispatch_app
        if self._survived(app, {"Records": [delivered(given)]}) == {"batchItemFailures": []}:
            del self.waiting[given.message_id]
            return
        again = replace(given, receive_count=given.receive_count + 1)
        self.waiting[given.message_id] = again
        most = LOST_RECEIVES if given.source == LOST else RECEIVES
        follows = self._deliver if again.receive_count <= most else self._redrive
        self._at(received + VISIBILITY_SECONDS - self.clock.now(), partial(follows, again))

    def _redrive(self, given: QueueMessage) -> None:
        """Move it on, as SQS does: to the queue of lost requests, and from there to the DLQ."""
        if given.source != LOST:
            self.waiting[given.message_id] = lost = replace(given, source=LOST, receive_count=1)
            self._deliver(lost)
            return
        del self.waiting[given.message_id]
        self.redriven.append(given)

    # --- executions -----------------------------------------------------------------------------------------------

    def _start(self, name: str, execution: Execution) -> None:
        machine = StateMachine(
            self._functions, self.clock, callbacks=self._callbacks, seed=self.run.seed, machine=MACHINES[name]
        )
        self._running.append((execution, name))
        self._step(execution, name, machine.steps(execution), self.clock.now() + MACHINES[name]["TimeoutSeconds"])

    def _step(self, execution: Execution, name: str, steps: Generator[float, None, None], until: float) -> None:
        if execution.status != "RUNNING":
            return
        if self.clock.now() >= until:
            self._end(execution, name, "TIMED_OUT")
            return
        wait = next(steps, None)
        if wait is None:
            self._end(execution, name, execution.status)
        else:
            left = until - self.clock.now()
            self._at(min(wait, left), partial(self._step, execution, name, steps, until))

    def _end(self, execution: Execution, name: str, status: str) -> None:
        execution.status = status
        self._running.remove((execution, name))
        self.ran.append(execution)
        executions = self.executions[name]
        executions.ended.add(execution.name)
        if status != "SUCCEEDED":
            told = {"status": status, "input": json.dumps(executions.started[execution.name])}
            event = {"detail": {**told, "error": execution.error or None, "cause": None}}
            self._at(1.0, partial(self._hear, ENDED_BY[name], event, EVENT_RETRIES))

    def _hear(self, app: Any, event: dict[str, Any], retries: Sequence[float]) -> None:
        """EventBridge tells of an ended execution, and Lambda tries again, twice."""
        if self._survived(app, event) is None:
            if retries:
                self._at(retries[0], partial(self._hear, app, event, retries[1:]))
            else:
                self.unheard.append(event)

    # --- functions ------------------------------------------------------------------------------------------------

    def _function(self, app: Any) -> Callable[[dict[str, Any]], Any]:
        return partial(self._invoke, app)

    def _survived(self, app: Any, event: dict[str, Any]) -> Any:
        """What the function answers; None when it failed or died."""
        try:
            return self._invoke(app, event)
        except (Exception, WorkerKilled):  # noqa: BLE001 # Lambda's own part, which the test plays
            return None

    def _invoke(self, app: Any, event: dict[str, Any]) -> Any:
        began = self.clock.now()
        try:
            return app.handler(event, Context(FUNCTION_SECONDS[app] * 1000))
        except WorkerKilled:
            self._warm.pop(app, None)
            self.faults.buried()
            raise
        finally:
            if self.clock.now() > began + FUNCTION_SECONDS[app]:
                self.overran.append(f"{app.__name__} took {self.clock.now() - began:.0f} s")

    def service(self, app: Any) -> Any:
        """The worker that an invocation meets: the one before, while it lives."""
        if app not in self._warm:
            seed = self.run.seed * 1000 + next(self._turn)
            self._warm[app] = WORKERS[app](self.world, seed=seed)
        return self._warm[app]

    # --- the stream of the table ----------------------------------------------------------------------------------

    def _tell(self) -> None:
        """What announce_result does with what has come; what is not published comes again."""
        changes = self.changes[self._told :]
        events = [(at, event) for at, pair in enumerate(changes) if (event := self._announcer.event_of(*pair))]
        published = self._published([event for _, event in events])
        if published == len(events):
            self._told += len(changes)
            self._pauses = 0
            return
        self._told += events[published][0]
        self._at(min(STREAM_LONGEST_PAUSE, STREAM_PAUSE * 2.0**self._pauses), self._tell)
        self._pauses += 1

    def _published(self, events: list[ResultEvent]) -> int:
        try:
            return self._announcer.announce(events) if events else 0
        except (Exception, WorkerKilled):  # noqa: BLE001 # Lambda's own part, which the test plays
            self.faults.buried()
            return 0


class Context:
    """The part of a Lambda context that the handlers look at."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, left_ms: int) -> None:
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        """As if no time had passed."""
        return self._left_ms


@contextmanager
def shipped(stage: Stage) -> Iterator[None]:
    """The shipped handlers over the stage, by its clock and without threads."""
    clock = SimpleNamespace(time=stage.clock.now)
    with ExitStack() as patched:
        logging.disable(logging.CRITICAL)  # a run is told by its calls; thousands of them would fill a disk
        patched.callback(logging.disable, logging.NOTSET)
        for module in THREADED:
            patched.enter_context(patch(f"mediarelay.{module}.ThreadPoolExecutor", Inline))
        for app in WORKERS:
            patched.enter_context(patch.object(app, "service", partial(stage.service, app)))
            patched.enter_context(patch.object(app, "time", clock))
        yield
