"""Group commit: writes that are wanted while one is under way go together in the next.

No timer: a write that finds none under way goes at once, so that a single write never waits, and the busier a worker
is, the fewer calls a write takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# How long a write waits for those under way. A table answers in a few milliseconds; one that hangs delays only the
# writes that are under way.
MAX_WAIT_SECONDS: Final = 0.25


class _Entry(Generic[T, R]):
    def __init__(self, item: T) -> None:
        self.item = item
        self.turn = threading.Event()
        self.done = False
        self.answer: R | Exception


class GroupCommit(Generic[T, R]):
    """Thread-safe. `write` gets one item or several and returns for each its result or its error."""

    def __init__(
        self,
        write: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        limit: int,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> None:
        """Write at most `limit` items together."""
        self._write = write
        self._limit = limit
        self._max_wait_seconds = max_wait_seconds
        self._waiting: list[_Entry[T, R]] = []
        self._under_way = False
        self._lock = threading.Lock()

    def submit(self, item: T) -> R:
        """Write an item, together with those submitted meanwhile. Raises the error of its own write."""
        entry: _Entry[T, R] = _Entry(item)
        with self._lock:
            first = not self._under_way
            self._under_way = True
            self._waiting.append(entry)
        if first:
            self._lead()
        elif not entry.turn.wait(self._max_wait_seconds) and self._withdrawn(entry):
            self._perform([entry])
        else:
            entry.turn.wait()
            if not entry.done:
                self._lead()
        if isinstance(entry.answer, Exception):
            raise entry.answer
        return entry.answer

    def _withdrawn(self, entry: _Entry[T, R]) -> bool:
        """Take it out of the queue. Returns whether it was still there, neither under way nor called to lead."""
        with self._lock:
            waits = entry in self._waiting and not entry.turn.is_set()
            if waits:
                self._waiting.remove(entry)
        return waits

    def _lead(self) -> None:
        """Write what waits; then the first of those that came meanwhile leads."""
        with self._lock:
            group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
        self._perform(group)
        with self._lock:
            self._under_way = bool(self._waiting)
            heir = self._waiting[:1]
            for entry in (*group, *heir):
                entry.turn.set()

    def _perform(self, group: Sequence[_Entry[T, R]]) -> None:
        try:
            answers = self._write([entry.item for entry in group])
        except Exception as error:  # noqa: BLE001 # raised again by everyone it concerns
            answers = [error] * len(group)
        for entry, answer in zip(group, answers, strict=True):
            entry.answer, entry.done = answer, True
