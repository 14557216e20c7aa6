"""What a run of the fleet is given, and what it came to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# A round unix moment, so that virtual time looks like the real one to everything that reads it.
EPOCH: Final = 1_800_000_000.0


class Policy(StrEnum):
    """Who decides when a call is made."""

    LEASES = "leases"
    OFF = "off"
    ORACLE = "oracle"


@dataclass(frozen=True)
class Change:
    """At a moment, the vendor's rate for every key is multiplied."""

    at: float
    factor: float


@dataclass(frozen=True)
class Scenario:
    """One run. Times in seconds from its start.

    Attributes:
        rate: Requests per second that one account may make.
        told: What the workers are told of the rate; None where that is the truth.
        keys_per_account: Keys that draw on one account.
        load: Offered load over the sum of the rates.
        duration: How long messages are published.
        group: Messages published together; ten make batches of ten.
        tenants: Weight of each tenant's load.
        declared: Whether the workers are told the limits.
        retry_after: Whether a 429 names a wait.
        group_rate: A limit above the accounts.
        slots: Concurrency of one account.
        rejected: Accounts whose keys the vendor refuses from `rejected_at` on.
        store_down: From when to when the table refuses.
        deaths: Chance that a worker dies in the middle of a batch.
        skew: Workers' clocks are wrong by up to this.
        warm_up: Measured only after this.
    """

    name: str
    workers: int
    keys: int
    load: float
    policy: Policy = Policy.LEASES
    rate: float = 10.0
    burst: int = 10
    told: float | None = None
    keys_per_account: int = 1
    duration: float = 60.0
    group: int = 10
    tenants: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
    fair: bool = False
    timeout: float = 3600.0
    declared: bool = True
    retry_after: bool = True
    change: Change | None = None
    group_rate: float | None = None
    slots: int | None = None
    service: float = 0.05
    rejected: int = 0
    rejected_at: float = math.inf
    exhausted: int = 0
    exhausted_at: float = math.inf
    store_down: tuple[float, float] = (math.inf, math.inf)
    deaths: float = 0.0
    skew: float = 0.0
    warm_up: float = 0.0
    seed: int = 1

    @property
    def accounts(self) -> int:
        """Owners of a limit."""
        return self.keys // self.keys_per_account

    @property
    def capacity(self) -> float:
        """Requests per second that the vendor allows at the start."""
        whole = self.accounts * self.rate
        return min(whole, self.group_rate) if self.group_rate else whole


@dataclass
class Tally:
    """What happened. Moments in seconds from the start."""

    published: int = 0
    served: list[tuple[float, float, str]] = field(default_factory=list)  # when, queueing, tenant
    refused: list[float] = field(default_factory=list)
    expired: int = 0
    dead_letters: int = 0
    calls: int = 0
    writes: int = 0
    looks: int = 0
    trips: int = 0
    lost_promises: int = 0
    excess: float = 0.0  # calls that an account was asked for beyond what its bucket held, at worst
    job_writes: int = 0

    def successes(self, start: float, end: float) -> int:
        """Calls served between two moments."""
        return sum(start <= at < end for at, _, _ in self.served)

    def waste(self, start: float = 0.0) -> float:
        """Share of the calls from a moment on that the vendor refused."""
        refused = sum(at >= start for at in self.refused)
        return refused / max(1, refused + sum(at >= start for at, _, _ in self.served))

    def queueing(self, quantile: float, tenant: str | None = None, start: float = 0.0) -> float:
        """Seconds from published to the call, at a quantile."""
        waits = sorted(wait for at, wait, who in self.served if at >= start and tenant in (None, who))
        return waits[min(len(waits) - 1, int(quantile * len(waits)))] if waits else math.nan
