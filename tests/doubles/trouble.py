"""Stores that go away and workers that die, around any port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.clock import ManualClock
from tests.doubles.long_jobs import MemoryUpload


class WorkerKilled(BaseException):
    """The process is gone: nothing catches it, nothing runs after it."""


class KillSwitch:
    """Kills the worker at its n-th step; a step is the beginning or the end of a port call. Thread-safe.

    `log` names the steps taken, `dead` says that it has killed, and
    `lost` is for the test to count the purchases that died with the worker.
    """

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self._lock = threading.Lock()
        self.dead = False
        self.log: list[str] = []
        self.lost = 0

    def step(self, name: str) -> None:
        """Go on, or die."""
        with self._lock:
            if not self.dead:
                self.log.append(name)
            self.dead = self.dead or len(self.log) == self._at
            if self.dead:
                raise WorkerKilled(name)


class Mortal:
    """A port of a worker that a switch may kill."""

    def __init__(self, port: Any, switch: KillSwitch) -> None:
        self._port = port
        self._switch = switch

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*args: Any, **fields: Any) -> Any:
            self._switch.step(f"begin {name}")
            answer = method(*args, **fields)
            if isinstance(answer, AbstractContextManager):
                return _MortalCall(answer, self._switch, name)
            self._switch.step(f"end {name}")
            return answer

        return call


class _MortalCall:
    def __init__(self, call: AbstractContextManager[Any], switch: KillSwitch, name: str) -> None:
        self._call = call
        self._switch = switch
        self._name = name

    def __enter__(self) -> Any:
        answer = self._call.__enter__()
        self._switch.step(f"end {self._name}")
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call.__exit__(kind, error, trace)


@dataclass
class Outage:
    """A stretch of the clock in which stores are away; none until `begin`."""

    clock: ManualClock
    begun: float | None = None
    seconds: float = 0.0

    def begin(self, seconds: float) -> None:
        """They go away now; once gone they don't go again."""
        if self.begun is None:
            self.begun, self.seconds = self.clock.now(), seconds

    @property
    def on(self) -> bool:
        """Whether they are away."""
        return self.begun is not None and self.clock.now() < self.begun + self.seconds

    def around(self, port: Any) -> Any:
        """The port, away as long as the outage lasts, and so is what it hands out meanwhile."""
        return _Away(port, self)


class _Away:
    def __init__(self, port: Any, outage: Outage) -> None:
        self._port = port
        self._outage = outage

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **fields: Any) -> Any:
            if self._outage.on:
                raise StoreUnavailable("a store", name, "EndpointConnectionError")
            answer = attribute(*args, **fields)
            return _Away(answer, self._outage) if isinstance(answer, MemoryUpload) else answer

        return call


class Flaky:
    """A store whose named method is away: for the next n calls, or for ever; `late` fails after the write was done."""

    def __init__(self, port: Any, method: str, *, times: int | None = None, late: bool = False) -> None:
        self._port = port
        self._method = method
        self._left = times
        self._late = late

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if name != self._method or self._left == 0:
            return attribute

        def fail(*args: Any, **fields: Any) -> Any:
            if self._left is not None:
                self._left -= 1
            if self._late:
                attribute(*args, **fields)
            raise StoreUnavailable("a store", self._method, "EndpointConnectionError")

        return fail
