"""Writes that matter to others but never to the result at hand: attempt metrics and key verdicts.

They run on threads of their own. A failing Telemetry table costs a log line, never a request.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Final

from mediarelay.keys.ports import KeyStates
from mediarelay.keys.states import KeyVerdict
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.ports import MetricSink
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# A worker that cannot reach the table keeps the newest metrics and says how many it dropped.
BUFFER_LIMIT: Final = 1000


class TelemetryWriter:
    """Buffers metrics until `flush`; publishes verdicts at once, in the background."""

    def __init__(self, states: KeyStates, sinks: Sequence[MetricSink]) -> None:
        self._states = states
        self._sinks = sinks
        self._buffer: list[AttemptMetric] = []
        self._pending: set[Future[None]] = set()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="telemetry")

    def metric(self, metric: AttemptMetric, *, urgent: bool = False) -> None:
        """Buffer one attempt; an urgent one is written soon, with what is buffered."""
        with self._lock:
            self._buffer.append(metric)
            dropped = len(self._buffer) - BUFFER_LIMIT
            del self._buffer[: max(0, dropped)]
        if dropped > 0:
            logger.warning("metrics dropped", extra={"dropped": dropped})
        if urgent:
            self.write()

    def verdicts(self, verdicts: Iterable[KeyVerdict]) -> None:
        """Publish key verdicts soon."""
        for verdict in verdicts:
            self._later(partial(self._states.save, verdict), "key verdict")

    def flush(self, timeout_seconds: float) -> None:
        """Write what is buffered and wait for what is under way, at most that long."""
        self.write()
        with self._lock:
            pending = set(self._pending)
        _, unfinished = wait(pending, timeout=timeout_seconds)
        if unfinished:
            logger.warning("telemetry unfinished", extra={"unfinished": len(unfinished)})

    def write(self) -> None:
        """Begin to write what is buffered."""
        with self._lock:
            metrics, self._buffer = self._buffer, []
        if metrics:
            for sink in self._sinks:
                self._later(partial(sink.write, metrics), "metrics")

    def _later(self, write: Callable[[], None], what: str) -> None:
        future = self._threads.submit(_guarded, write, what)
        with self._lock:
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)


def _guarded(write: Callable[[], None], what: str) -> None:
    try:
        write()
    except StoreUnavailable as error:
        logger.warning("telemetry lost", extra={"what": what, "store": error.store, "reason": error.reason})
    except Exception:
        logger.exception("telemetry lost to a fault of ours", extra={"what": what})  # the future's error is not read
        raise
