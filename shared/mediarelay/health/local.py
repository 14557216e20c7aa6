"""What one worker has seen of each provider by itself: its latency, and what it suspects before any record says so.

- Latency is a decaying average, good enough to rank by.
- One provider fault makes it *suspect*: others are preferred, and it is called only by a permit that the whole fleet
  shares, one call at a time. With an alternative at hand that costs nothing, and an outage costs a handful of calls.
  What the workers share of their suspicions is in `health/circuit/half_open.py`; this is what each has without it.
- Several faults in a row *trip* it: this worker leaves it alone for a while, then asks for a permit again.
- Any success clears it. A success that started before the newest fault clears nothing: it was under way already.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

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


# The first fault and three more that are granted one by one.
STRIKES_TO_TRIP: Final = 4
TRIPPED_SECONDS: Final = 30.0
# A suspicion that no call confirms is forgotten after this long.
SUSPECT_SECONDS: Final = 60.0


class Suspicion(IntEnum):
    """How far a worker, or the fleet, suspects a provider; more is worse."""

    CLEAR = 0
    SUSPECT = 1
    TRIPPED = 2


def suspicion_of(strikes: int, struck_at: float, now: float) -> Suspicion:
    """Return the suspicion after so many faults in a row, the newest at *struck_at* (unix seconds)."""
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
        """Return how far it suspects the provider now."""
        memory = self._memories.get(provider)
        return Suspicion.CLEAR if memory is None else suspicion_of(memory.strikes, memory.struck_at, now)

    def until(self, provider: str) -> float:
        """Return when a tripped provider may be tried again."""
        memory = self._memories.get(provider)
        return 0.0 if memory is None else memory.struck_at + TRIPPED_SECONDS

    def faulted(self, provider: str, *, started: float, now: float) -> None:
        """Count the provider's fault in a call that started then."""
        with self._lock:
            memory = self._memories.setdefault(provider, _Memory())
            memory.strikes = memory.strikes + 1 if now - memory.struck_at < SUSPECT_SECONDS else 1
            memory.struck_at = now
            memory.fault_started = max(memory.fault_started, started)

    def succeeded(self, provider: str, *, started: float) -> None:
        """Note that a call that started then delivered."""
        with self._lock:
            memory = self._memories.get(provider)
            if memory is not None and started > memory.fault_started:
                memory.strikes = 0
