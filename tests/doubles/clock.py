"""A clock that only a test moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

# Far from every retirement in the catalogue, so that a test meets one only when it means to.
EPOCH = datetime(2026, 8, 1, 12, 0, tzinfo=UTC).timestamp()


class ManualClock:
    """Implements `vocabulary.clock.Clock`: a sleep takes no time and moves the clock. Thread-safe."""

    def __init__(self, now: float = EPOCH) -> None:
        self._now = now
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def now(self) -> float:
        """Unix seconds."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Move on, and remember it."""
        with self._lock:
            self._now += seconds
            self.sleeps.append(seconds)

    def advance(self, seconds: float) -> None:
        """Move on without anybody having slept."""
        with self._lock:
            self._now += seconds
