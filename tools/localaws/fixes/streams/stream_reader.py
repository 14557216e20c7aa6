"""Reads DynamoDB streams for Lambda: each mapping's batches in order, each mapping on a thread of its own."""

import time
from typing import Any

from tools.localaws.clock import wake_event_sources_in
from tools.localaws.fixes.streams.stream_delivery import Delivery
from tools.localaws.fixes.streams.stream_mapping import StreamMapping, resolve
from tools.localaws.fixes.streams.stream_progress import Progress
from tools.localaws.tenant import tenant
from tools.localaws.upstream import concurrency, lambda_service


class StreamReader:
    """Stands in for MiniStack's stream poller; `poll` is called on its poll thread and never blocks on a function."""

    def __init__(self) -> None:
        self._progress: dict[str, Progress] = {}
        self._busy: set[str] = set()

    def poll(self) -> bool:
        """Start a batch for every mapping that has one due; true when any was started."""
        mappings = list(lambda_service._iter_all_esms())
        self._forget_all_but({str(settings["UUID"]) for _, _, settings in mappings})
        started = [self._poll_one(account, region, settings) for account, region, settings in mappings]
        return any(started)

    def _forget_all_but(self, known: set[str]) -> None:
        for gone in self._progress.keys() - known:
            del self._progress[gone]

    def _poll_one(self, account: str, region: str, settings: dict[str, Any]) -> bool:
        with tenant(account, region):
            mapping = resolve(settings)
            if mapping is None or mapping.id in self._busy:
                return False
            progress = self._progress.setdefault(mapping.id, Progress())
            position = mapping.position()
            batch = mapping.read(position, progress.limit(position, mapping.batch_size))
            if not batch or not _due(mapping, progress, len(batch)):
                return False
            self._busy.add(mapping.id)
            delivery = Delivery(mapping, progress, position, batch)
            concurrency.spawn_background(self._deliver, delivery, thread_name=f"stream-{mapping.id[:8]}")
            return True

    def _deliver(self, delivery: Delivery) -> None:
        try:
            delivery.run()
        finally:
            self._busy.discard(delivery.mapping.id)
            concurrency.esm_wake.set()


def _due(mapping: StreamMapping, progress: Progress, found: int) -> bool:
    wait = _seconds_to_wait(mapping, progress, found, time.monotonic())
    if wait > 0:
        wake_event_sources_in(wait)
    return wait <= 0


def _seconds_to_wait(mapping: StreamMapping, progress: Progress, found: int, now: float) -> float:
    if now < progress.not_before:
        return progress.not_before - now
    if progress.bounds or found >= mapping.batch_size:
        return 0.0
    if progress.gathering_since is None:
        progress.gathering_since = now
    return progress.gathering_since + mapping.window - now
