"""What a run came to, beside what the oracle could have served."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from mediarelay.vocabulary.kinds import JobStatus, Kind
from tools.simulation.oracle import Oracle
from tools.simulation.scenario import Scenario
from tools.simulation.world import Run

IN_THREADS: Final = frozenset({Kind.TTS, Kind.IMAGE})
ENOUGH: Final = 1_000_000
OBJECTS_BETWEEN_COLLECTIONS: Final = 100_000


def simulate(scenario: Scenario) -> dict[str, Any]:
    """Run a scenario, and return what is printed of it."""
    began = time.perf_counter()
    run = Run(scenario)
    with _seldom_collected():
        run.run()
        report = report_of(run)
    return {**report, "seconds_run": round(time.perf_counter() - began, 3)}


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Have Python look for garbage seldom: a run makes many objects that stay, and hardly any cycles."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def report_of(run: Run) -> dict[str, Any]:
    """Return what a run that is over came to, beside the oracle's of the same requests."""
    scenario, book = run.scenario, run.book
    # Nobody waits in a thread for a clip.
    threads = scenario.workers * run.function.threads if scenario.kind in IN_THREADS else ENOUGH
    possible = Oracle(scenario, threads).run(run.requests)
    start, end = scenario.measure_from, scenario.seconds
    ends = {request: book.settled[request.key] for request in run.requests if request.key in book.settled}
    served = {request: at for request, (at, status) in ends.items() if status is JobStatus.SUCCEEDED}
    lengths = sorted(at - request.at for request, at in served.items())
    best = sorted(possible[request.number] - request.at for request in run.requests if request.number in possible)
    rates = [sum(start <= at < end for at in each.values()) / (end - start) for each in (served, possible)]
    calls = run.wire.calls
    measured = [call for call in calls if start <= call.at < end]
    published = max(1, book.published)
    states = [status for _, status in ends.values()]
    return {
        "name": scenario.name,
        "seed": scenario.seed,
        "possible": round(rates[1], 4),
        "served": round(rates[0], 4),
        "goodput": round(rates[0] / rates[1], 4) if rates[1] else 1.0,
        "waste": _part(sum(call.refused for call in measured), len(measured)),
        "waste_all": _part(sum(call.refused for call in calls), len(calls)),
        "published": book.published,
        "succeeded": len(served),
        "failed": states.count(JobStatus.FAILED) + states.count(JobStatus.REJECTED),
        "expired": states.count(JobStatus.EXPIRED),
        "unserved": book.published - len(ends),
        "dead_letters": len(run.memory.dlq),
        "p50": quantile(lengths, 0.5),
        "p99": quantile(lengths, 0.99),
        "oracle_p99": quantile(best, 0.99),
        "write_units": round(run.limits.writes / published, 4),
        "requeues": round(book.requeues / published, 4),
        "calls": len(calls),
        "purchases": run.wire.purchases,
        "slot_seconds_used": round(book.slot_seconds_used / book.slot_seconds, 4) if book.slot_seconds else 1.0,
        "alerts": book.alerts,
    }


def _part(some: int, of: int) -> float:
    return round(some / of, 5) if of else 0.0


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return the value below which that part of them lies; 0 where there is none."""
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 4) if ordered else 0.0
