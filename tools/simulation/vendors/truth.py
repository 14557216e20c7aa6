"""What vendors allow in truth: buckets, windows and slots, of which only the simulation and the oracle know.

Pure: moments are seconds from the start, which is a full minute of unix time. `ready_at` says when a call would be
admitted if nobody else called; `take` admits it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from tools.simulation.scenario import SECONDS_PER_MINUTE, Account, LimitKind, Pool, Scenario, TruthChange, VendorTruth

# What rounding may take from a permit that is due.
ROUNDING: Final = 1e-9
# Another program's calls that are counted in characters are as long as those of most.
OUTSIDE_CHARACTERS: Final = 100.0


class Gauge(Protocol):
    """A limit of the rate."""

    def ready_at(self, now: float, cost: float) -> float:
        """Return when so many permits will be there: now, or later."""

    def take(self, now: float, cost: float) -> None:
        """Use so many permits, which another program may do even where there are none."""

    def become(self, now: float, rate: float, burst: float) -> None:
        """Go on with another rate and burst."""


class Bucket:
    """A token bucket, full at first."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = 0.0

    def level(self, now: float) -> float:
        """Return how many permits there are; below zero where another program took more than there were."""
        return min(self.burst, self._level + max(0.0, now - self._at) * self.rate)

    def ready_at(self, now: float, cost: float) -> float:
        """See `Gauge.ready_at`. What is larger than the bucket needs a full one."""
        missing = min(cost, self.burst) - self.level(now)
        return now if missing <= ROUNDING else now + missing / self.rate

    def take(self, now: float, cost: float) -> None:
        """See `Gauge.take`."""
        self._level = max(-self.burst, self.level(now) - cost)
        self._at = now

    def become(self, now: float, rate: float, burst: float) -> None:
        """See `Gauge.become`."""
        self._level, self._at = min(self.level(now), burst), now
        self.rate, self.burst = rate, burst


class FixedWindow:
    """So many permits in each minute of the clock."""

    def __init__(self, rate: float) -> None:
        self.most = rate * SECONDS_PER_MINUTE
        self._minute = 0
        self._used = 0.0

    def ready_at(self, now: float, cost: float) -> float:
        """See `Gauge.ready_at`."""
        minute = math.floor(now / SECONDS_PER_MINUTE)
        used = self._used if minute == self._minute else 0.0
        fits = used + min(cost, self.most) <= self.most + ROUNDING
        return now if fits else (minute + 1) * SECONDS_PER_MINUTE

    def take(self, now: float, cost: float) -> None:
        """See `Gauge.take`."""
        minute = math.floor(now / SECONDS_PER_MINUTE)
        self._used = cost + (self._used if minute == self._minute else 0.0)
        self._minute = minute

    def become(self, now: float, rate: float, burst: float) -> None:
        """See `Gauge.become`."""
        del now, burst
        self.most = rate * SECONDS_PER_MINUTE


class SlidingWindow:
    """So many permits in any sixty seconds."""

    def __init__(self, rate: float) -> None:
        self.most = rate * SECONDS_PER_MINUTE
        self._taken: deque[tuple[float, float]] = deque()
        self._used = 0.0

    def ready_at(self, now: float, cost: float) -> float:
        """See `Gauge.ready_at`."""
        self._forget(now)
        missing = self._used + min(cost, self.most) - self.most
        if missing <= ROUNDING:
            return now
        for at, each in self._taken:
            missing -= each
            if missing <= ROUNDING:
                return at + SECONDS_PER_MINUTE
        return now + SECONDS_PER_MINUTE

    def take(self, now: float, cost: float) -> None:
        """See `Gauge.take`."""
        self._forget(now)
        self._taken.append((now, cost))
        self._used += cost

    def become(self, now: float, rate: float, burst: float) -> None:
        """See `Gauge.become`."""
        del now, burst
        self.most = rate * SECONDS_PER_MINUTE

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] + SECONDS_PER_MINUTE <= now + ROUNDING:
            self._used -= self._taken.popleft()[1]


@dataclass
class Owner:
    """Who has a limit in truth: an account, or all of a pool.

    Attributes:
        gauge: Of the rate; None where that is not limited.
        slots: Calls at once; None where they are not limited.
        busy: Calls under way.
    """

    gauge: Gauge | None
    slots: int | None
    outside: float
    dice: Random
    cost_outside: float = 1.0
    rate: float = 0.0
    busy: int = 0
    _next_outside: float | None = None

    def ready_at(self, now: float, cost: float) -> float:
        """Return when a call would be admitted: infinity while all slots are busy, since calls end when they will."""
        self._let_others_call(now)
        if self.slots is not None and self.busy >= self.slots:
            return math.inf
        return self.gauge.ready_at(now, cost) if self.gauge else now

    def rate_ready_at(self, now: float, cost: float) -> float:
        """Return when the rate would admit a call, whatever the slots."""
        self._let_others_call(now)
        return self.gauge.ready_at(now, cost) if self.gauge else now

    def take(self, now: float, cost: float) -> None:
        """Admit a call."""
        self._let_others_call(now)
        if self.gauge:
            self.gauge.take(now, cost)
        self.busy += 1

    def release(self) -> None:
        """Note that a call has ended."""
        self.busy -= 1

    def _let_others_call(self, now: float) -> None:
        """Have the other program take what it took until now: it comes before ours."""
        calls = self.outside * self.rate / self.cost_outside
        if not self.gauge or calls <= 0.0:
            return
        if self._next_outside is None:
            self._next_outside = self.dice.expovariate(calls)
        while self._next_outside <= now:
            self.gauge.take(self._next_outside, self.cost_outside)
            self._next_outside += self.dice.expovariate(calls)


class VendorState:
    """The limits of one vendor. `owners` are by the number of the account."""

    def __init__(self, scenario: Scenario, vendor: str) -> None:
        self.truth = scenario.pools[vendor].vendor
        self.owners: list[Owner] = []
        self._seed = f"{scenario.seed}:outside:{vendor}"
        self._set: frozenset[str] = frozenset()
        for account in each_account(scenario.pools[vendor]):
            self.add(account)

    def add(self, account: Account) -> None:
        """Have one account more."""
        if self.truth.per == "pool" and self.owners:
            self.owners.append(self.owners[0])
        else:
            self.owners.append(_owner(self.truth, account, Random(f"{self._seed}:{len(self.owners)}")))  # noqa: S311 # dice

    def become(self, now: float, truth: VendorTruth, accounts: Sequence[Account]) -> None:
        """Go on with another truth."""
        before, self.truth = self.truth, truth
        if truth.per != before.per:
            self.owners = []
            for account in accounts:
                self.add(account)
            return
        for number, account in enumerate(accounts):
            owner = self.owners[number]
            if number and owner is self.owners[0]:
                continue
            rate, burst = rates(truth, account)
            if truth.limit is not before.limit or owner.gauge is None:
                owner.gauge = _gauge(truth, rate, burst)
            else:
                owner.gauge.become(now, rate, burst)
            owner.slots, owner.outside, owner.rate = _slots(truth, account), truth.outside, rate


def each_account(pool: Pool) -> list[Account]:
    """Return all accounts of a pool, one by one."""
    return [account for account in pool.accounts for _ in range(account.repeat)]


def rates(truth: VendorTruth, account: Account) -> tuple[float, float]:
    """Return the true rate, in permits a second, and the true burst."""
    counted = account.rpm if truth.counts == "requests" else account.units_per_minute
    declared = (counted or 0.0) / SECONDS_PER_MINUTE
    rate = truth.rate or declared
    # Where no burst is declared, it is what one second brings of the rate that is.
    burst = truth.burst or account.burst or max(1.0, math.floor(declared or rate))
    return rate, float(burst)


def _slots(truth: VendorTruth, account: Account) -> int | None:
    slots = truth.concurrency
    if truth.limit is LimitKind.CONCURRENCY:
        slots = slots or account.concurrency
    return None if slots is None else max(1, math.floor(slots * (1.0 - truth.outside) + ROUNDING))


def _gauge(truth: VendorTruth, rate: float, burst: float) -> Gauge | None:
    match truth.limit:
        case LimitKind.TOKEN_BUCKET:
            return Bucket(rate, burst)
        case LimitKind.FIXED_WINDOW:
            return FixedWindow(rate)
        case LimitKind.SLIDING_WINDOW:
            return SlidingWindow(rate)
    return None


def _owner(truth: VendorTruth, account: Account, dice: Random) -> Owner:
    rate, burst = rates(truth, account)
    cost = OUTSIDE_CHARACTERS if truth.counts == "characters" else 1.0
    return Owner(_gauge(truth, rate, burst), _slots(truth, account), truth.outside, dice, cost, rate)


def changed(truth: VendorTruth, change: TruthChange) -> VendorTruth:
    """Return the truth after a change."""
    given = change.model_dump(exclude_unset=True)
    may_be_none = {"rate", "burst", "concurrency"}
    return truth.model_copy(
        update={name: each for name, each in given.items() if each is not None or name in may_be_none}
    )
