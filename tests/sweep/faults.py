"""What goes wrong in a run, and where: every call of every store and vendor passes here, is counted, and may fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Self
from urllib.parse import urlsplit

from mediarelay.vocabulary.errors import StoreUnavailable, Unpublished, Unreachable
from tests.doubles.clock import ManualClock
from tests.doubles.trouble import WorkerKilled

STORES = ("jobs", "telemetry", "bucket", "secret", "queue", "machine", "topic")
VENDORS = ("openai", "elevenlabs", "kling", "fal", "cdn")
# What is away at once: one service, both tables, all of ours, all vendors, everything.
OUTAGES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in STORES},
    "dynamodb": ("jobs", "telemetry"),
    "stores": STORES,
    "vendors": VENDORS,
    "everything": (*STORES, *VENDORS),
}
SHORTEST_OUTAGE, LONGEST_OUTAGE = 1800.0, 10_800.0
CALL_SECONDS = 0.005


class Kind(StrEnum):
    """How one call fails. `outage` is followed by what is away from then on."""

    NONE = "none"
    BEFORE = "before"
    AFTER = "after"
    DEATH_BEFORE = "death-before"
    DEATH_AFTER = "death-after"
    UNKNOWN = "unknown"
    OUTAGE = "outage"


ONE_CALL = (Kind.BEFORE, Kind.AFTER, Kind.DEATH_BEFORE, Kind.DEATH_AFTER, Kind.UNKNOWN)


@dataclass(frozen=True, order=True)
class RunId:
    """All there is to know of a run: `scenario:service#k:fault:seed`."""

    scenario: str
    service: str = ""
    call: int = 0
    kind: Kind = Kind.NONE
    away: str = ""
    seed: int = 0

    def __str__(self) -> str:
        what = f"{self.kind}={self.away}" if self.away else str(self.kind)
        return f"{self.scenario}:{self.service}#{self.call}:{what}:{self.seed}"

    @classmethod
    def parsed(cls, written: str) -> Self:
        """Read what `str` wrote."""
        scenario, at, what, seed = written.split(":")
        service, _, call = at.partition("#")
        kind, _, away = what.partition("=")
        return cls(scenario, service, int(call), Kind(kind), away, int(seed))

    def dice(self) -> Random:
        """The run's own."""
        return Random(str(self))


class Slip(Exception):
    """What no line of the product has ever heard of."""


class Faults:
    """Counts the calls by service, and makes the one fail that the run names. `log` has them all, in order.

    Attributes:
        struck: When the fault happened; None while it has not.
        away_until: When what is away comes back.
        killed: How many workers died.
    """

    def __init__(self, run: RunId, clock: ManualClock) -> None:
        dice = run.dice()
        self._run = run
        self._clock = clock
        self._lasts = dice.uniform(SHORTEST_OUTAGE, LONGEST_OUTAGE)
        # Whether the work is done all the same; of what is unknown the dice decide.
        self._late = run.kind in {Kind.AFTER, Kind.DEATH_AFTER} or (run.kind is Kind.UNKNOWN and dice.random() < 0.5)
        self._hangs = dice.random() < 0.5  # whether vendors that are away take requests in
        self._away: tuple[str, ...] = OUTAGES.get(run.away, ())
        self.calls: Counter[str] = Counter()
        self.log: list[str] = []
        self.struck: float | None = None
        self.away_until = 0.0
        self.killed = 0
        self._dead = False

    def is_away(self, service: str) -> bool:
        """Whether there is an outage of the service now."""
        return service in self._away and self._clock.now() < self.away_until

    def buried(self) -> None:
        """A dead worker is gone; another one may begin."""
        self._dead = False

    def call(self, service: str, name: str, work: Callable[[], Any], undo: Callable[[Any], None] | None = None) -> Any:
        """One call. *undo* ends what the work began when the caller never hears of it."""
        if self._dead:
            raise WorkerKilled(name)
        self._clock.advance(CALL_SECONDS)
        self.calls[service] += 1
        run, number = self._run, self.calls[service]
        hit = self.struck is None and (service, number) == (run.service, run.call)
        self.log.append(f"{self._clock.now():.3f} {service}#{number} {name}")
        if hit:
            self.struck = self._clock.now()
            self.away_until = self.struck + self._lasts if run.kind is Kind.OUTAGE else 0.0
        if self.is_away(service):
            raise self._error(service, name, sent=self._hangs)
        if not hit or run.kind is Kind.OUTAGE:
            return work()
        if self._late:
            answer = work()
            if undo is not None:
                undo(answer)
        raise self._failure(service, name)

    def _failure(self, service: str, name: str) -> BaseException:
        match self._run.kind:
            case Kind.UNKNOWN:
                return Slip(f"{service} {name}")
            case Kind.DEATH_BEFORE | Kind.DEATH_AFTER:
                self._dead = True
                self.killed += 1
                return WorkerKilled(name)
            case _:
                return self._error(service, name, sent=self._late)

    @staticmethod
    def _error(service: str, name: str, *, sent: bool) -> Exception:
        if service in VENDORS:
            code = "read_timeout" if sent else "connect_failed"
            return Unreachable(code, "the vendor is away", sent=sent)
        unavailable = StoreUnavailable(service, name, "InternalServerError")
        return Unpublished(unavailable, 0) if service == "topic" else unavailable


class Port:
    """A port whose calls all pass by the faults. What a method returns with methods of its own is a port as well."""

    def __init__(self, port: Any, service: str, faults: Faults, *, local: tuple[str, ...] = ()) -> None:
        """`local` names what takes no call: what is there already."""
        self._port = port
        self._service = service
        self._faults = faults
        self._local = local

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if name in self._local or not callable(attribute):
            return attribute

        def call(*args: Any, **fields: Any) -> Any:
            answer = self._faults.call(self._service, name, lambda: attribute(*args, **fields))
            return Port(answer, self._service, self._faults) if hasattr(answer, "complete") else answer

        return call


class Wire:
    """The vendors and their media hosts, whose calls are entered: a fault strikes when the answer is there, or was."""

    def __init__(self, vendors: Any, faults: Faults) -> None:
        self._vendors = vendors
        self._faults = faults

    def send(self, request: Any, *, deadline: float) -> AbstractContextManager[Any]:
        """See `http.ports.HttpClient.send`."""
        return _Call(
            self._vendors.send(request, deadline=deadline), vendor_of(request.url), request.method, self._faults
        )

    def fetch(self, url: str, *, deadline: float) -> AbstractContextManager[Any]:
        """See `http.ports.HttpClient.fetch`."""
        return _Call(self._vendors.fetch(url, deadline=deadline), "cdn", "fetch", self._faults)

    def open(self, url: str, **how: Any) -> AbstractContextManager[Any]:
        """See `long_jobs.transfer.ports.MediaFetcher.open`."""
        return _Call(self._vendors.open(url, **how), "cdn", "open", self._faults)


class _Call(AbstractContextManager[Any]):
    def __init__(self, call: AbstractContextManager[Any], service: str, name: str, faults: Faults) -> None:
        self._call = call
        self._service = service
        self._name = name
        self._faults = faults

    def __enter__(self) -> Any:
        return self._faults.call(self._service, self._name, self._call.__enter__, self._leave)

    def __exit__(self, *error: object) -> None:
        self._call.__exit__(*error)

    def _leave(self, _answer: Any) -> None:
        self._call.__exit__(None, None, None)


def vendor_of(url: str) -> str:
    """Whose address it is."""
    host = urlsplit(url).hostname or ""
    return next(name for name in VENDORS if name in host)
