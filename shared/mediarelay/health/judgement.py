"""Is a provider well? From the tallies of a window to a status, with its reasons.

Theory of operation
- `assess` is memoryless: it compares one phase's tally with the thresholds and gives a raw verdict.
  A rate is believed to be below a threshold only when the upper end of its Wilson interval is: of few samples that
  takes a bad rate, of thousands the threshold itself decides. So one fault in ten is noise and a hundred in a thousand
  are not, with one rule.
- What counts are requests, not calls: a job's further faults are no news, and a request that fails at two providers
  says nothing of either. So no text can make a verdict by itself: a run takes three requests, and so does a rate.
- A run of faults may be a verdict of its own: three in a row of a provider that never fails, five of any. What lies
  between is decided by how unlikely the run is, given the provider's own fault rate and how often it is called. Where
  nobody serves anything, each request fails everywhere: eight such in a row tell after all.
- Slow is not down: latency makes `degraded` at most, and only where half of the calls are slow as well as their mean.
- A model that fails while others of its provider deliver is told as that model's trouble, and the provider stays up.
- `Health.next` adds memory: hysteresis both ways, the worst of the phases, and the circuit, which alone ends `down`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from mediarelay.health.circuit.record import CLOSED, Circuit
from mediarelay.health.thresholds import Thresholds
from mediarelay.metrics.tally import NEWEST_KEPT, Tally
from mediarelay.vocabulary.frozen import frozen

# The chance we accept that a run of random faults is taken for an outage, per window of five minutes.
ACCEPTED_CHANCE: Final = 1e-5
PRIOR_CALLS: Final = 20


class Status(StrEnum):
    """The status of a provider, from best to worst; idle when the window is empty."""

    HEALTHY = "healthy"
    IDLE = "idle"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def severity(self) -> int:
        """0 for healthy and idle, higher is worse."""
        return _SEVERITY[self]

    @property
    def troubled(self) -> bool:
        """Whether people should know."""
        return self.severity > 0


_SEVERITY: Final = {Status.HEALTHY: 0, Status.IDLE: 0, Status.DEGRADED: 1, Status.DOWN: 2}


class By(StrEnum):
    """What a verdict goes by."""

    RUN = "run"
    RATE = "rate"
    LATENCY = "latency"


@frozen
class Verdict:
    """A raw verdict and its reason; `model` is the only one it is about, if there is one."""

    status: Status
    reason: str
    by: By = By.RATE
    model: str | None = None


@frozen
class Health:
    """What is remembered of a provider between two judgements. Moments in unix seconds.

    Attributes:
        status: What is announced.
        since: When it began.
        reason: Why, for people.
        circuit: Whether traffic may reach it.
        heard_from: Only attempts that ended later count: those before the last outage say nothing about the recovery.
        pending: A status that the figures ask for and that has not held long enough yet.
        pending_since: Since when they do.
        model: The one model that the trouble is of; None when it is the provider's own.
    """

    status: Status = Status.IDLE
    since: float = 0.0
    reason: str = "no attempts yet"
    circuit: Circuit = CLOSED
    heard_from: float = 0.0
    pending: Status | None = None
    pending_since: float = 0.0
    model: str | None = None

    def next(self, window: Mapping[str, Tally], limits: Mapping[str, Thresholds], *, now: float) -> Health:
        """Judge again.

        Args:
            window: The merged tallies by phase, of what ended after `heard_from`.
            limits: Thresholds by phase; every phase of the window has some.
            now: Unix seconds.
        """
        if self.circuit.is_open:
            return self._while_open(window, now)
        verdict = worst(window, limits, self.status)
        if verdict.status is Status.DOWN:
            return self._opened(verdict, now)
        return self._settled(verdict, limits, now)

    def _while_open(self, window: Mapping[str, Tally], now: float) -> Health:
        """Judge while the circuit is open: down stays down until trials have succeeded."""
        circuit = self.circuit
        newest_fault = max((tally.newest_fault for tally in window.values()), default=0) / 1000
        if newest_fault >= circuit.until:
            return replace(self, circuit=circuit.reopened(newest_fault, now), reason="a trial failed")
        if circuit.proven(window.values()):
            return self.recovered(now, "trials succeeded")
        return self

    def recovered(self, now: float, reason: str, status: Status = Status.HEALTHY) -> Health:
        """Start afresh: trials, or a probe of a provider without traffic, succeeded."""
        return Health(status, now, reason, self.circuit.closed(now), heard_from=now)

    def _opened(self, verdict: Verdict, now: float) -> Health:
        since = self.since if self.status is Status.DOWN else now
        return replace(
            self,
            status=Status.DOWN,
            since=since,
            reason=verdict.reason,
            circuit=self.circuit.opened(now),
            pending=None,
            model=None,
        )

    def _settled(self, verdict: Verdict, limits: Mapping[str, Thresholds], now: float) -> Health:
        """Apply hysteresis: a change of status must hold for a while, except into and out of idle."""
        if verdict.status is self.status:
            return replace(self, pending=None, reason=verdict.reason, model=verdict.model)
        if Status.IDLE in (verdict.status, self.status) and not verdict.status.troubled:
            return replace(self, status=verdict.status, since=now, reason=verdict.reason, pending=None)
        if verdict.status is not self.pending:
            return replace(self, pending=verdict.status, pending_since=now)
        worse = verdict.status.severity > self.status.severity
        wait = max((t.settle_seconds if worse else t.recover_seconds for t in limits.values()), default=0.0)
        if now - self.pending_since < wait:
            return self
        return replace(self, status=verdict.status, since=now, reason=verdict.reason, pending=None, model=verdict.model)


def worst(window: Mapping[str, Tally], limits: Mapping[str, Thresholds], current: Status) -> Verdict:
    """Return the worst verdict of the phases; idle when there is nothing to judge."""
    verdicts = [
        replace(verdict, reason=f"{phase}: {verdict.reason}" if len(window) > 1 else verdict.reason)
        for phase, tally in sorted(window.items())
        if (verdict := assess(tally, limits[phase], current)) is not None
    ]
    if not verdicts:
        return Verdict(Status.IDLE, "no attempts in the window")
    return max(verdicts, key=lambda verdict: verdict.status.severity)


def assess(tally: Tally, limits: Thresholds, current: Status) -> Verdict | None:
    """Judge one phase's figures; None when there are none. *current* is the status that hysteresis starts from."""
    verdict = _assessed(tally, limits, current)
    if verdict is None or not verdict.status.troubled or verdict.by is By.LATENCY:
        return verdict
    for model in filter(None, tally.models):
        others = tally.without(model)
        without = _assessed(others, limits, current)
        # A run of several models' faults is no one's own, however well the others did before.
        alone = not (verdict.by is By.RUN and others.fault_run)
        if others.succeeded and alone and without is not None and without.status.severity < verdict.status.severity:
            whose = None if without.status.troubled else model
            return Verdict(Status.DEGRADED, f"model {model}: {verdict.reason}", model=whose)
    return verdict


def _assessed(tally: Tally, limits: Thresholds, current: Status) -> Verdict | None:
    """Judge figures whosever models they are of."""
    if tally.lost_run >= NEWEST_KEPT:
        return Verdict(Status.DOWN, f"{tally.lost_run} requests in a row failed here, and most elsewhere", By.RUN)
    if not tally.samples:
        return None
    run = tally.fault_run
    if run >= telling_run(tally, limits):
        return Verdict(Status.DOWN, f"{run} faults in a row", By.RUN)
    if tally.samples < limits.minimum_samples:
        kept = current if current is Status.DEGRADED else Status.HEALTHY
        return Verdict(kept, f"{tally.samples} samples are too few to judge by")
    return _by_figures(tally, limits, current)


def _by_figures(tally: Tally, limits: Thresholds, current: Status) -> Verdict:
    rate, mean = tally.success_rate or 0.0, (tally.mean_ms or 0.0) / 1000
    figures = f"{rate:.1%} of {tally.samples} succeeded, mean {mean:.2f} s"
    # What a few requests have met over and over is their own trouble.
    believed = len(tally.telling) >= min(limits.shortest_run, NEWEST_KEPT)
    if believed and _below(rate, limits.degraded_rate, tally.samples, limits):
        return Verdict(Status.DOWN, f"{figures}; below {limits.degraded_rate:.0%}")
    slack = limits.margin if current is Status.DEGRADED else 0.0
    poor = _below(rate, limits.healthy_rate, tally.samples, limits) or (slack and rate < limits.healthy_rate)
    if believed and poor:
        return Verdict(Status.DEGRADED, f"{figures}; below {limits.healthy_rate:.0%}")
    if tally.succeeded and _slow(tally, limits.healthy_seconds * (1 - slack)):
        return Verdict(Status.DEGRADED, f"{figures}; slower than {limits.healthy_seconds:g} s", By.LATENCY)
    return Verdict(Status.HEALTHY, figures)


def _slow(tally: Tally, seconds: float) -> bool:
    """Tell whether its calls take as long as that: on average, and at least half of them.

    Where a few of a hundred calls take a minute by nature, the mean says how long those took, and not that anything is
    amiss.
    """
    if (tally.mean_ms or 0.0) < 1000 * seconds:
        return False
    return (tally.sketch.quantile(0.5) or 0.0) >= 1000 * seconds


def telling_run(tally: Tally, limits: Thresholds) -> int:
    """Return how many requests that fail in a row are an outage and no accident.

    The run that random faults would reach with less than ACCEPTED_CHANCE in a window, given how often the provider was
    called and its fault rate outside of the run. With few calls, PRIOR_CALLS good ones are assumed.
    """
    others = tally.samples - tally.fault_run
    rate = (tally.faulted - tally.fault_run + 0.5) / (others + PRIOR_CALLS)
    needed = math.ceil(math.log(ACCEPTED_CHANCE / max(1, others)) / math.log(min(rate, 0.99)))
    return min(max(needed, limits.shortest_run), limits.longest_run)


def _below(rate: float, threshold: float, samples: int, limits: Thresholds) -> bool:
    return wilson_upper(rate, samples, limits.certainty) < threshold


def wilson_upper(rate: float, samples: int, z: float) -> float:
    """Return the upper end of the Wilson score interval of a proportion."""
    spread = z * z / samples
    centre = rate + spread / 2
    half = z * math.sqrt(rate * (1 - rate) / samples + spread / (4 * samples))
    return (centre + half) / (1 + spread)
