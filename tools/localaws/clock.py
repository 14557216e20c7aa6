"""Background timing: work on an interval, and waking the event source poller at a chosen moment."""

import logging
import os
import threading
import time
from collections.abc import Callable

from tools.localaws.upstream import concurrency

logger = logging.getLogger("mediarelay.launcher")


def seconds_from_environment(name: str, default: float) -> float:
    """An interval that tests may shorten, in seconds."""
    return float(os.environ.get(name, default))


def every(seconds: float, task: Callable[[], None], name: str) -> None:
    """Run a task on a daemon thread for ever; a failing round is logged and the next one still comes."""

    def loop() -> None:
        while True:
            time.sleep(seconds)
            try:
                task()
            except Exception:
                logger.exception("%s failed", name)

    threading.Thread(target=loop, name=name, daemon=True).start()


class _NextWake:
    """At most one timer is pending; a wake asked for meanwhile is asked for again by the poll that the timer brings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: float | None = None

    def ask(self, seconds: float) -> None:
        with self._lock:
            due = time.monotonic() + max(seconds, 0.0)
            if self._due is not None and self._due <= due:
                return
            self._due = due
        timer = threading.Timer(max(seconds, 0.0), self._fire, args=(due,))
        timer.daemon = True
        timer.start()

    def _fire(self, due: float) -> None:
        with self._lock:
            if self._due == due:
                self._due = None
        concurrency.esm_wake.set()


_next_wake = _NextWake()


def wake_event_sources_in(seconds: float) -> None:
    """Have the event source poller look again after a while, rather than at its one-second tick."""
    _next_wake.ask(seconds)
