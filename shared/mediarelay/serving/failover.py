"""One job's way through keys and providers, as a conversation.

`failover` is a generator: it yields what to do next (`TakeKey`, `Call`, `Wait`) and is sent what happened. It does no
I/O and reads no clock; every reply carries the moment it happened. The same flow runs under Lambda, in tests with no
sleeping and in virtual time.

The rules, in the order they bind:

1. Never past the job's deadline, never past the worker's own end.
2. A caller's fault stops at once; so does a call that may have been paid for, unless the caller allows a second one.
3. A throttled, exhausted or rejected key is rotated without waiting, as long as an untried usable key stands idle.
4. A provider's fault goes to the next provider.
5. When one pass over all of them found nothing: if keys are merely cooling, wait when it is short, else defer. If
   providers failed, try a few more passes with full-jitter backoff, then fail.
6. Where there is a line of waiting calls, nobody waits outside it: by the time the next permit is due, others have it.
   Ask for a place near enough to wait for it here; when there is none, defer, and take a place further back.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from mediarelay.vocabulary.backoff import full_jitter
from mediarelay.vocabulary.outcome import Failure, Follow


@dataclass(frozen=True, slots=True)
class Budget:
    """How far one job may go in this worker. Moments are unix seconds.

    Attributes:
        expires_at: The job's own deadline.
        worker_ends_at: When this worker must have settled or given the message back.
        call_seconds: No paid call starts with less than this left of the worker: its answer could not be stored.
        short_wait_seconds: The longest wait that is cheaper than another delivery (a worker is paid by the second).
        passes: How often all providers are tried before giving up or deferring.
        backoff_base_seconds: First backoff after a pass that ended in provider faults.
        backoff_cap_seconds: Longest backoff.
        resubmit: Whether a call whose answer was lost may be bought again.
    """

    expires_at: float
    worker_ends_at: float
    call_seconds: float = 3.0
    short_wait_seconds: float = 2.0
    passes: int = 3
    backoff_base_seconds: float = 0.5
    backoff_cap_seconds: float = 4.0
    resubmit: bool = False


# --- what the flow asks for ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TakeKey:
    """Lease a usable key of the provider's vendor that is not among *avoid*.

    Attributes:
        may_wait: Whether to wait for one here, while that is cheap; not while other providers have not been asked.
    """

    provider: str
    avoid: frozenset[str]
    may_wait: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Make the paid call with the key just taken."""

    provider: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep."""

    seconds: float


Step = TakeKey | Call | Wait


# --- what it is told ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """Answer to `TakeKey`.

    Attributes:
        now: The moment.
        key_id: The key, or None.
        cooling_until: When no key was free: the soonest moment a merely cooling key returns; None when no key is
            cooling, that is when waiting helps nobody.
        line: Whether others wait in line for that moment, so that it can be reserved but not waited for.
    """

    now: float
    key_id: str | None
    cooling_until: float | None = None
    line: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """Answer to `Call`; no failure means delivered."""

    now: float
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Waited:
    """Answer to `Wait`."""

    now: float


Reply = Taken | Answered | Waited
R = TypeVar("R", Taken, Answered, Waited)


# --- how it ends --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivered:
    """The last call delivered."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing more to try. `failure` is the last one, or None when no key could even be taken."""

    failure: Failure | None
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """Try again at `until` (unix seconds), in another delivery."""

    until: float


@dataclass(frozen=True, slots=True)
class Expired:
    """The job's deadline passed, or would pass before anything could be tried again."""


Ending = Delivered | Failed | Deferred | Expired
Flow = Generator[Step, Reply, Ending]


@dataclass(slots=True)
class _Journey:
    """What the flow remembers between passes."""

    now: float
    last: Failure | None = None
    tried: dict[str, set[str]] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)
    cooling_until: float | None = None
    free_at: float | None = None
    line: bool = False

    def begin_pass(self) -> None:
        self.tried.clear()
        self.struck.clear()
        self.cooling_until = self.free_at = None
        self.line = False

    def sees_cooling(self, until: float | None, *, line: bool) -> None:
        self.line = self.line or line
        if until is None:
            return
        self.cooling_until = until if self.cooling_until is None else min(until, self.cooling_until)
        if not line:
            self.free_at = until if self.free_at is None else min(until, self.free_at)


def failover(providers: Sequence[str], budget: Budget, *, now: float, rng: Random) -> Flow:
    """Drive one job over *providers*, best first.

    Returns (as the generator's value): `Delivered`, `Failed`, `Deferred` or `Expired`.
    """
    journey = _Journey(now)
    for number in range(budget.passes):
        journey.begin_pass()
        may_wait = number > 0 or len(providers) == 1
        for provider in providers:
            ending = yield from _try_provider(provider, journey, budget, may_wait=may_wait)
            if ending is not None:
                return ending
        pause = _pause(journey, budget, number, rng, waited_in_line=may_wait)
        if pause is None:
            break
        journey.now = _expect(Waited, (yield Wait(pause))).now
    return _give_up(journey, budget)


def _try_provider(
    provider: str, journey: _Journey, budget: Budget, *, may_wait: bool
) -> Generator[Step, Reply, Ending | None]:
    """Call with one key after the other; None when the next provider should be tried."""
    tried = journey.tried.setdefault(provider, set())
    while True:
        ending = _out_of_time(journey, budget)
        if ending is not None:
            return ending
        taken = _expect(Taken, (yield TakeKey(provider, frozenset(tried), may_wait)))
        journey.now = taken.now
        if taken.key_id is None:
            journey.sees_cooling(taken.cooling_until, line=taken.line)
            return None
        answered = _expect(Answered, (yield Call(provider, taken.key_id)))
        journey.now = answered.now
        if answered.failure is None:
            return Delivered()
        journey.last = answered.failure
        tried.add(taken.key_id)
        match _follow(answered.failure, budget):
            case Follow.STOP:
                return Failed(answered.failure)
            case Follow.AMBIGUOUS:
                return Failed(answered.failure, ambiguous=True)
            case Follow.FALL_BACK:
                journey.struck.add(provider)
                return None


def _expect(kind: type[R], reply: Reply) -> R:
    if not isinstance(reply, kind):
        raise TypeError(f"the flow asked for {kind.__name__} and was sent {type(reply).__name__}")
    return reply


def _follow(failure: Failure, budget: Budget) -> Follow:
    follow = failure.outcome.follow
    if follow is Follow.AMBIGUOUS and budget.resubmit:
        return Follow.FALL_BACK
    return follow


def _out_of_time(journey: _Journey, budget: Budget) -> Ending | None:
    if journey.now >= budget.expires_at:
        return Expired()
    if journey.now + budget.call_seconds > budget.worker_ends_at:
        return Deferred(journey.now)
    return None


def _pause(journey: _Journey, budget: Budget, number: int, rng: Random, *, waited_in_line: bool) -> float | None:
    """How long to wait before the next pass; None when there should be none."""
    if number + 1 >= budget.passes:
        return None
    waits = []
    if journey.line and not waited_in_line and not journey.struck:  # who just failed is not asked again at once
        waits.append(0.0)
    if journey.free_at is not None:
        waits.append(max(0.0, journey.free_at - journey.now))
    if journey.struck:
        waits.append(full_jitter(number, base=budget.backoff_base_seconds, cap=budget.backoff_cap_seconds, rng=rng))
    if not waits:
        return None
    pause = min(waits)
    limit = max(budget.short_wait_seconds, budget.backoff_cap_seconds) if journey.struck else budget.short_wait_seconds
    ends = min(budget.expires_at, budget.worker_ends_at - budget.call_seconds)
    return pause if pause <= limit and journey.now + pause < ends else None


def _give_up(journey: _Journey, budget: Budget) -> Ending:
    """After the last pass: keys that merely cool are worth another delivery, anything else is a failure."""
    until = journey.cooling_until
    if until is None:
        return Failed(journey.last)
    if until >= budget.expires_at:
        return Expired()
    return Deferred(max(until, journey.now))
