"""What video and audio jobs need of the world, in memory."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mediarelay.long_jobs.polling.completion import remembered
from mediarelay.long_jobs.ports import FoundExecution


class MemoryExecutions:
    """Implements `long_jobs.ports.Executions`. `started` holds the input of each, by name; the test runs them.

    `begin` is told of each that starts.
    """

    def __init__(self, begin: Callable[[str], None] = lambda _name: None) -> None:
        self._begin = begin
        self.started: dict[str, dict[str, Any]] = {}
        self.ended: set[str] = set()
        self.stopped: set[str] = set()
        self._lock = threading.Lock()

    def start(self, name: str, state: Mapping[str, object]) -> bool:
        """See `long_jobs.ports.Executions.start`."""
        with self._lock:
            if name in self.started:
                return False
            self.started[name] = json.loads(json.dumps(state))
        self._begin(name)
        return True

    def find(self, name: str) -> FoundExecution | None:
        """See `long_jobs.ports.Executions.find`."""
        state = self.started.get(name)
        return None if state is None else FoundExecution(name not in self.ended, state)

    def stop(self, name: str, *, error: str, cause: str) -> bool:
        """See `long_jobs.ports.Executions.stop`."""
        del error, cause
        running = name in self.started and name not in self.ended
        if running:
            self.ended.add(name)
            self.stopped.add(name)
        return running


class MemoryTasks:
    """Implements `long_jobs.webhooks.ports.WaitingTasks`."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.waiting: set[str] = set()
        self.woken: list[str] = []

    def token(self, request_id: str) -> str | None:
        """See `long_jobs.webhooks.ports.WaitingTasks.token`."""
        return self.tokens.get(request_id)

    def wake(self, token: str) -> bool:
        """See `long_jobs.webhooks.ports.WaitingTasks.wake`."""
        waits = token in self.waiting
        self.waiting.discard(token)
        if waits:
            self.woken.append(token)
        return waits


class MemorySlots:
    """Implements `SlotStore`. `most` is the largest number held at once, by account; `released` counts."""

    def __init__(self) -> None:
        self.holders: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        self.most: dict[str, int] = defaultdict(int)
        self.released: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def take(self, vendor: str, account: str, job_id: str, *, limit: int, until: int, now: int) -> bool:
        """See `long_jobs.ports.SlotStore.take`."""
        with self._lock:
            held = {job: end for job, end in self.holders[vendor, account].items() if end >= now}
            if job_id not in held and len(held) >= limit:
                self.holders[vendor, account] = held
                return False
            self.holders[vendor, account] = {**held, job_id: until}
            self.most[account] = max(self.most[account], len(held) + 1)
            return True

    def release(self, vendor: str, account: str, job_id: str) -> bool:
        """See `long_jobs.ports.SlotStore.release`."""
        with self._lock:
            held = self.holders[vendor, account].pop(job_id, None) is not None
            self.released[job_id] += held
            return held

    def shorten(self, vendor: str, account: str, job_id: str, *, until: int) -> None:
        """See `long_jobs.ports.SlotStore.shorten`."""
        with self._lock:
            held = self.holders[vendor, account]
            if job_id in held:
                held[job_id] = min(held[job_id], until)


class MemoryTimes:
    """Implements `long_jobs.polling.ports.CompletionTimes`."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], tuple[float, ...]] = {}

    def load(self, provider: str, model: str) -> Sequence[float]:
        """See `long_jobs.polling.ports.CompletionTimes.load`."""
        return self._seconds.get((provider, model), ())

    def add(self, provider: str, model: str, seconds: float) -> None:
        """See `long_jobs.polling.ports.CompletionTimes.add`."""
        self._seconds[provider, model] = remembered(self.load(provider, model), round(seconds, 3))


class MemoryUploads:
    """Implements `long_jobs.transfer.ports.Uploads`.

    Attributes:
        files: What was completed.
        parts: The size of each part of all uploads.
        open: How many were left lying.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.facts: dict[str, Mapping[str, str]] = {}
        self.parts: list[int] = []
        self.aborted = 0
        self.open = 0

    def begin(self, key: str, content_type: str, facts: Mapping[str, str]) -> MemoryUpload:
        """See `long_jobs.transfer.ports.Uploads.begin`."""
        del content_type
        self.open += 1
        self.facts[key] = facts
        return MemoryUpload(self, key)


class MemoryUpload:
    """Implements `long_jobs.transfer.ports.Upload`."""

    def __init__(self, uploads: MemoryUploads, key: str) -> None:
        self._uploads = uploads
        self._key = key
        self.parts: list[bytes] = []

    def part(self, data: bytes) -> None:
        """See `long_jobs.transfer.ports.Upload.part`."""
        self.parts.append(data)
        self._uploads.parts.append(len(data))

    def complete(self) -> None:
        """See `long_jobs.transfer.ports.Upload.complete`."""
        self._uploads.files[self._key] = b"".join(self.parts)
        self._uploads.open -= 1

    def abort(self) -> None:
        """See `long_jobs.transfer.ports.Upload.abort`."""
        self._uploads.aborted += 1
        self._uploads.open -= 1
