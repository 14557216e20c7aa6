"""What this worker has seen of each provider's latency: a decaying average, good enough to rank by."""

from __future__ import annotations

import threading
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
