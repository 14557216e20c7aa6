"""The scenarios that are measured, and what each came to: runs of `tools.simulation` and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from tools.simulation.report import quantile, report_of
from tools.simulation.scenario import Scenario
from tools.simulation.world import Run

RATE: Final = 10.0
# A vendor's bucket holds what two seconds bring, as the simulator's accounts do unless told otherwise.
BURST: Final = 20
FEW: Final = 5
WORKERS: Final = (1, 4, 16, 64, 256, 1000)
# Seconds published, by load; measured is the second half.
DURATIONS: Final = {0.5: 20.0, 0.8: 20.0, 0.9: 30.0, 1.2: 50.0, 2.0: 40.0, 10.0: 12.0}
WITHOUT_LEASES: Final = ((4, 64), (0.8, 0.9, 1.2, 2.0))
# Of the larger pools a sample: (workers, load, seconds). Fewer workers could not use them up.
FIFTY: Final = ((16, 0.8, 6.0), (1000, 0.9, 6.0), (64, 1.2, 20.0), (256, 2.0, 12.0))
FIVE_HUNDRED: Final = ((64, 0.5, 2.0), (1000, 0.8, 2.0))
# Overloaded they are too many messages: one a second for each key, and two seconds' worth again.
SLOW_RATE, SLOW_BURST = 1.0, 2
FIVE_HUNDRED_OVERLOADED: Final = ((256, 2.0, 12.0),)
SEEDS: Final = (1, 2, 3)
NOTHING_DECLARED: Final = {"rpm": None, "burst": None}
DRAINED: Final = 900.0


@dataclass(frozen=True)
class Case:
    """One scenario of a table. `load` is in parts of what the vendor allows; messages come ten at a time."""

    table: str
    name: str
    workers: int
    keys: int
    load: float
    scenario: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One run beside its oracle. `goodput` is of what was possible; p99s in seconds, from publishing to the end."""

    table: str
    name: str
    workers: int
    keys: int
    load: float
    goodput: float
    waste: float
    p99: float
    oracle_p99: float
    writes: float
    trips: float
    published: int
    lost: int

    def facts(self) -> dict[str, Any]:
        """As JSON, rounded for people."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def cases() -> Iterator[Case]:
    """All of them, the longest first."""
    for workers, load, seconds in FIFTY:
        yield _case("declared", workers, 50, load, seconds)
    for workers, load, seconds in FIVE_HUNDRED:
        yield _case("declared", workers, 500, load, seconds)
    for workers, load, seconds in FIVE_HUNDRED_OVERLOADED:
        yield _case("declared", workers, 500, load, seconds, rate=SLOW_RATE, burst=SLOW_BURST)
    for workers, load in itertools.product(WORKERS, DURATIONS):
        yield _case("declared", workers, FEW, load, DURATIONS[load])
    for workers, load in itertools.product(*WITHOUT_LEASES):
        yield _case("without leases", workers, FEW, load, DURATIONS[load], shared_limits=False)
    for (workers, load), seed in itertools.product(((4, 0.9), (4, 1.2), (16, 2.0)), SEEDS):
        yield _learned("undeclared", f"undeclared, seed {seed}", workers, load, measure_from=60.0, seed=seed)
    for factor, seed in itertools.product((0.5, 2.0), SEEDS):
        change = {"at": 60.0, "vendor": "openai", "set": {"rate": RATE * factor}}
        name = f"changed x{factor}, seed {seed}"
        yield _learned("changed", name, 4, 2.5 * factor, measure_from=80.0, seed=seed, changes=[change])
    for name, workers, load, fields in _troubles():
        yield _case("chaos", workers, FEW, load, 40.0, name=name, measure_from=10.0, **fields)


def _troubles() -> Iterator[tuple[str, int, float, dict[str, Any]]]:
    """Deaths, a table that is away, keys that are refused, an account without quota, clocks that are wrong."""
    away = [{"store": "telemetry", "from": 12.0, "to": 28.0}]
    yield "table away 16 s", 4, 0.9, {"outages": away}
    yield "table away 16 s", 16, 2.0, {"outages": away}
    rejected = [{"at": 15.0, "vendor": "openai", "reject_account": number} for number in (0, 1)]
    yield "two of five keys rejected", 16, 1.2, {"changes": rejected}
    exhausted = [{"at": 15.0, "vendor": "openai", "exhaust_account": 0}]
    yield "an account out of quota", 16, 1.2, {"changes": exhausted}
    yield "clocks wrong by 2 s", 16, 0.9, {"clock_offsets": [2.0, -2.0, 0.0, 1.0]}
    yield "clocks wrong by 2 s", 64, 2.0, {"clock_offsets": [2.0, -2.0, 0.0, 1.0]}


def _case(
    table: str,
    workers: int,
    keys: int,
    load: float,
    seconds: float,
    *,
    name: str = "",
    rate: float = RATE,
    burst: int = BURST,
    account: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Case:
    truth = {"rate": rate, "burst": burst}
    declared = {"repeat": keys, "rpm": rate * 60.0, "burst": burst, **(account or {})}
    scenario = {
        "seconds": seconds,
        "measure_from": seconds / 2,
        "drain_seconds": DRAINED if load <= 1.2 else 0.0,  # noqa: PLR2004 # the rest outlasts the run
        "workers": workers,
        "pools": {"openai": {"accounts": [declared], "vendor": truth}},
        "arrivals": [{"rate": load * keys * rate, "size": 10}],
        **fields,
    }
    return Case(table, name or table, workers, keys, load, scenario)


def _learned(table: str, name: str, workers: int, load: float, **fields: Any) -> Case:
    """Limits to be learned, without a wait header; what is learned depends on chance, so each is run from three."""
    case = _case(table, workers, FEW, load, 100.0, name=name, account=NOTHING_DECLARED, **fields)
    pool = case.scenario["pools"]["openai"]
    silent = {**pool, "vendor": {**pool["vendor"], "wait": "none"}}
    return Case(table, name, workers, FEW, load, {**case.scenario, "pools": {"openai": silent}, "drain_seconds": 0.0})


def row(case: Case) -> Row:
    """Run it."""
    run = Run(Scenario.model_validate(case.scenario))
    run.run()
    report = report_of(run)
    return Row(
        case.table,
        case.name,
        case.workers,
        case.keys,
        case.load,
        report["goodput"],
        report["waste"],
        report["p99"],
        report["oracle_p99"],
        report["write_units"],
        report["requeues"],
        report["published"],
        report["failed"] + report["dead_letters"] + (report["unserved"] if run.scenario.drain_seconds else 0),
    )


def small_tenant(*, flood: bool) -> float:
    """Return the p95, in seconds, of a small tenant alone, or beside one that asks for twice what the keys allow."""
    arrivals = [{"rate": 1.0, "tenant": "small"}]
    if flood:
        arrivals.append({"rate": 2.0 * FEW * RATE, "tenant": "flood"})
    case = _case("fairness", 64, FEW, 2.02, 60.0, arrivals=arrivals)
    run = Run(Scenario.model_validate({**case.scenario, "drain_seconds": 60.0}))
    run.run()
    start, settled = run.scenario.seconds / 4, run.book.settled
    mine = [each for each in run.requests if each.tenant == "small" and each.at >= start]
    return quantile(sorted(settled[each.key][0] - each.at if each.key in settled else DRAINED for each in mine), 0.95)
