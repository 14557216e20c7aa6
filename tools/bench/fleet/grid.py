"""The scenarios that are measured, and what each came to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from tools.bench.fleet.run import run
from tools.bench.fleet.scenario import Change, Policy, Scenario, Tally

# A vendor's bucket holds what two seconds bring, as the simulator's accounts do unless told otherwise.
BURST: Final = 20
WORKERS: Final = (1, 4, 16, 64, 256, 1000)
# Seconds published, by load. A queue takes some ten to become steady; ten times the load is ten times the messages.
DURATIONS: Final = {0.5: 30.0, 0.8: 30.0, 0.9: 30.0, 1.2: 60.0, 2.0: 50.0, 10.0: 26.0}
LOADS: Final = tuple(DURATIONS)
OVERLOADED: Final = (1, 4, 64, 1000)


@dataclass(frozen=True)
class Row:
    """One run beside its reference. `goodput` is of what was possible; seconds for the p99s."""

    name: str
    workers: int
    keys: int
    load: float
    policy: str
    goodput: float
    waste: float
    p99: float
    oracle_p99: float
    writes: float
    trips: float
    published: int
    served: int
    expired: int
    dead_letters: int

    def facts(self) -> dict[str, Any]:
        """As JSON, rounded for people."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def declared() -> Iterator[Scenario]:
    """Five keys with every number of workers, overloaded with some of them; a sample with fifty and five hundred."""
    for workers in WORKERS:
        for load in LOADS:
            if load < 1.0 or workers in OVERLOADED:
                yield _declared(workers, 5, load, DURATIONS[load])
    for workers, load in ((16, 0.8), (64, 0.9), (256, 0.8), (1000, 0.5), (1000, 1.2)):
        yield _declared(workers, 50, load, 8.0 if load < 1.0 else 30.0)
    for workers, load in ((64, 0.8), (1000, 0.9)):
        yield _declared(workers, 500, load, 3.0)


def _declared(workers: int, keys: int, load: float, duration: float) -> Scenario:
    return Scenario("declared", workers, keys, load, burst=BURST, duration=duration, warm_up=duration / 2)


def without_leases() -> Iterator[Scenario]:
    """The same with the flag off."""
    for workers in (4, 64):
        for load in (0.8, 0.9, 2.0):
            yield replace(_declared(workers, 5, load, 30.0), policy=Policy.OFF)


def undeclared() -> Iterator[Scenario]:
    """Limits to be learned, without a wait header."""
    for workers, load in ((4, 0.9), (4, 1.2), (4, 2.0), (16, 2.0)):
        yield Scenario(
            "undeclared", workers, 5, load, burst=BURST, duration=160.0, warm_up=60.0, declared=False, retry_after=False
        )
    for factor in (0.5, 2.0):
        change = Change(100.0, factor)
        yield Scenario(
            f"changed x{factor}",
            4,
            5,
            2.5,
            burst=BURST,
            duration=160.0,
            warm_up=60.0,
            declared=False,
            retry_after=False,
            change=change,
        )


def chaos() -> Iterator[Scenario]:
    """Deaths, a table that is away, keys that are refused, an account without quota, clocks that are wrong."""
    for name, workers, load, fields in (
        ("workers die", 16, 0.9, {"deaths": 0.02}),
        ("workers die", 64, 2.0, {"deaths": 0.02}),
        ("table away 30 s", 4, 0.9, {"away": (15.0, 45.0)}),
        ("table away 30 s", 16, 2.0, {"away": (15.0, 45.0)}),
        ("two of five keys rejected", 16, 1.2, {"rejected": 2, "rejected_at": 20.0}),
        ("an account out of quota", 16, 1.2, {"exhausted": 1, "exhausted_at": 20.0}),
        ("clocks wrong by 2 s", 16, 0.9, {"skew": 2.0}),
        ("clocks wrong by 2 s", 64, 2.0, {"skew": 2.0}),
    ):
        yield Scenario(name, workers, 5, load, burst=BURST, duration=60.0, warm_up=10.0, **fields)


def fairness(*, flood: bool) -> Scenario:
    """A small tenant alone, and beside one that sends a hundred times as much, twice what the keys allow."""
    tenants = {"small": 1.0, "flood": 100.0} if flood else {"small": 1.0}
    load = 2.02 if flood else 0.02
    return Scenario(
        "fairness", 64, 5, load, tenants=tenants, fair=True, burst=BURST, duration=60.0, warm_up=15.0, group=1
    )


def row(scenario: Scenario, *, possible: int | None = None, drain: bool = True) -> Row:
    """Run it; the reference is the paced oracle in the same run, or what is named as possible."""
    tally = run(scenario, drain=drain)
    oracle = run(replace(scenario, policy=Policy.ORACLE), drain=False) if possible is None else None
    best = _within(oracle, scenario) if oracle else possible
    return Row(
        scenario.name,
        scenario.workers,
        scenario.keys,
        scenario.load,
        scenario.policy,
        _within(tally, scenario) / max(1, best or 0),
        tally.waste(scenario.warm_up),
        tally.queueing(0.99),
        oracle.queueing(0.99) if oracle else 0.0,
        tally.writes / max(1, tally.published),
        tally.trips / max(1, tally.published),
        tally.published,
        len(tally.served),
        tally.expired,
        tally.dead_letters,
    )


def _within(tally: Tally, scenario: Scenario) -> int:
    return tally.successes(scenario.warm_up, scenario.duration)


def remaining(scenario: Scenario) -> int:
    """What the keys that are left allow, or what is asked of them, between warm-up and end."""
    start, end = scenario.warm_up, scenario.duration
    gone = [(scenario.rejected, scenario.rejected_at), (scenario.exhausted, scenario.exhausted_at)]
    lost = sum(count * scenario.rate * max(0.0, end - max(start, at)) for count, at in gone if count)
    return int(min(scenario.load, 1.0) * scenario.capacity * (end - start) - min(scenario.load, 1.0) * lost)
