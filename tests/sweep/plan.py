"""The runs of the sweep: each scenario, each call of an undisturbed run, each way to fail. And how one is played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random

from tests.sweep.faults import ONE_CALL, OUTAGES, Kind, RunId
from tests.sweep.invariants import broken
from tests.sweep.scenarios import SCENARIOS
from tests.sweep.stage import Stage

# A sample is drawn by this.
SEED = 17


def play(run: RunId) -> Stage:
    """Make the run, from its first message until nothing is left to happen."""
    scenario = SCENARIOS[run.scenario]
    stage = scenario.stage(run)
    stage.play(scenario.publish(run.dice()))
    return stage


@cache
def points(name: str) -> Sequence[tuple[str, int]]:
    """Every call of the scenario when nothing fails: its service, and which call to that it is."""
    undisturbed = play(RunId(name))
    wrong = broken(undisturbed)
    if wrong:
        raise AssertionError(f"{name} is wrong by itself: {wrong}")
    return [(service, call) for service, calls in undisturbed.faults.calls.items() for call in range(1, calls + 1)]


def runs(name: str) -> Iterator[RunId]:
    """Every run of a scenario."""
    for seed in range(SCENARIOS[name].seeds):
        for service, call in points(name):
            yield from (RunId(name, service, call, kind, "", seed) for kind in ONE_CALL)
            yield from (RunId(name, service, call, Kind.OUTAGE, away, seed) for away in OUTAGES)


def whole() -> Sequence[RunId]:
    """Every run there is."""
    return [run for name in SCENARIOS for run in runs(name)]


@cache
def sample(size: int) -> Sequence[RunId]:
    """So many of them, always the same."""
    return sorted(Random(SEED).sample(whole(), size))


def failed(chosen: Sequence[RunId]) -> dict[str, list[str]]:
    """Play the runs. Returns those after which something does not hold."""
    found = {str(run): broken(play(run)) for run in chosen}
    return {run: wrong for run, wrong in found.items() if wrong}
