"""Attempts counted: ten-second buckets that merge into a window, whatever order they were filled in.

Everything in a tally is a sum, a maximum or a bounded set of the newest, so that merging is commutative and
associative: the five-minute record equals the one computed from the plain list of attempts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mediarelay.metrics.counted_runs import AppliedRuns
from mediarelay.metrics.latency_sketch import LatencySketch
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Outcome

BUCKET_SECONDS: Final = 10
WINDOW_SECONDS: Final = 300
# How many of the newest faults and successes are remembered by their start: the longest run a judgement asks about.
NEWEST_KEPT: Final = 8

CALL: Final = "call"  # the phase of a provider that answers at once; long jobs have submit, poll and completion

SUCCESSES: Final = frozenset({Outcome.DELIVERED, Outcome.ACCEPTED})


class Attempt(NamedTuple):
    """One call, as health sees it. Moments in unix milliseconds."""

    outcome: Outcome
    started_at: int
    latency_ms: int
    phase: str = CALL
    code: str | None = None
    status: int | None = None

    @property
    def ended_at(self) -> int:
        """When it counts: a video that failed now says something about now, not about ten minutes ago."""
        return self.started_at + self.latency_ms


@frozen
class LastError:
    """The newest failure that counts against the provider.

    Attributes:
        at: When it ended, unix milliseconds.
        outcome: One of the closed vocabulary.
        code: The vendor's or our own marker.
        status: HTTP status; None when no answer came.
    """

    at: int
    outcome: str
    code: str | None
    status: int | None


@dataclass(slots=True)
class Tally:
    """Counts of one phase.

    Attributes:
        counts: Attempts by outcome.
        latency_ms: Sum over the successes.
        sketch: Latencies of the successes.
        faults: Starts of the newest provider faults, ascending, at most NEWEST_KEPT.
        successes: Starts of the newest successes, likewise.
        last_error: The newest provider fault.
    """

    counts: Counter[Outcome] = field(default_factory=Counter)
    latency_ms: int = 0
    sketch: LatencySketch = field(default_factory=LatencySketch)
    faults: list[int] = field(default_factory=list)
    successes: list[int] = field(default_factory=list)
    last_error: LastError | None = None

    def add(self, attempt: Attempt) -> None:
        """Count one attempt."""
        outcome = attempt.outcome
        self.counts[outcome] += 1
        if outcome in SUCCESSES:
            self.latency_ms += attempt.latency_ms
            self.sketch.add(attempt.latency_ms)
            _keep(self.successes, attempt.started_at)
        elif outcome in PROVIDER_FAULTS:
            _keep(self.faults, attempt.started_at)
            self._note(LastError(attempt.ended_at, outcome.value, attempt.code, attempt.status))

    def merge(self, other: Tally) -> None:
        """Count all of another's attempts too."""
        self.counts.update(other.counts)
        self.latency_ms += other.latency_ms
        self.sketch.merge(other.sketch)
        self.faults = sorted([*self.faults, *other.faults])[-NEWEST_KEPT:]
        self.successes = sorted([*self.successes, *other.successes])[-NEWEST_KEPT:]
        if other.last_error is not None:
            self._note(other.last_error)

    def _note(self, error: LastError) -> None:
        if self.last_error is None or _order(error) > _order(self.last_error):
            self.last_error = error

    @property
    def succeeded(self) -> int:
        """How many delivered or were accepted."""
        return sum(self.counts[outcome] for outcome in SUCCESSES)

    @property
    def faulted(self) -> int:
        """How many count against the provider."""
        return sum(self.counts[outcome] for outcome in PROVIDER_FAULTS)

    @property
    def samples(self) -> int:
        """How many the success rate is of: faults of caller, key or account say nothing about the provider."""
        return self.succeeded + self.faulted

    @property
    def throttled(self) -> int:
        """429s: counted, never held against the provider."""
        return self.counts[Outcome.THROTTLED]

    @property
    def success_rate(self) -> float | None:
        """Between 0 and 1; None without samples."""
        return self.succeeded / self.samples if self.samples else None

    @property
    def mean_ms(self) -> float | None:
        """Mean latency of the successes; None without any."""
        return self.latency_ms / self.succeeded if self.succeeded else None

    @property
    def fault_run(self) -> int:
        """Provider faults that started after the newest success, as far as is remembered."""
        newest = self.successes[-1] if self.successes else 0
        return sum(start > newest for start in self.faults)

    def successes_since(self, moment: int) -> int:
        """Return the successes that started then or later and after the newest fault, as far as is remembered."""
        newest = self.faults[-1] if self.faults else 0
        return sum(start >= moment and start > newest for start in self.successes)


@dataclass(slots=True)
class Bucket:
    """Ten seconds of one provider: tallies by phase, and the records they were made of."""

    start: int
    phases: dict[str, Tally] = field(default_factory=dict)
    applied: AppliedRuns = field(default_factory=AppliedRuns)

    def add(self, attempt: Attempt) -> None:
        """Count one attempt, whose bucket this must be."""
        tally = self.phases.get(attempt.phase)
        if tally is None:
            tally = self.phases[attempt.phase] = Tally()
        tally.add(attempt)


def bucket_start(moment_ms: int) -> int:
    """Return the start (unix seconds) of the bucket of a moment."""
    seconds = moment_ms // 1000
    return seconds - seconds % BUCKET_SECONDS


def merged(buckets: Iterable[Bucket]) -> Mapping[str, Tally]:
    """Merge their tallies, by phase."""
    window: dict[str, Tally] = {}
    for bucket in buckets:
        for phase, tally in bucket.phases.items():
            window.setdefault(phase, Tally()).merge(tally)
    return window


def _keep(newest: list[int], start: int) -> None:
    """Insert into an ascending list of at most NEWEST_KEPT."""
    if len(newest) == NEWEST_KEPT:
        if start <= newest[0]:
            return
        del newest[0]
    newest.append(start)
    if len(newest) > 1 and newest[-2] > start:
        newest.sort()


def _order(error: LastError) -> tuple[int, str, str, int]:
    """Return a sort key that settles ties in time the same way in any order."""
    return error.at, error.outcome, error.code or "", error.status or 0
