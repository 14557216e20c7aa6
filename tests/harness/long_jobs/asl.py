"""Runs the shipped state machines in virtual time: the JSONPath subset of the States Language that it uses.

An execution is a generator that yields the seconds it waits, so that hundreds of them can be interleaved on one clock.
A function's exception becomes an error name as Lambda reports it: the class's own.
"""

from __future__ import annotations

import heapq
import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol

from tests.doubles.clock import ManualClock
from tests.doubles.trouble import WorkerKilled


def definition(name: str) -> dict[str, Any]:
    """A shipped state machine."""
    path = Path(__file__).parents[3] / "statemachines" / f"{name}.asl.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


DEFINITION = definition("media_job")

# Step Functions developer guide, "Step Functions service quotas": "Maximum execution event history size".
EVENTS_LIMIT = 25_000
# What a state writes into the history beside the attempts of a task: entered and exited; a Map's own start as well.
STATE_EVENTS = {"Task": 2, "Choice": 2, "Wait": 2, "Succeed": 2, "Map": 3}
EXECUTION_EVENTS = 2  # started and ended
ITERATION_EVENTS = 2
ATTEMPT_EVENTS = 3  # scheduled, started, and how it ended
TOKEN_EVENTS = 4  # submitted as well
TOKEN_KEEPER = "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken"
Function = Callable[[dict[str, Any]], Any]
Steps = Generator[float, None, None]


class Callbacks(Protocol):
    """What happens elsewhere while a task waits to be called back."""

    def kept(self, item: Mapping[str, Any]) -> None:
        """The task's token was stored, in this item; raises `ExecutionFailed` when it could not be."""

    def due(self, token: str) -> float | None:
        """After how many seconds somebody will call; None when nobody will."""

    def called(self, token: str) -> bool:
        """Whether somebody has."""


class ExecutionFailed(Exception):
    """An error that no Catch of its state names."""

    def __init__(self, name: str, cause: str) -> None:
        self.name = name
        self.cause = cause
        super().__init__(f"{name}: {cause}")


class HistoryFullError(Exception):
    """The execution has as many events as one may have: AWS ends it there, whatever its states would catch."""


@dataclass
class Execution:
    """One run of the machine.

    `visits` counts the states entered, which are the transitions AWS charges for; `history` the events by their state.
    """

    name: str
    state: Any
    status: str = "RUNNING"
    error: str = ""
    visits: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    history: Counter[str] = field(default_factory=lambda: Counter({"": EXECUTION_EVENTS}))

    def note(self, state: str, events: int) -> None:
        """Add events to the history; raises `HistoryFullError` when it takes no more."""
        self.history[state] += events
        if self.history.total() >= EVENTS_LIMIT:
            raise HistoryFullError(f"{EVENTS_LIMIT} events, the last in {state!r}")


class StateMachine:
    """The machine with its functions, by the name of the substitution that stands for each."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        clock: ManualClock,
        *,
        callbacks: Callbacks | None = None,
        seed: int = 0,
        machine: Mapping[str, Any] = DEFINITION,
    ) -> None:
        self._functions = functions
        self._callbacks = callbacks
        self._clock = clock
        self._tokens = 0
        self._rng = Random(seed)
        self.machine = machine
        self.states: Mapping[str, Any] = machine["States"]

    def run(self, execution: Execution) -> Execution:
        """Alone, to its end."""
        for seconds in self.steps(execution):
            self._clock.sleep(seconds)
        return execution

    def run_all(self, executions: list[Execution]) -> None:
        """All at once, each continued when its wait is over; the clock never goes back."""
        ready = [(self._clock.now(), number, self.steps(each)) for number, each in enumerate(executions)]
        heapq.heapify(ready)
        while ready:
            at, number, steps = heapq.heappop(ready)
            self._clock.advance(max(0.0, at - self._clock.now()))
            wait = next(steps, None)
            if wait is not None:
                heapq.heappush(ready, (self._clock.now() + wait, number, steps))

    def steps(self, execution: Execution) -> Steps:
        """Yields the seconds of each wait; the execution says how it ended."""
        try:
            yield from self._walk(self.machine, execution)
        except ExecutionFailed as failed:
            execution.status, execution.error = "FAILED", failed.name
            return
        except HistoryFullError:
            execution.status, execution.error = "FAILED", "States.Runtime"
            return
        if execution.status == "RUNNING":
            execution.status = "SUCCEEDED"

    def _walk(self, machine: Mapping[str, Any], execution: Execution) -> Steps:
        name: str | None = machine["StartAt"]
        while name is not None and execution.status == "RUNNING":
            execution.visits[name] += 1
            execution.note(name, STATE_EVENTS[machine["States"][name]["Type"]])
            name = yield from self._enter(machine["States"][name], name, execution)

    def _enter(self, state: Mapping[str, Any], name: str, execution: Execution) -> Generator[float, None, str | None]:
        match state["Type"]:
            case "Task":
                return (yield from self._task(state, name, execution))
            case "Choice":
                return _chosen(state, execution.state)
            case "Wait":
                seconds = _at(state["SecondsPath"], execution.state)
                assert isinstance(seconds, int)
                assert seconds >= 0
                yield float(seconds)
                return str(state["Next"])
            case "Map":
                return (yield from self._map(state, execution))
            case "Succeed":
                return None
            case other:
                raise AssertionError(f"no support for {other}")

    def _map(self, state: Mapping[str, Any], execution: Execution) -> Generator[float, None, str]:
        """Every item by itself, so many at once; what they come to is dropped, as the shipped ones do."""
        assert state["ResultPath"] is None
        assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}
        waiting = []
        for item in _at(state["ItemsPath"], execution.state):
            given = _filled(state["ItemSelector"], execution.state, item=item)
            execution.note("iterations", ITERATION_EVENTS)
            child = Execution(
                execution.name, given, visits=execution.visits, retries=execution.retries, history=execution.history
            )
            waiting.append(self._walk(state["ItemProcessor"], child))
        try:
            yield from self._side_by_side(waiting, state["MaxConcurrency"], execution)
        except ExecutionFailed as failed:
            return _caught(state, failed, execution)
        return str(state["Next"])

    def _side_by_side(self, waiting: list[Steps], most: int, execution: Execution) -> Steps:
        ready: list[tuple[float, int, Steps]] = []
        begun = 0
        while (ready or begun < len(waiting)) and execution.status == "RUNNING":
            while begun < len(waiting) and len(ready) < most:
                heapq.heappush(ready, (self._clock.now(), begun, waiting[begun]))
                begun += 1
            at, number, steps = heapq.heappop(ready)
            if at > self._clock.now():
                yield at - self._clock.now()
            wait = next(steps, None)
            if wait is not None:
                heapq.heappush(ready, (self._clock.now() + wait, number, steps))

    def _task(self, state: Mapping[str, Any], name: str, execution: Execution) -> Generator[float, None, str]:
        tried: Counter[int] = Counter()
        while True:
            execution.note(name, TOKEN_EVENTS if state["Resource"] == TOKEN_KEEPER else ATTEMPT_EVENTS)
            try:
                if state["Resource"] == TOKEN_KEEPER:
                    yield from self._called_back(state, execution)
                else:
                    execution.state = self._invoke(state, execution.state)
                return str(state["Next"])
            except ExecutionFailed as failed:
                wait = self._retry(state, failed.name, tried)
                if wait is None:
                    return _caught(state, failed, execution)
                execution.retries[name] += 1
            yield wait

    def _invoke(self, state: Mapping[str, Any], given: Any) -> Any:
        parameters = _filled(state["Parameters"], given)
        function = self._functions[parameters["FunctionName"]]
        event = json.loads(json.dumps(parameters["Payload"]))
        try:
            answer = json.loads(json.dumps(function(event)))
        except WorkerKilled as error:
            raise ExecutionFailed("Runtime.ExitError", "the process is gone") from error
        except Exception as error:
            cause = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
            raise ExecutionFailed(type(error).__name__, cause) from error
        return _at(state["OutputPath"], {"Payload": answer})

    def _called_back(self, state: Mapping[str, Any], execution: Execution) -> Steps:
        assert state["ResultPath"] is None
        callbacks, given = self._callbacks, execution.state
        assert callbacks is not None, "nobody keeps tokens here"
        self._tokens += 1
        token = f"token-{self._tokens}"
        callbacks.kept(_filled(state["Parameters"], given, token)["Item"])
        timeout = float(_at(state["TimeoutSecondsPath"], given))
        due = callbacks.due(token)
        first = timeout if due is None else min(due, timeout)
        yield first
        if not callbacks.called(token):
            yield timeout - first
            if not callbacks.called(token):
                raise ExecutionFailed("States.Timeout", "nobody called")

    def _retry(self, state: Mapping[str, Any], error: str, tried: Counter[int]) -> float | None:
        for number, rule in enumerate(state.get("Retry", [])):
            if error in rule["ErrorEquals"] or "States.ALL" in rule["ErrorEquals"]:
                if tried[number] >= rule["MaxAttempts"]:
                    return None
                delay = rule["IntervalSeconds"] * rule["BackoffRate"] ** tried[number]
                tried[number] += 1
                capped = min(delay, rule["MaxDelaySeconds"])
                return self._rng.uniform(0, capped) if rule["JitterStrategy"] == "FULL" else float(capped)
        return None


def _caught(state: Mapping[str, Any], failed: ExecutionFailed, execution: Execution) -> str:
    for rule in state.get("Catch", []):
        if failed.name in rule["ErrorEquals"] or "States.ALL" in rule["ErrorEquals"]:
            if rule["ResultPath"] is None:
                return str(rule["Next"])
            field_name = rule["ResultPath"].removeprefix("$.")
            execution.state = {**execution.state, field_name: {"Error": failed.name, "Cause": failed.cause}}
            return str(rule["Next"])
    raise failed


def _chosen(state: Mapping[str, Any], given: Any) -> str:
    for rule in state["Choices"]:
        if _at(rule["Variable"], given) == rule["StringEquals"]:
            return str(rule["Next"])
    return str(state["Default"])


def _filled(template: Mapping[str, Any], given: Any, token: str = "", item: Any = None) -> dict[str, Any]:
    """Parameters with every path in them followed."""
    filled: dict[str, Any] = {}
    context = {"$$.Task.Token": token, "$$.Map.Item.Value": item}
    for key, value in template.items():
        if key.endswith(".$"):
            filled[key[:-2]] = context[value] if value in context else _evaluated(value, given)
        else:
            filled[key] = _filled(value, given, token, item) if isinstance(value, Mapping) else value
    return filled


def _evaluated(expression: str, given: Any) -> Any:
    formatted = re.fullmatch(r"States\.Format\('\{\}', (\$[\w.]+)\)", expression)
    return str(_at(formatted[1], given)) if formatted else _at(expression, given)


def _at(path: str, given: Any) -> Any:
    for name in path.split(".")[1:]:
        given = given[name]
    return given
