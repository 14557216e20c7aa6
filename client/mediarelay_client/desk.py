"""Who waits for which result: events come in from anywhere, each is told once to whom it belongs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from mediarelay_client.models import ResultEvent

# When a result is asked from the API: at first soon, where that is the only way it comes; else when it is late.
ONLY_WAY: Final = (0.3, 0.5, 1.0, 1.0, 2.0)
LATE: Final = (30.0, 60.0, 120.0, 300.0)
FEW: Final = 20
Key = tuple[str | None, str]


@dataclass(eq=False)
class Waiting:
    """One request that has not ended. `outcome` gets its events: one, or one for each provider of strategy all.

    `replied` says that its result comes to the queue of replies; else the API is asked all the time.
    """

    request_id: str
    tenant: str | None
    message_id: str | None = None
    branches: frozenset[str] | None = None
    replied: bool = False
    events: dict[str, ResultEvent] = field(default_factory=dict)
    outcome: Future[list[ResultEvent]] = field(default_factory=Future)
    asked: int = 0
    ask_at: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether every event it waits for has come."""
        told = {event.job_id.partition("#")[2] for event in self.events.values()}
        return "" in told or bool(self.branches and told >= self.branches)


class Desk:
    """Safe for threads. What has ended is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Key, list[Waiting]] = {}
        self._by_message: dict[str, Waiting] = {}

    def open(self, waiting: Waiting) -> Waiting:
        """Wait for a request's events; two may wait for one."""
        with self._lock:
            self._waiting.setdefault((waiting.tenant, waiting.request_id), []).append(waiting)
        return waiting

    def sent(self, waiting: Waiting, message_id: str) -> None:
        """Note what SQS calls its message: a rejection may be told under that name."""
        with self._lock:
            waiting.message_id = message_id
            if waiting in self._waiting.get((waiting.tenant, waiting.request_id), ()):
                self._by_message[message_id] = waiting

    def forget(self, waiting: Waiting) -> None:
        """Wait no longer for it."""
        with self._lock:
            self._forget(waiting)

    def expect(self, waiting: Waiting, branches: Iterable[str]) -> None:
        """Say whose jobs a request with strategy all became."""
        with self._lock:
            waiting.branches = frozenset(branches)
            ended = self._ended([waiting])
        _tell(ended)

    def deliver(self, event: ResultEvent) -> None:
        """Tell who waits for it; one that comes again finds nobody."""
        with self._lock:
            found = list(self._waiting.get((event.tenant, event.request_id), ()))
            named = self._by_message.get(event.request_id) or self._by_message.get(event.message_id or "")
            if event.status == "rejected" and named is not None:
                # The id may be another job's, which others wait for; the message is this one's alone.
                found = [named]
            for waiting in found:
                waiting.events[event.job_id] = event
            ended = self._ended(found)
        _tell(ended)

    def open_ones(self) -> Iterator[Waiting]:
        """Every request that has not ended."""
        with self._lock:
            found = [waiting for some in self._waiting.values() for waiting in some]
        return iter(found)

    def give_up(self, error: BaseException) -> None:
        """End every wait with an error."""
        with self._lock:
            found = [waiting for some in self._waiting.values() for waiting in some]
            for waiting in found:
                self._forget(waiting)
        for waiting in found:
            if waiting.outcome.set_running_or_notify_cancel():
                waiting.outcome.set_exception(error)

    def _ended(self, found: Iterable[Waiting]) -> list[Waiting]:
        ended = [waiting for waiting in found if waiting.whole and self._is_open(waiting)]
        for waiting in ended:
            self._forget(waiting)
        return ended

    def _is_open(self, waiting: Waiting) -> bool:
        """Whether nobody was told of its end: its branches may be learned once more after that."""
        return any(other is waiting for other in self._waiting.get((waiting.tenant, waiting.request_id), ()))

    def _forget(self, waiting: Waiting) -> None:
        key = (waiting.tenant, waiting.request_id)
        others = [other for other in self._waiting.get(key, ()) if other is not waiting]
        if others:
            self._waiting[key] = others
        else:
            self._waiting.pop(key, None)
        if waiting.message_id is not None:
            self._by_message.pop(waiting.message_id, None)


def _tell(ended: Iterable[Waiting]) -> None:
    for waiting in ended:
        if waiting.outcome.set_running_or_notify_cancel():
            waiting.outcome.set_result(list(waiting.events.values()))


def next_ask(waiting: Waiting, now: float, together: int = 1) -> None:
    """Say when a result is asked for the next time: the more are asked for, the more rarely each."""
    pauses = LATE if waiting.replied else ONLY_WAY
    waiting.ask_at = now + pauses[min(waiting.asked, len(pauses) - 1)] * max(1.0, together / FEW)
    waiting.asked += 1
