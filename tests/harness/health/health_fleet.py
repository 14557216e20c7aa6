"""A fleet on one clock and one table, and what its workers are asked and told."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from mediarelay.health.circuit.ports import SharedHealth
from mediarelay.health.circuit.record import Circuit
from mediarelay.health.contract import Force, HealthRecord, Override
from mediarelay.health.fleet_view import FleetHealth
from mediarelay.health.judgement import Status
from mediarelay.health.local import STRIKES_TO_SUSPECT
from mediarelay.health.ports import HealthStore
from mediarelay.health.records import fresh_record
from mediarelay.providers.offers import Offer
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryHealth, MemorySharedHealth

KINDS = {"a": Kind.TTS, "b": Kind.TTS, "c": Kind.TTS, "picture": Kind.IMAGE}
NUMBERS = count()
GOOD, BAD, LIMITED = Outcome.DELIVERED, Outcome.OVERLOADED, Outcome.THROTTLED


class Fleet:
    """One clock, one table, as many workers as a test wants."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.records: HealthStore = MemoryHealth()
        self.shared_health: SharedHealth = MemorySharedHealth(self.records)
        self.keyless: set[str] = set()

    def worker(self, *, of: int = 1) -> FleetHealth:
        """A new worker, one of so many."""
        return FleetHealth(
            self.shared_health,
            kinds=KINDS,
            has_keys=lambda name: name not in self.keyless,
            clock=self.clock,
            workers=of,
        )

    def write(self, provider: str, **fields: Any) -> HealthRecord:
        known = self.records.get(provider) or fresh_record(provider, now=self.clock.now())
        record = known.model_copy(update={"last_check": self.clock.now(), **fields})
        assert self.records.save(record)
        return record

    def open(self, provider: str, *, seconds: float = 30.0, **fields: Any) -> None:
        now = self.clock.now()
        self.write(provider, status=Status.DOWN, circuit=Circuit(now, now + seconds, 1), **fields)

    def force(self, provider: str, force: Force, seconds: float = 60.0) -> None:
        now = self.clock.now()
        override = Override(
            subject=f"provider:{provider}",
            force=force,
            author="ann",
            reason="x",
            created_at=now,
            expires_at=now + seconds,
        )
        self.write(provider, override=override)


def offers(cost: float = 0.01, *names: str) -> list[Offer]:
    return [Offer(name, cost, 1.0, 1) for name in names or ("a", "b", "c")]


def seen(worker: FleetHealth) -> FleetHealth:
    """After it has read the records."""
    worker.refresh()
    return worker


def ask(worker: FleetHealth, provider: str = "a", job: str = "job", cost: float = 0.01, *names: str) -> float | None:
    """What a job on its own is told."""
    with worker.waiting(job, offers(cost, *names)):
        return worker.admit(provider, job, until=worker._clock.now() + 60)


def call(worker: FleetHealth, outcome: Outcome | None, provider: str = "a", job: str = "", model: str = "") -> bool:
    """A whole call of a new request, or of *job*, if it is admitted; whether it was."""
    job = job or f"job-{next(NUMBERS)}"
    with worker.waiting(job, [replace(offer, model=model) for offer in offers()]):
        if worker.admit(provider, job, until=worker._clock.now() + 60) is not None:
            return False
        worker.began(provider, job)
        worker.ended(provider, job, outcome, started=worker._clock.now())
    return True


def suspect(worker: FleetHealth, provider: str = "a") -> None:
    """As many requests of it fail as make the provider suspect."""
    for _ in range(STRIKES_TO_SUSPECT):
        assert call(worker, BAD, provider)
