"""The scenarios that are measured, and what each came to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from tools.bench.fleet.run import run
from tools.bench.fleet.scenario import Change, Policy, Scenario, Tally

# A vendor's bucket holds what two seconds bring, as the simulator's accounts do unless told otherwise.
BURST: Final = 20
WORKERS: Final = (1, 4, 16, 64, 256, 1000)
# Seconds published, by load; measured is the second half. A slow overload takes some twenty to become a queue, which
# once costs a fleet half a second's calls: those that used to wait in a worker come round by SQS, late by its rounding.
DURATIONS: Final = {0.5: 30.0, 0.8: 30.0, 0.9: 30.0, 1.2: 60.0, 2.0: 50.0, 10.0: 26.0}
LOADS: Final = tuple(DURATIONS)
SEEDS: Final = (1, 2, 3)
# Of the larger pools a sample, corners included: (workers, load, seconds). Fewer workers could not use them up, and
# how fast a worker is would be measured instead.
FIFTY: Final = ((4, 0.5, 8.0), (16, 0.8, 8.0), (64, 0.9, 8.0), (256, 0.8, 8.0), (1000, 0.5, 8.0), (1000, 0.8, 8.0))
FIFTY_OVERLOADED: Final = ((16, 2.0, 30.0), (64, 1.2, 60.0), (256, 2.0, 30.0), (1000, 1.2, 60.0), (1000, 10.0, 20.0))
FIVE_HUNDRED: Final = ((64, 0.5, 4.0), (64, 0.8, 3.0), (1000, 0.5, 4.0), (1000, 0.8, 4.0), (1000, 0.9, 4.0))
# Overloaded they are too many messages: one a second for each key, and two seconds' worth again.
SLOW_RATE, SLOW_BURST = 1.0, 2
FIVE_HUNDRED_OVERLOADED: Final = ((256, 2.0, 30.0), (1000, 2.0, 30.0), (1000, 10.0, 8.0))


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
    excess: float

    def facts(self) -> dict[str, Any]:
        """As JSON, rounded for people."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def declared() -> Iterator[Scenario]:
    """Five keys with every number of workers at every load; a sample with fifty and with five hundred."""
    for workers, load in itertools.product(WORKERS, LOADS):
        yield _declared(workers, 5, load, DURATIONS[load])
    for workers, load, duration in (*FIFTY, *FIFTY_OVERLOADED):
        yield _declared(workers, 50, load, duration)
    for workers, load, duration in FIVE_HUNDRED:
        yield _declared(workers, 500, load, duration)
    for workers, load, duration in FIVE_HUNDRED_OVERLOADED:
        yield replace(_declared(workers, 500, load, duration), rate=SLOW_RATE, burst=SLOW_BURST)


def _declared(workers: int, keys: int, load: float, duration: float) -> Scenario:
    return Scenario("declared", workers, keys, load, burst=BURST, duration=duration, warm_up=duration / 2)


def without_leases() -> Iterator[Scenario]:
    """Five keys once more, with the flag off."""
    for workers, load in itertools.product(WORKERS, LOADS):
        yield replace(_declared(workers, 5, load, DURATIONS[load]), policy=Policy.OFF)


def undeclared() -> Iterator[Scenario]:
    """Limits to be learned, without a wait header; what is learned depends on chance, so each is run from three."""
    for (workers, load), seed in itertools.product(((4, 0.9), (4, 1.2), (4, 2.0), (16, 2.0)), SEEDS):
        yield _unknown(f"undeclared, seed {seed}", workers, load, warm_up=60.0, seed=seed)


def changed() -> Iterator[Scenario]:
    """A limit that is halved or doubled in mid-run; measured from twenty seconds later on."""
    for factor, seed in itertools.product((0.5, 2.0), SEEDS):
        change = Change(100.0, factor)
        yield _unknown(f"changed x{factor}, seed {seed}", 4, 2.5, warm_up=120.0, seed=seed, change=change)


def _unknown(name: str, workers: int, load: float, **fields: Any) -> Scenario:
    return Scenario(name, workers, 5, load, burst=BURST, duration=160.0, declared=False, retry_after=False, **fields)


def chaos() -> Iterator[Scenario]:
    """Deaths, a table that is away, keys that are refused, an account without quota, clocks that are wrong."""
    for name, workers, load, fields in (
        ("workers die", 16, 0.9, {"deaths": 0.02}),
        ("workers die", 64, 2.0, {"deaths": 0.02}),
        ("table away 30 s", 4, 0.9, {"store_down": (15.0, 45.0)}),
        ("table away 30 s", 16, 2.0, {"store_down": (15.0, 45.0)}),
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
        tally.excess,
    )


def _within(tally: Tally, scenario: Scenario) -> int:
    return tally.successes(scenario.warm_up, scenario.duration)


def remaining(scenario: Scenario) -> int:
    """What the keys that are left allow, or what is asked of them, between warm-up and end."""
    start, end = scenario.warm_up, scenario.duration
    gone = [(scenario.rejected, scenario.rejected_at), (scenario.exhausted, scenario.exhausted_at)]
    lost = sum(count * scenario.rate * max(0.0, end - max(start, at)) for count, at in gone if count)
    return int(min(scenario.load, 1.0) * scenario.capacity * (end - start) - min(scenario.load, 1.0) * lost)
