"""What one worker holds against a provider by itself, before any record says so.

Theory of operation
- One provider fault makes it *suspect*: others are preferred, and it is called only by a permit that the whole fleet
  shares, one call at a time. With an alternative at hand that costs nothing, and an outage costs a handful of calls.
  What the workers share of their suspicions is in `health/circuit/half_open.py`; this is what one has without a table.
- So many faults in a row *trip* it: this worker leaves it alone for a while, then asks for a permit again.
- Any success clears it. A success that started before the newest fault clears nothing: it was under way already.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# The first fault and three more that are granted one by one.
STRIKES_TO_TRIP: Final = 4
TRIPPED_SECONDS: Final = 30.0
# A suspicion that no call has confirmed is forgotten.
SUSPECT_SECONDS: Final = 60.0


class Suspicion(IntEnum):
    """What a worker, or the fleet, thinks of a provider; more is worse."""

    CLEAR = 0
    SUSPECT = 1
    TRIPPED = 2


def suspicion_of(strikes: int, struck_at: float, now: float) -> Suspicion:
    """What so many faults in a row come to, the newest of them at *struck_at* (unix seconds)."""
    if not strikes or now - struck_at >= SUSPECT_SECONDS:
        return Suspicion.CLEAR
    tripped = strikes >= STRIKES_TO_TRIP and now - struck_at < TRIPPED_SECONDS
    return Suspicion.TRIPPED if tripped else Suspicion.SUSPECT


@dataclass(slots=True)
class _Memory:
    strikes: int = 0
    fault_started: float = 0.0
    struck_at: float = 0.0


class LocalBreaker:
    """All providers as one worker sees them. Thread-safe. Moments in unix seconds."""

    def __init__(self) -> None:
        self._memories: dict[str, _Memory] = {}
        self._lock = threading.Lock()

    def suspicion(self, provider: str, *, now: float) -> Suspicion:
        """What it thinks now."""
        memory = self._memories.get(provider)
        return Suspicion.CLEAR if memory is None else suspicion_of(memory.strikes, memory.struck_at, now)

    def until(self, provider: str) -> float:
        """When a tripped one may be tried again."""
        memory = self._memories.get(provider)
        return 0.0 if memory is None else memory.struck_at + TRIPPED_SECONDS

    def faulted(self, provider: str, *, started: float, now: float) -> None:
        """A call that started then ended in a provider's fault."""
        with self._lock:
            memory = self._memories.setdefault(provider, _Memory())
            memory.strikes = memory.strikes + 1 if now - memory.struck_at < SUSPECT_SECONDS else 1
            memory.struck_at = now
            memory.fault_started = max(memory.fault_started, started)

    def succeeded(self, provider: str, *, started: float) -> None:
        """A call that started then delivered."""
        with self._lock:
            memory = self._memories.get(provider)
            if memory is not None and started > memory.fault_started:
                memory.strikes = 0
