"""How the simulated providers behave: a latency, a share of random faults, and outages."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from mediarelay.vocabulary.outcome import Outcome

DAY_SECONDS = 86_400.0
FAULT_SECONDS = 0.03


@dataclass(frozen=True)
class Behaviour:
    """One provider.

    Attributes:
        seconds: Median latency at a moment (seconds since the start).
        noise: Share of calls that fail at random.
        outages: Spans (from, to) in ascending order, in seconds since the start, in which every call fails at once.
        spread: Sigma of the latency's logarithm.
    """

    seconds: Callable[[float], float]
    noise: float = 0.0
    outages: Sequence[tuple[float, float]] = field(default_factory=tuple)
    spread: float = 0.3

    def call(self, moment: float, rng: Random) -> tuple[Outcome, float]:
        """What a call that starts now comes to, and after how many seconds."""
        if self._is_out(moment) or rng.random() < self.noise:
            return Outcome.PROVIDER_FAULT, FAULT_SECONDS
        return Outcome.DELIVERED, self.seconds(moment) * math.exp(rng.gauss(0, self.spread))

    def _is_out(self, moment: float) -> bool:
        begun = bisect_right(self.outages, moment, key=lambda outage: outage[0])
        return begun > 0 and moment < self.outages[begun - 1][1]


def steady(seconds: float) -> Callable[[float], float]:
    """Always the same median."""
    return lambda _: seconds


def swelling(quiet: float, busy: float) -> Callable[[float], float]:
    """A median that swells from quiet to busy and back, once a day."""
    return lambda moment: quiet + (busy - quiet) * (1 - math.cos(2 * math.pi * moment / DAY_SECONDS)) / 2
