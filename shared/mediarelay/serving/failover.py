"""One job's way through keys and providers, as a conversation.

`failover` is a generator: it yields what to do next (`TakeKey`, `Call`, `Wait`, `Reserve`) and is sent what happened.
It does no I/O and reads no clock; every reply carries the moment it happened. `serving.flow_driver` performs the steps.

The rules, in the order they bind:

1. Never past the job's deadline, never past the worker's own end.
2. Content that a vendor's policy refuses stops at once; so does a call that may have been paid for, unless the caller
   allows a second one.
3. A throttled, exhausted or rejected key is rotated without waiting, as long as an untried usable key stands idle.
4. A provider's fault goes to the next provider; so does a refusal that holds for this provider alone, and a paid answer
   that can't be used. After either of the latter two the provider is not asked again, and two answers paid for in vain
   are enough. Where the refusal may hold for the account alone, as for a voice of another's, each of the vendor's
   accounts is asked once first. A 401 or 403 without the vendor's own marker may be about the request or the way it
   goes: a provider of which two keys meet the same is not asked again either, and after four such refusals nobody is.
5. When one pass over all of them found nothing: if keys are merely cooling, wait if that is short, else defer. If
   providers failed, try a few more passes with full-jitter backoff, then fail.
6. Where calls wait in line, no call waits outside it: by the time the next permit is due, others have taken it. Ask
   for a place near enough to wait for it here; when there is none, reserve one further back, and requeue the job
   for that moment.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple, TypeVar

from mediarelay.job_records.contract import AttemptSummary
from mediarelay.metrics.tally import SUCCESSES
from mediarelay.vocabulary.backoff import full_jitter
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Failure, Follow, Outcome

# With less than this left in addition to a call, a worker does not wait for a key: it might end before the call.
WAITING_NEEDS_SECONDS: Final = 4.0
# What was paid for and can't be used is bought at one other provider at most; what may have been paid for, once more.
PAID_IN_VAIN: Final = 2
# A text that some gate refuses before the vendor sees it is refused with every key: two at two vendors tell.
DOUBTS: Final = 4
_REFUSALS: Final = frozenset({401, 403})


class Earlier(NamedTuple):
    """A failed call of an earlier delivery."""

    provider: str
    failure: Failure
    key_id: str = ""


def earlier_failures(attempts: Sequence[AttemptSummary]) -> tuple[Earlier, ...]:
    """Return what earlier deliveries came to, as a flow wants to know it."""
    return tuple(
        Earlier(
            attempt.provider,
            Failure(
                attempt.outcome,
                attempt.code or "",
                status=attempt.status,
                certain=_marked(attempt),
                of_account=bool(attempt.of_account),
            ),
            attempt.key_id,
        )
        for attempt in attempts
        if attempt.outcome not in SUCCESSES
    )


def failed_at(attempts: Sequence[AttemptSummary]) -> list[str]:
    """Return the providers that failed the job in these attempts."""
    return sorted({attempt.provider for attempt in attempts if attempt.outcome in PROVIDER_FAULTS})


def _marked(attempt: AttemptSummary) -> bool:
    """Tell whether the vendor's own marker said it: where there was none, the code is made of the status."""
    return attempt.code != f"http_{attempt.status}"


@frozen
class Budget:
    """How far one job may go in this worker. Moments are unix seconds.

    Attributes:
        expires_at: The job's own deadline.
        worker_ends_at: When this worker must have settled or given the message back.
        call_seconds: No paid call starts with less than this left of the worker: its answer could not be stored.
        max_wait: Seconds of the longest wait that is cheaper than another delivery (a worker is paid by the second).
        passes: How often all providers are tried before giving up or deferring.
        backoff_base_seconds: First backoff after a pass that ended in provider faults.
        backoff_cap_seconds: Longest backoff.
        resubmit: Whether a call whose answer was lost may be bought again.
        shared_limits: Whether permits are shared by all workers, so that one can be reserved for later.
        received_at: When the job was first received: the longer it has waited, the more rarely it asks again.
        earlier: What earlier deliveries of the job came to, call by call.
        paid: How many purchases earlier deliveries and lost workers made, or may have made.
    """

    expires_at: float
    worker_ends_at: float
    call_seconds: float = 3.0
    max_wait: float = 2.0
    passes: int = 3
    backoff_base_seconds: float = 0.5
    backoff_cap_seconds: float = 4.0
    resubmit: bool = False
    shared_limits: bool = False
    received_at: float = 0.0
    earlier: tuple[Earlier, ...] = ()
    paid: int = 0


# --- what the flow asks for ---------------------------------------------------------------------------------------


@frozen
class TakeKey:
    """Take a usable key of the provider's vendor that is not among *avoid*.

    Attributes:
        foreign: Keys whose accounts lack what is asked for: neither they nor any other key of those accounts will do.
        max_wait: Seconds for which to wait for one here; nothing while other providers have not been asked.
    """

    provider: str
    avoid: frozenset[str]
    max_wait: float = 0.0
    foreign: frozenset[str] = frozenset()


@frozen
class Call:
    """Make the paid call with the key just taken."""

    provider: str
    key_id: str


@frozen
class Wait:
    """Sleep."""

    seconds: float


@frozen
class Reserve:
    """Reserve a permit of the provider for another delivery, within so many seconds; `lifetime` is the whole of the
    job's, from publication to deadline.
    """

    provider: str
    within: float
    lifetime: float | None = None


Step = TakeKey | Call | Wait | Reserve


# --- what it is told ----------------------------------------------------------------------------------------------


@frozen
class Taken:
    """Answer to `TakeKey`.

    Attributes:
        now: The moment.
        key_id: The key, or None.
        cooling_until: When no key was free: the soonest moment a merely cooling key returns; None when no key is
            cooling, so that waiting does not help.
        line: Whether others wait in line for that moment, so that it can be reserved but not waited for.
        closed: Whether the provider itself is not to be called, whatever its keys.
        dear: Whether it is not to be called since that may cost too much.
    """

    now: float
    key_id: str | None
    cooling_until: float | None = None
    line: bool = False
    closed: bool = False
    dear: bool = False


@frozen
class Answered:
    """Answer to `Call`; without a failure it delivered."""

    now: float
    failure: Failure | None


@frozen
class Waited:
    """Answer to `Wait`."""

    now: float


@frozen
class Reserved:
    """Answer to `Reserve`.

    Attributes:
        arrive_at: When the job should arrive to use the reservation; None when nothing could be reserved.
        retry_at: Then the soonest moment at which there might be a permit.
        certain: Whether there will be none before.
    """

    arrive_at: float | None
    retry_at: float | None = None
    certain: bool = False


Reply = Taken | Answered | Waited | Reserved
R = TypeVar("R", Taken, Answered, Waited, Reserved)


# --- how it ends --------------------------------------------------------------------------------------------------


@frozen
class Delivered:
    """The last call delivered."""


@frozen
class Failed:
    """There is nothing more to try.

    Attributes:
        failure: The last one, or None when not even a key could be taken.
        ambiguous: Whether the call may have been paid for.
        dear: The providers that were not asked since that may have cost too much.
    """

    failure: Failure | None
    ambiguous: bool = False
    dear: tuple[str, ...] = ()


@frozen
class Deferred:
    """Try again in another delivery, which should arrive at `requeue_at` (unix seconds)."""

    requeue_at: float


@frozen
class Expired:
    """The job's deadline passed; or would pass before anything can be bought, which would take so many seconds."""

    would_take: float | None = None


Ending = Delivered | Failed | Deferred | Expired
Flow = Generator[Step, Reply, Ending]


_OF_KEYS: Final = frozenset({Outcome.KEY_REJECTED, Outcome.PERMISSION_DENIED, Outcome.QUOTA_EXHAUSTED})


@dataclass(slots=True)
class _Journey:
    """What the flow remembers between passes."""

    now: float
    last: Failure | None = None
    tried: dict[str, set[str]] = field(default_factory=dict)
    foreign: dict[str, set[str]] = field(default_factory=dict)  # keys of accounts that lack what is asked for
    struck: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)  # in all passes: asked again, they would say the same, or charge twice
    cooling_until: float | None = None
    free_at: float | None = None
    line: bool = False
    waits: dict[str, Taken] = field(default_factory=dict)
    paid: int = 0
    dear: list[str] = field(default_factory=list)
    in_vain: int = 0
    doubts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether another call would most likely be one more for nothing."""
        return max(self.paid, self.in_vain) >= PAID_IN_VAIN or sum(map(len, self.doubts.values())) >= DOUBTS

    def failed(self, provider: str, failure: Failure, key_id: str) -> None:
        falls_back = failure.follow is Follow.FALL_BACK
        self.last = failure
        if failure.of_account:
            self.foreign.setdefault(provider, set()).add(key_id)
            return
        self.in_vain += failure.outcome is Outcome.UNUSABLE_DELIVERY
        said = self.doubts.setdefault(provider, [])
        told_twice = failure.code in said
        doubtful = failure.status in _REFUSALS if falls_back else failure.outcome in _OF_KEYS and not failure.certain
        said += [failure.code] * doubtful
        if not failure.outcome.again or failure.taken or (doubtful and (told_twice or falls_back)):
            self.spent.add(provider)
        elif falls_back:
            self.struck.add(provider)

    def recall(self, earlier: Earlier) -> None:
        """An earlier delivery met it: what may be asked again is no answer to why there is nothing more to try."""
        last = self.last
        self.failed(*earlier)
        self.last = earlier.failure if earlier.failure.of_account or earlier.provider in self.spent else last

    def begin_pass(self) -> None:
        self.tried.clear()
        self.struck.clear()
        self.cooling_until = self.free_at = None
        self.line = False

    def sees_no_key(self, provider: str, taken: Taken) -> None:
        until = taken.cooling_until
        self.waits.pop(provider, None)
        if until is None:
            return
        if not taken.closed:
            self.waits[provider] = taken
        self.line = self.line or taken.line
        self.cooling_until = until if self.cooling_until is None else min(until, self.cooling_until)
        if not taken.line:
            self.free_at = until if self.free_at is None else min(until, self.free_at)


def failover(providers: Sequence[str], budget: Budget, *, now: float, rng: Random) -> Flow:
    """Drive one job over *providers*, best first.

    Returns (as the generator's value): `Delivered`, `Failed`, `Deferred` or `Expired`.
    """
    journey = _Journey(now, paid=budget.paid)
    for earlier in budget.earlier:
        journey.recall(earlier)
    if not providers and now >= budget.expires_at:
        return Expired()
    for number in range(budget.passes):
        journey.begin_pass()
        may_wait = number > 0 or len(providers) == 1
        for provider in (name for name in providers if name not in journey.spent):
            ending = yield from _try_provider(provider, journey, budget, rng, may_wait=may_wait)
            if ending is not None:
                return ending
        pause = _pause(journey, budget, number, rng, waited_in_line=may_wait)
        if pause is None:
            break
        journey.now = _expect(Waited, (yield Wait(pause))).now
    return (yield from _give_up(journey, budget, rng))


def _try_provider(
    provider: str, journey: _Journey, budget: Budget, rng: Random, *, may_wait: bool
) -> Generator[Step, Reply, Ending | None]:
    """Call with one key after the other. Returns None when the next provider should be tried."""
    tried = journey.tried.setdefault(provider, set())
    while True:
        if journey.now >= budget.expires_at:
            return Expired()
        left = budget.worker_ends_at - journey.now
        if left < budget.call_seconds:
            return (yield from _deferred(journey, budget, journey.now, rng))
        max_wait = budget.max_wait if may_wait and left > WAITING_NEEDS_SECONDS + budget.call_seconds else 0.0
        max_wait = min(max_wait, budget.expires_at - journey.now)
        foreign = frozenset(journey.foreign.get(provider, ()))
        taken = _expect(Taken, (yield TakeKey(provider, frozenset(tried), max_wait, foreign)))
        journey.now = taken.now
        if taken.key_id is None:
            journey.sees_no_key(provider, taken)
            if taken.dear:
                journey.spent.add(provider)
                journey.dear.append(provider)
            return None
        answered = _expect(Answered, (yield Call(provider, taken.key_id)))
        journey.now = answered.now
        if answered.failure is None:
            return Delivered()
        journey.failed(provider, answered.failure, taken.key_id)
        journey.paid += answered.failure.perhaps_paid
        tried.add(taken.key_id)
        follow = _follow(answered.failure, budget)
        if follow in (Follow.STOP, Follow.AMBIGUOUS) or journey.enough:
            return Failed(answered.failure, ambiguous=answered.failure.follow is Follow.AMBIGUOUS)
        if follow is Follow.FALL_BACK or provider in journey.spent:
            journey.struck |= {provider} - journey.spent  # so does a lost call that may be bought again
            return None


def _expect(kind: type[R], reply: Reply) -> R:
    if not isinstance(reply, kind):
        raise TypeError(f"the flow asked for {kind.__name__} and was sent {type(reply).__name__}")
    return reply


def _follow(failure: Failure, budget: Budget) -> Follow:
    follow = failure.follow
    if follow is Follow.AMBIGUOUS and budget.resubmit:
        return Follow.FALL_BACK
    return follow


def _pause(journey: _Journey, budget: Budget, number: int, rng: Random, *, waited_in_line: bool) -> float | None:
    """Return how long to wait before the next pass; None when there should be none."""
    if number + 1 >= budget.passes:
        return None
    waits = []
    if (
        journey.line and not waited_in_line and not journey.struck
    ):  # a provider that just failed is not asked again at once
        waits.append(0.0)
    if journey.free_at is not None:
        waits.append(max(0.0, journey.free_at - journey.now))
    if journey.struck:
        waits.append(full_jitter(number, base=budget.backoff_base_seconds, cap=budget.backoff_cap_seconds, rng=rng))
    if not waits:
        return None
    pause = min(waits)
    limit = max(budget.max_wait, budget.backoff_cap_seconds) if journey.struck else budget.max_wait
    ends = min(budget.expires_at, budget.worker_ends_at - budget.call_seconds)
    return pause if pause <= limit and journey.now + pause < ends else None


def _give_up(journey: _Journey, budget: Budget, rng: Random) -> Generator[Step, Reply, Ending]:
    """End the flow after the last pass: keys that merely cool are worth another delivery, all else is a failure."""
    until = journey.cooling_until
    if until is None:
        last = journey.last
        return Failed(last, last is not None and last.follow is Follow.AMBIGUOUS, tuple(journey.dear))
    return (yield from _deferred(journey, budget, max(until, journey.now), rng))


def _deferred(journey: _Journey, budget: Budget, until: float, rng: Random) -> Generator[Step, Reply, Ending]:
    # Imported here: a job that finds a key at once does without.
    from mediarelay.serving.deferring import deferred  # noqa: PLC0415 # as above

    return (yield from deferred(journey.waits, budget, until, now=journey.now, paid=journey.paid, rng=rng))
