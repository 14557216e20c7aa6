"""The one place where a step of `failover` is performed: for speech, pictures, submits of long jobs and simulations.

Steps that take no time are done here at once; waits and calls are yielded by `FlowDriver.steps`, so that a
simulation can let its own clock pass. `FlowDriver.drive` does both with the worker's clock.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from random import Random
from typing import NamedTuple, Protocol

from mediarelay.health.fleet_view import FleetHealth
from mediarelay.keys.pools import TakenKey
from mediarelay.limits.acquiring import NoPermit
from mediarelay.results.result_store import ResultLost
from mediarelay.serving.attempts import AttemptResult
from mediarelay.serving.failover import (
    Answered,
    Budget,
    Call,
    Ending,
    Reply,
    Reserve,
    Reserved,
    TakeKey,
    Taken,
    Wait,
    Waited,
    failover,
)
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome


class Work(Protocol):
    """What a flow is driven for: a job that one worker serves.

    Attributes:
        key: The key that was taken last.
    """

    job_id: str
    worker_ends_at: float
    key: TakenKey | None

    def too_dear(self, provider: str) -> bool:
        """Tell whether a call of the provider, after all that was bought, may cost more than the job may."""

    def take_key(self, step: TakeKey) -> TakenKey | NoPermit:
        """Take a key. Returns it, or when there might be one."""

    def return_key(self, key: TakenKey, provider: str) -> None:
        """Return a key with which no call was made."""

    def reserve(self, step: Reserve) -> Reserved:
        """Reserve a permit for another delivery."""

    def call(self, provider: str, key: TakenKey) -> AttemptResult:
        """Make the paid call.

        Raises:
            ResultLost: It delivered, and the result could not be stored.
        """

    def conclude(self, provider: str, key: TakenKey, result: AttemptResult, *, started: float, urgent: bool) -> None:
        """Record the outcome of the call; `urgent` when other workers should learn of it at once."""


class KeysInUse(Protocol):
    """Takes keys back after calls, and learns what each call says about its key. `keys.pools` implements it."""

    def delivered(self, key: TakenKey, provider: str, *, limit: Limit | None = None) -> None:
        """Return a key after a successful call, whose answer may have stated a limit."""

    def failed(self, key: TakenKey, provider: str, failure: Failure) -> None:
        """Return a key after a failed call."""

    def abandoned(self, key: TakenKey, provider: str) -> None:
        """Return a key after a call that says nothing about it."""


class CallDue(NamedTuple):
    """A paid call that is to be made now."""

    provider: str
    key: TakenKey


class FlowDriver:
    """Drives flows. Thread-safe; one instance per worker."""

    def __init__(self, keys: KeysInUse, health: FleetHealth, clock: Clock, rng: Random) -> None:
        self._keys = keys
        self.health = health
        self._clock = clock
        self._rng = rng

    def drive(self, providers: Sequence[str], budget: Budget, work: Work) -> Ending:
        """Drive the flow over *providers*, best first, to its ending.

        Raises:
            ResultLost: A paid result could not be stored.
        """
        steps = self.steps(providers, budget, work)
        result: AttemptResult | None = None
        try:
            while True:
                match steps.send(result):
                    case Wait(seconds=seconds):
                        self._clock.sleep(seconds)
                        result = None
                    case CallDue(provider=provider, key=key):
                        try:
                            result = work.call(provider, key)
                        except BaseException as error:
                            steps.throw(error)
                            raise
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending

    def steps(
        self, providers: Sequence[str], budget: Budget, work: Work
    ) -> Generator[Wait | CallDue, AttemptResult | None, Ending]:
        """Yield what takes time: waits, and calls, whose results are sent back. Returns the flow's ending."""
        flow = failover(providers, budget, now=self._clock.now(), rng=self._rng)
        try:
            step = next(flow)
            while True:
                match step:
                    case TakeKey():
                        reply: Reply = self._take(step, work)
                    case Call(provider=provider):
                        reply = yield from self._call(provider, work)
                    case Wait():
                        yield step
                        reply = Waited(self._clock.now())
                    case Reserve():
                        reply = work.reserve(step)
                step = flow.send(reply)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending

    def _take(self, step: TakeKey, work: Work) -> Taken:
        provider, until = step.provider, work.worker_ends_at
        if work.too_dear(provider):
            return Taken(self._clock.now(), None, dear=True)
        closed_until = self.health.admit(provider, work.job_id, until=until)
        if closed_until is not None:
            return Taken(self._clock.now(), None, closed_until, closed=True)
        answer = work.take_key(step)
        now = self._clock.now()
        if isinstance(answer, NoPermit):
            return Taken(now, None, answer.retry_at, line=answer.reservable)
        # Another call may have failed while we took the key.
        closed_until = self.health.admit(provider, work.job_id, until=until)
        if closed_until is not None:
            work.return_key(answer, provider)
            return Taken(self._clock.now(), None, closed_until, closed=True)
        work.key = answer
        return Taken(now, answer.entry.key_id)

    def _call(self, provider: str, work: Work) -> Generator[CallDue, AttemptResult | None, Answered]:
        key, started = work.key, self._clock.now()
        if key is None:
            raise TypeError("the flow called before it took a key")
        self.health.began(provider, work.job_id)
        try:
            result = yield CallDue(provider, key)
        except ResultLost as lost:
            self._conclude(provider, work, key, AttemptResult(lost.purchase, None, lost.status), started)
            raise
        except BaseException:
            self._keys.abandoned(key, provider)
            self.health.ended(provider, work.job_id, None, started=started)
            raise
        if result is None:
            raise TypeError("a call was made and came to nothing")
        self._conclude(provider, work, key, result, started)
        return Answered(self._clock.now(), result.failure)

    def _conclude(self, provider: str, work: Work, key: TakenKey, result: AttemptResult, started: float) -> None:
        failure = result.failure
        outcome = failure.outcome if failure else Outcome.DELIVERED if result.purchase else Outcome.ACCEPTED
        # Before anything else is done: others of this worker may be about to make the same call.
        urgent = self.health.ended(provider, work.job_id, outcome, started=started)
        if failure is None:
            self._keys.delivered(key, provider, limit=result.limit)
        else:
            self._keys.failed(key, provider, failure)
        work.conclude(provider, key, result, started=started, urgent=urgent)
