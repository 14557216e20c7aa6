"""The stores of a run: those in memory, each a round trip away, unavailable while the scenario says so, and counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from mediarelay.job_records.claims import Rejection, Settlement
from mediarelay.job_records.contract import PART
from mediarelay.limits.fairness import Line
from mediarelay.limits.gcra import Acquire, Answer, Granted
from mediarelay.limits.local_view import FleetClock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus
from tests.doubles.clock import EPOCH
from tests.doubles.jobs import MemorySpeechJobs
from tests.doubles.leases import MemoryLimits
from tools.simulation.loop import Loop, VirtualClock
from tools.simulation.scenario import Outage

# What a call takes: of DynamoDB, and of S3 for a file of some seconds of speech.
TABLE_SECONDS: Final = (0.003, 0.006)
BUCKET_SECONDS: Final = (0.01, 0.025)
# What a store takes to refuse.
OUTAGE_SECONDS: Final = 0.01


@dataclass
class Network:
    """Between the workers and their stores."""

    loop: Loop
    outages: Sequence[Outage]
    dice: Random

    def check(self, store: str) -> None:
        """Raise `StoreUnavailable` while the store is."""
        now = self.loop.now
        if self.outages and any(each.store == store and each.since <= now < each.to for each in self.outages):
            raise StoreUnavailable(store, "answer", "the scenario has it unavailable")

    def to(self, store: str, port: Any, seconds: tuple[float, float] | None = TABLE_SECONDS) -> Any:
        """Return the port as it is reached from afar; at once where it takes no seconds."""
        return Remote(self, store, port, seconds)


class Remote:
    """A port behind the network. It has the methods of whatever it stands for."""

    def __init__(self, network: Network, store: str, port: Any, seconds: tuple[float, float] | None) -> None:
        self._network = network
        self._store = store
        self._port = port
        self._seconds = seconds

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._port, name)
        network, store, seconds = self._network, self._store, self._seconds

        def call(*arguments: Any, **fields: Any) -> Any:
            if seconds is not None:
                network.loop.sleep(network.dice.uniform(*seconds))
            network.check(store)
            return method(*arguments, **fields)

        setattr(self, name, call)
        return call


class LimitsOfWorker:
    """The table of limits as one worker reaches it: every answer tells the worker the table's own time."""

    def __init__(self, remote: Any, clock: VirtualClock, fleet: FleetClock, loop: Loop) -> None:
        self._remote = remote
        self._clock = clock
        self._fleet = fleet
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._remote, name)

        def call(*arguments: Any) -> Any:
            sent = self._clock.now()
            answer = method(*arguments)
            # The header `Date` has whole seconds.
            self._fleet.observe(math.floor(EPOCH + self._loop.now), sent=sent, received=self._clock.now())
            return answer

        setattr(self, name, call)
        return call


class CountedLimits(MemoryLimits):
    """The table of limits in memory, which counts the writes that DynamoDB would be asked for."""

    def take(self, provider: str, ask: Acquire) -> Answer:
        """See `limits.ports.LimitStore.take`."""
        before = self._state(provider, ask.owner)
        answer = super().take(provider, ask)
        # Its two forms are for a `tat` that has passed and for one ahead; the worker goes by what it saw last.
        guessed = (ask.seen.tat < ask.now) == (before.tat < ask.now)
        self.writes += not guessed and ask.line is Line.TAIL and isinstance(answer, Granted)
        return answer


@dataclass
class Book:
    """What a run comes to, as it goes on. Moments are seconds from the start.

    Attributes:
        settled: When each request ended, and how, by its id.
    """

    published: int = 0
    settled: dict[str, tuple[float, JobStatus]] = field(default_factory=dict)
    requeues: int = 0
    slot_seconds: float = 0.0
    slot_seconds_used: float = 0.0
    alerts: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class WatchedJobs(MemorySpeechJobs):
    """The Jobs table in memory, which notes every end."""

    def __init__(self, loop: Loop, book: Book) -> None:
        super().__init__()
        self._loop = loop
        self._book = book

    def settle(self, settlement: Settlement) -> bool:
        """See `job_records.ports.JobStore.settle`."""
        return self._noted(settlement.request_id, settlement.status, super().settle(settlement))

    def settle_media(self, settlement: Settlement) -> bool:
        """See `long_jobs.ports.MediaJobStore.settle_media`."""
        return self._noted(settlement.request_id, settlement.status, super().settle_media(settlement))

    def reject(self, rejection: Rejection) -> bool:
        """See `job_records.ports.JobStore.reject`."""
        return self._noted(rejection.request_id, JobStatus.REJECTED, super().reject(rejection))

    def _noted(self, request_id: str, status: JobStatus, written: bool) -> bool:  # noqa: FBT001 # what was just answered
        if written and PART not in request_id:
            self._book.settled.setdefault(request_id, (self._loop.now, status))
        return written
