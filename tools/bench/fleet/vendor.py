"""The vendor in virtual time: the simulator's own buckets, one for each account."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tools.bench.fleet.scenario import Scenario, Tally
from tools.simulator.state.limits import TokenBucket


@dataclass(frozen=True)
class Reply:
    """How a call was taken: `served`, or why not and for how long."""

    served: bool
    code: str = ""
    wait: float | None = None


class Vendor:
    """Counts every call; `now` in seconds from the start of the run."""

    def __init__(self, scenario: Scenario, tally: Tally) -> None:
        self._scenario = scenario
        self._tally = tally
        self._changed = False
        self.buckets = [TokenBucket(scenario.rate, scenario.burst, 0.0) for _ in range(scenario.accounts)]
        group = scenario.group_rate
        self._group = TokenBucket(group, max(1, round(group)), 0.0) if group else None
        self._busy = [0] * scenario.accounts
        self._debts = [(0.0, 0.0)] * scenario.accounts

    def account_of(self, key: int) -> int:
        """Which account the key belongs to."""
        return key // self._scenario.keys_per_account

    def call(self, key: int, now: float) -> Reply:
        """Take a call, or refuse it."""
        self._change(now)
        self._tally.calls += 1
        account = self.account_of(key)
        if account < self._scenario.rejected and now >= self._scenario.rejected_at:
            return Reply(served=False, code="rejected")
        if account >= self._scenario.accounts - self._scenario.exhausted and now >= self._scenario.exhausted_at:
            return Reply(served=False, code="exhausted")
        if self._scenario.slots is not None and self._busy[account] >= self._scenario.slots:
            return self._refuse(now, None)
        self._count(account, now)
        waits = [bucket.take(now) for bucket in (self._group, self.buckets[account]) if bucket]
        if any(waits):
            return self._refuse(now, max(waits))
        self._busy[account] += 1
        return Reply(served=True)

    def done(self, key: int) -> None:
        """A call that was taken has ended."""
        self._busy[self.account_of(key)] -= 1

    def _count(self, account: int, now: float) -> None:
        """By how many calls the account was asked for more than its bucket held, refused ones included."""
        debt, at = self._debts[account]
        bucket = self.buckets[account]
        debt = max(0.0, debt - (now - at) * bucket.rate) + 1.0
        self._debts[account] = (debt, now)
        self._tally.excess = max(self._tally.excess, debt - bucket.burst)

    def _refuse(self, now: float, wait: float | None) -> Reply:
        self._tally.refused.append(now)
        named = math.ceil(wait * 1000) / 1000 if wait and self._scenario.retry_after else None
        return Reply(served=False, code="throttled", wait=named)

    def _change(self, now: float) -> None:
        change = self._scenario.change
        if change is None or self._changed or now < change.at:
            return
        self._changed = True
        for bucket in self.buckets:
            bucket.take(now)  # brings the level up to date at the old rate; one token is the price
            bucket.rate *= change.factor
            bucket.burst = max(1, round(bucket.burst * change.factor))
