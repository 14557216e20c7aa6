"""What one worker holds against a provider by itself, before any record says so.

Theory of operation
- One provider fault makes it *suspect*: others are preferred, and it is called only by a permit that the whole fleet
  shares, one call at a time. With an alternative at hand that costs nothing, and an outage costs a handful of calls.
- So many faults in a row *trip* it: this worker leaves it alone for a while, then asks for a permit again.
- Any success clears it. A success that started before the newest fault clears nothing: it was under way already.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# The first fault and three more that are granted one by one.
STRIKES_TO_TRIP: Final = 4
TRIPPED_SECONDS: Final = 30.0
# A suspicion that no call has confirmed is forgotten.
SUSPECT_SECONDS: Final = 60.0


class Suspicion(StrEnum):
    """What a worker thinks of a provider."""

    CLEAR = "clear"
    SUSPECT = "suspect"
    TRIPPED = "tripped"


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
        if memory is None or not memory.strikes or now - memory.struck_at >= SUSPECT_SECONDS:
            return Suspicion.CLEAR
        tripped = memory.strikes >= STRIKES_TO_TRIP and now - memory.struck_at < TRIPPED_SECONDS
        return Suspicion.TRIPPED if tripped else Suspicion.SUSPECT

    def until(self, provider: str) -> float:
        """When a tripped one may be tried again."""
        return self._memories[provider].struck_at + TRIPPED_SECONDS

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
