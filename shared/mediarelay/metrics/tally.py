"""Attempts counted: ten-second buckets that merge into a window, whatever order they were filled in.

Everything in a tally is a sum, a maximum or a bounded set of the newest, so that merging is commutative and
associative: the five-minute record equals the one computed from the plain list of attempts.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from mediarelay.metrics.counted_runs import AppliedRuns
from mediarelay.metrics.latency_sketch import LatencySketch
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Outcome

BUCKET_SECONDS: Final = 10
WINDOW_SECONDS: Final = 300
# How many of the newest faults and successes are remembered by their start: the longest run a judgement asks about.
NEWEST_KEPT: Final = 8
FINGERPRINT_BYTES: Final = 4

CALL: Final = "call"  # the phase of a provider that answers at once; long jobs have submit, poll and completion

T = TypeVar("T", int, "FailedRequest")

SUCCESSES: Final = frozenset({Outcome.DELIVERED, Outcome.ACCEPTED})


_BEYOND_THE_REQUEST: Final = re.compile("[/#].*", re.DOTALL)


def cause_of(job_id: str) -> str:
    """Return the fingerprint of the request that a job was made for: a text's parts and a fan-out's jobs share it."""
    request = _BEYOND_THE_REQUEST.sub("", job_id)
    return hashlib.blake2s(request.encode(), digest_size=FINGERPRINT_BYTES).hexdigest()


class Attempt(NamedTuple):
    """One call, as health sees it. Moments in unix milliseconds.

    Attributes:
        cause: Fingerprint of the request; without one, each fault is a request's own.
        model: Which model was asked for; empty when that is not known.
        repeated: Whether the provider had failed the same job before.
        elsewhere: Other providers that had failed the same job before.
    """

    outcome: Outcome
    started_at: int
    latency_ms: int
    phase: str = CALL
    code: str | None = None
    status: int | None = None
    cause: str = ""
    model: str = ""
    repeated: bool = False
    elsewhere: tuple[str, ...] = ()

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


class FailedRequest(NamedTuple):
    """A request that the provider failed: when its newest such call started, unix milliseconds, and of which model."""

    start: int
    model: str = ""


class ModelCount(NamedTuple):
    """What counts of one model.

    Attributes:
        succeeded: How many delivered or were accepted.
        faulted: How many requests met a fault here first.
        newest: When its newest success started, unix milliseconds.
    """

    succeeded: int = 0
    faulted: int = 0
    newest: int = 0

    def plus(self, other: ModelCount) -> ModelCount:
        """Return both together."""
        return ModelCount(
            self.succeeded + other.succeeded, self.faulted + other.faulted, max(self.newest, other.newest)
        )


@dataclass(slots=True)
class Tally:
    """Counts of one phase.

    What counts against the provider are requests, not calls: a job's further faults here count nothing, and a request
    that other providers fail as well says nothing of any of them.

    Attributes:
        counts: Attempts by outcome.
        latency_ms: Sum over the successes.
        sketch: Latencies of the successes.
        faults: The newest requests that it failed, by fingerprint, at most NEWEST_KEPT.
        doubtful: The newest requests that other providers failed as well: starts by fingerprint, likewise.
        successes: Starts of the newest successes, ascending, likewise.
        models: What counts, by model.
        last_error: The newest provider fault.
    """

    counts: Counter[Outcome] = field(default_factory=Counter)
    latency_ms: int = 0
    sketch: LatencySketch = field(default_factory=LatencySketch)
    faults: dict[str, FailedRequest] = field(default_factory=dict)
    doubtful: dict[str, int] = field(default_factory=dict)
    successes: list[int] = field(default_factory=list)
    models: dict[str, ModelCount] = field(default_factory=dict)
    last_error: LastError | None = None

    def add(self, attempt: Attempt) -> None:
        """Count one attempt."""
        outcome = attempt.outcome
        self.counts[outcome] += 1
        if outcome in SUCCESSES:
            self.latency_ms += attempt.latency_ms
            self.sketch.add(attempt.latency_ms)
            _keep(self.successes, attempt.started_at)
            self._count(attempt.model, ModelCount(1, 0, attempt.started_at))
        elif outcome in PROVIDER_FAULTS:
            self._note(LastError(attempt.ended_at, outcome.value, attempt.code, attempt.status))
            cause = attempt.cause or f"@{attempt.started_at}"
            if attempt.elsewhere:
                self.doubt(cause, attempt.started_at)
            elif not attempt.repeated:
                _remember(self.faults, cause, FailedRequest(attempt.started_at, attempt.model))
                self._count(attempt.model, ModelCount(0, 1))

    def doubt(self, cause: str, start: int) -> None:
        """Note that another provider failed this request as well."""
        _remember(self.doubtful, cause, start)

    def merge(self, other: Tally) -> None:
        """Count all of another's attempts too."""
        self.counts.update(other.counts)
        self.latency_ms += other.latency_ms
        self.sketch.merge(other.sketch)
        for cause, fault in other.faults.items():
            _remember(self.faults, cause, fault)
        for cause, start in other.doubtful.items():
            _remember(self.doubtful, cause, start)
        self.successes = sorted([*self.successes, *other.successes])[-NEWEST_KEPT:]
        for model, count in other.models.items():
            self._count(model, count)
        if other.last_error is not None:
            self._note(other.last_error)

    def _note(self, error: LastError) -> None:
        if self.last_error is None or _order(error) > _order(self.last_error):
            self.last_error = error

    @property
    def succeeded(self) -> int:
        """How many delivered or were accepted."""
        return sum(self.counts[outcome] for outcome in SUCCESSES)

    def _count(self, model: str, count: ModelCount) -> None:
        self.models[model] = self.models.get(model, ModelCount()).plus(count)

    @property
    def telling(self) -> Mapping[str, FailedRequest]:
        """The newest requests that this provider alone failed."""
        return {cause: fault for cause, fault in self.faults.items() if cause not in self.doubtful}

    @property
    def faulted(self) -> int:
        """How many requests count against the provider."""
        excused = len(self.faults.keys() & self.doubtful.keys())
        return sum(count.faulted for count in self.models.values()) - excused

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
    def newest_fault(self) -> int:
        """When the newest call that tells against the provider started; 0 before the first."""
        return max((fault.start for fault in self.telling.values()), default=0)

    @property
    def fault_run(self) -> int:
        """Requests that it alone failed, in calls that started after the newest success, as far as is remembered."""
        return sum(fault.start > self._newest_success for fault in self.telling.values())

    @property
    def lost_run(self) -> int:
        """Requests since the newest success that it failed, others too or not, as far as is remembered."""
        starts = {cause: fault.start for cause, fault in self.faults.items()} | self.doubtful
        return sum(start > self._newest_success for start in starts.values())

    @property
    def _newest_success(self) -> int:
        return self.successes[-1] if self.successes else 0

    def successes_since(self, moment: int) -> int:
        """Return the successes that started then or later and after the newest fault, as far as is remembered."""
        newest = self.newest_fault
        return sum(start >= moment and start > newest for start in self.successes)

    def without(self, model: str) -> Tally:
        """Return what the other models' calls say about success; latencies are not kept by model."""
        models = {name: count for name, count in self.models.items() if name != model}
        newest = max((count.newest for count in models.values()), default=0)
        return Tally(
            counts=Counter({Outcome.DELIVERED: sum(count.succeeded for count in models.values())}),
            faults={cause: fault for cause, fault in self.faults.items() if fault.model != model},
            doubtful=self.doubtful,
            successes=[newest] if newest else [],
            models=models,
        )


@dataclass(slots=True)
class Bucket:
    """Ten seconds of one provider: tallies by phase, and the records they were made of."""

    start: int
    phases: dict[str, Tally] = field(default_factory=dict)
    applied: AppliedRuns = field(default_factory=AppliedRuns)

    def add(self, attempt: Attempt) -> None:
        """Count one attempt, whose bucket this must be."""
        self.tally(attempt.phase).add(attempt)

    def tally(self, phase: str) -> Tally:
        """Return the tally of a phase, a new one if there was none."""
        found = self.phases.get(phase)
        if found is None:
            found = self.phases[phase] = Tally()
        return found


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


def _remember(newest: dict[str, T], cause: str, seen: T) -> None:
    """Keep the newest that was seen of each request, and the NEWEST_KEPT requests that were seen last."""
    newest[cause] = max(seen, newest.get(cause, seen))
    if len(newest) > NEWEST_KEPT:
        del newest[min(newest, key=lambda known: (newest[known], known))]


def _order(error: LastError) -> tuple[int, str, str, int]:
    """Return a sort key that settles ties in time the same way in any order."""
    return error.at, error.outcome, error.code or "", error.status or 0
