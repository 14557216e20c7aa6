"""When to poll: transitions and added waiting of a learned schedule, beside a fixed interval, in virtual time.

Exact and repeatable: the shipped schedule over the simulator's own distributions of job durations, two thousand jobs in
a row, each of which teaches the next. Nothing sleeps.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from mediarelay.long_jobs.polling.completion import probable, remembered
from mediarelay.long_jobs.polling.schedule import GROWTH, AskAgain, PollProgress, first_wait, while_running
from mediarelay.providers.catalogue import models
from tools.bench.result import Measurement
from tools.simulator.state.durations import KLING_VIDEO, STABLE_AUDIO
from tools.simulator.state.latency import Lognormal

JOBS = 2000
DEADLINE_SECONDS = 4 * 3600.0
TRANSITIONS_PER_POLL = 3  # wait, poll, decide
TRANSITIONS_BESIDE = 5  # submit, its decision, settle, its decision, done
MOST_POLLS = 4
MOST_ADDED = 0.15
MORE_TRANSITIONS = 1.1  # than a fixed interval, which asks as often and waits longer

_SOUND = "fal-ai/stable-audio-25/text-to-audio"
# How long jobs take, what the catalogue says of it, and how often a client of that vendor usually asks, in seconds.
_WORK = {
    "kling": (KLING_VIDEO, models("kling-video")["kling-v2-6"].typical_seconds, 10.0),
    "stable-audio": (STABLE_AUDIO, models("fal-stable-audio")[_SOUND].typical_seconds, 5.0),
}

Schedule = Callable[[float, Sequence[float]], list[float]]


@dataclass(frozen=True)
class Found:
    """What one job cost: polls, and seconds from its end to the poll that saw it."""

    seconds: float
    polls: int
    added: float


def measure() -> Iterator[Measurement]:
    """Polls of the median job, the share of added waiting, and the transitions of a job; for each vendor."""
    for name, (distribution, typical, pause) in _WORK.items():
        ours = _run(distribution, partial(_learned, typical=typical))
        fixed = _run(distribution, partial(_fixed, pause=pause))
        yield Measurement(
            name=f"poll-schedule-{name}-polls",
            value=statistics.median(job.polls for job in ours),
            unit="polls of the median job",
            reference="the most we allow ourselves",
            reference_value=MOST_POLLS,
            bar=1.0,
        )
        yield Measurement(
            name=f"poll-schedule-{name}-added-waiting",
            value=sum(job.added for job in ours) / sum(job.seconds for job in ours),
            unit="of the jobs' own time",
            reference="the most we allow ourselves",
            reference_value=MOST_ADDED,
            bar=1.0,
        )
        yield Measurement(
            name=f"poll-schedule-{name}-transitions",
            value=transitions_of(name),
            unit="transitions a job",
            reference=f"asking every {pause:.0f} s",
            reference_value=statistics.mean(_transitions(job) for job in fixed),
            bar=MORE_TRANSITIONS,
        )


def transitions_of(name: str) -> float:
    """Returns how many transitions a job of the vendor takes on average, as it is polled by what was learned."""
    distribution, typical, _ = _WORK[name]
    return statistics.mean(_transitions(job) for job in _run(distribution, partial(_learned, typical=typical)))


def _run(distribution: Lognormal, schedule: Schedule) -> list[Found]:
    dice = Random(7)  # noqa: S311 # repeatable runs, not secrets
    known: tuple[float, ...] = ()
    found: list[Found] = []
    for _ in range(JOBS):
        seconds = distribution.draw(dice)
        moments = schedule(seconds, known)
        found.append(Found(seconds, len(moments), moments[-1] - seconds))
        took = probable(moments[-1], growth=GROWTH, first=len(moments) == 1)
        known = remembered(known, took)
    return found


def _learned(seconds: float, known: Sequence[float], *, typical: float) -> list[float]:
    """The moments of the polls of a job of that length, from its acceptance."""
    moments = [float(first_wait(known, typical))]
    while moments[-1] < seconds:
        decision = while_running(PollProgress(accepted_at=0.0, expires_at=DEADLINE_SECONDS), now=moments[-1])
        if not isinstance(decision, AskAgain):
            raise TypeError(f"{decision} for a job that is at work")
        moments.append(moments[-1] + decision.seconds)
    return moments


def _fixed(seconds: float, _known: Sequence[float], *, pause: float) -> list[float]:
    return [pause * number for number in range(1, math.ceil(seconds / pause) + 1)]


def _transitions(job: Found) -> int:
    return TRANSITIONS_PER_POLL * job.polls + TRANSITIONS_BESIDE
