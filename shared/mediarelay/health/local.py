"""What one worker has seen of each provider by itself: its latency, and what it suspects before any record says so.

- Latency is a decaying average, good enough to rank by.
- Each *request* that it fails is a mark, however often the request comes again: a text that no call of it survives is
  one mark. Marks that are all of one model concern that model alone.
- Three marks in a row make it *suspect*: others are preferred, and it is called only by a permit that the whole fleet
  shares, one call at a time. With an alternative at hand that costs nothing, and an outage costs a handful of calls.
  What the workers share of their suspicions is in `health/circuit/half_open.py`; this is what each has without it.
- One more *trips* it: this worker leaves it alone for a while, then asks for a permit again.
- Any success clears its model. One that started before the newest fault clears nothing: it was under way already.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

# Weight of the newest sample: a slow minute is forgotten after about ten calls, one outlier moves it by a third.
NEWEST_WEIGHT: Final = 0.3


class LatencyBook:
    """Seconds per provider. Thread-safe."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def record(self, provider: str, seconds: float) -> None:
        """Note one delivered call."""
        with self._lock:
            known = self._seconds.get(provider, seconds)
            self._seconds[provider] = known + NEWEST_WEIGHT * (seconds - known)

    def expected(self, provider: str, default: float) -> float:
        """Return the seconds to expect; *default* (the catalogue's figure) before the first call."""
        return self._seconds.get(provider, default)


# Two texts that no call survives, one after the other, must not make a provider suspect.
STRIKES_TO_SUSPECT: Final = 3
STRIKES_TO_TRIP: Final = 4
TRIPPED_SECONDS: Final = 30.0
# A suspicion that no call confirms is forgotten after this long.
SUSPECT_SECONDS: Final = 60.0
STRIKES_KEPT: Final = 8


class Suspicion(IntEnum):
    """How far a worker, or the fleet, suspects a provider; more is worse."""

    CLEAR = 0
    SUSPECT = 1
    TRIPPED = 2


class Mark(NamedTuple):
    """A request that the provider failed, by its fingerprint, and which model that was of; empty when unknown."""

    cause: str
    model: str = ""


def suspicion_of(strikes: int, struck_at: float, now: float) -> Suspicion:
    """Return the suspicion after so many requests that failed in a row, the newest at *struck_at* (unix seconds)."""
    if strikes < STRIKES_TO_SUSPECT or now - struck_at >= SUSPECT_SECONDS:
        return Suspicion.CLEAR
    tripped = strikes >= STRIKES_TO_TRIP and now - struck_at < TRIPPED_SECONDS
    return Suspicion.TRIPPED if tripped else Suspicion.SUSPECT


def against(marks: Sequence[Mark], model: str | None) -> int:
    """Return how many of the marks count against a model, or without one against the provider."""
    one = len({mark.model for mark in marks}) == 1
    return 0 if one and model is not None and marks[0].model != model else len(marks)


@dataclass(slots=True)
class _Memory:
    marks: tuple[Mark, ...] = ()
    fault_started: float = 0.0
    struck_at: float = 0.0


class LocalBreaker:
    """All providers as one worker sees them. Thread-safe. Moments in unix seconds."""

    def __init__(self) -> None:
        self._memories: dict[str, _Memory] = {}
        self._lock = threading.Lock()

    def suspicion(self, provider: str, model: str | None = None, *, now: float) -> Suspicion:
        """Return how far it suspects the provider now, or one model of it."""
        memory = self._memories.get(provider)
        if memory is None or not memory.marks:
            return Suspicion.CLEAR
        return suspicion_of(against(memory.marks, model), memory.struck_at, now)

    def until(self, provider: str) -> float:
        """Return when a tripped provider may be tried again."""
        memory = self._memories.get(provider)
        return 0.0 if memory is None else memory.struck_at + TRIPPED_SECONDS

    def faulted(self, provider: str, mark: Mark, *, started: float, now: float) -> None:
        """Count a request that the provider failed in a call that started then."""
        with self._lock:
            memory = self._memories.setdefault(provider, _Memory())
            recent = memory.marks if now - memory.struck_at < SUSPECT_SECONDS else ()
            memory.marks = (*(known for known in recent if known.cause != mark.cause), mark)[-STRIKES_KEPT:]
            memory.struck_at = now
            memory.fault_started = max(memory.fault_started, started)

    def excused(self, provider: str, cause: str) -> None:
        """Take back what was counted of a request: another provider has failed it as well."""
        with self._lock:
            memory = self._memories.get(provider)
            if memory is not None:
                memory.marks = tuple(known for known in memory.marks if known.cause != cause)

    def succeeded(self, provider: str, model: str = "", *, started: float) -> None:
        """Note that a call of the model that started then delivered."""
        memory = self._memories.get(provider)
        if memory is None or not memory.marks:
            return  # nearly always, and without the lock
        with self._lock:
            if started > memory.fault_started:
                memory.marks = tuple(known for known in memory.marks if known.model != model)
