"""A budget under load: never exceeded, nearly used up, and nothing set aside at the end, whoever dies and when.

Workers are threads over the shipped claims and settlements; a purchase costs what was set aside for it. A worker may
die before or after any call to a store, and its message then comes again, to another worker.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from mediarelay.budgets.contract import parse_plan
from mediarelay.budgets.dynamodb import SOON_SECONDS, DynamoBudgets
from mediarelay.budgets.earmarking import Budgets
from mediarelay.budgets.jobs import BudgetedJobs
from mediarelay.budgets.ports import BudgetState, BudgetStore
from mediarelay.job_records.claims import AlreadySettled, Claim, Claimed, Held, Settlement
from mediarelay.job_records.contract import Spending
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.job_spec import spent
from mediarelay.job_records.ports import JobStore
from mediarelay.vocabulary.errors import OverBudget
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.jobs import FixedPlan, MemoryBudgets, MemoryJobs
from tests.doubles.trouble import WorkerKilled
from tests.harness.local_aws import JOBS, TELEMETRY, LocalAws, local_aws

TEN_DOLLARS = '{"tenants": {"acme": {"month_usd": 10}}}'
SPREAD = '{"tenants": {"acme": {"day_usd": 2000}}}'  # over eight items
NANOS = 1_000_000_000
MONTH = "2026-08"
WORKERS = 16
DEATHS = 0.03
FAILURES = 0.1
AGAIN = 0.05
DELIVERIES = 8
LEASE_MS = 10**7  # a message comes again once the lease of a worker that died is over
USD = {"smallest": 0.04, "dearest": 0.70}


@dataclass
class Fleet:
    """Sixteen workers that share stores, and what the vendor has charged."""

    jobs: JobStore
    budgets: BudgetStore
    seed: int
    requests: int = 500
    plan: str = TEN_DOLLARS
    times_dearer: int = 1
    dying: bool = True
    charged: list[float] = field(default_factory=list)
    deaths: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        rng = Random(self.seed)
        self.lock = threading.Lock()
        self.prices = {
            f"job-{number}": round(rng.uniform(USD["smallest"], USD["dearest"]) * self.times_dearer, 4)
            for number in range(self.requests)
        }
        twice = [name for name in self.prices if rng.random() < AGAIN]  # SQS delivers some messages twice at once
        self.queue = deque((name, 1) for name in sorted([*self.prices, *twice], key=lambda _name: rng.random()))
        self.moment = 0

    def run(self) -> None:
        """Serve all requests, and those that come again."""
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def state(self) -> BudgetState:
        (found,) = self.budgets.month(MONTH)
        return found

    def _work(self, number: int) -> None:
        rng = Random(self.seed * 1000 + number)
        jobs, budgets = _Mortal(self.jobs, rng, self), _Mortal(self.budgets, rng, self)
        setting = Budgets(budgets, FixedPlan(self.plan), ManualClock(), rng)
        budgeted = BudgetedJobs(jobs, setting)
        while True:
            with self.lock:
                if not self.queue:
                    return
                name, count = self.queue.popleft()
            try:
                self._serve(name, count, budgeted, rng)
                again = rng.random() < AGAIN
            except WorkerKilled:
                again = True
                with self.lock:
                    self.deaths += 1
            if again and count < DELIVERIES:
                with self.lock:
                    self.queue.append((name, count + 1))

    def _serve(self, name: str, count: int, jobs: BudgetedJobs, rng: Random) -> None:
        price, at = self.prices[name], self._tick() + count * 2 * LEASE_MS
        try:
            answer = jobs.claim(claim := _claim(name, count, price, at, f"{name}-{at}"))
        except OverBudget:
            self._note("over budget")
            return
        if isinstance(answer, AlreadySettled | Held):
            return
        assert isinstance(answer, Claimed)
        assert answer.purse is not None
        purchases = [*answer.purchases]
        if answer.purse.reaches(spent(purchases).cost_usd + price) and len(purchases) < 2:
            fails = rng.random() < FAILURES
            if not fails:
                with self.lock:
                    self.charged.append(price)
            self._maybe_die(rng)
            state = SpendingState.NOT_CHARGED if fails else SpendingState.CHARGED
            purchases.append(_bought(price, state, at, None if fails else price))
        status = JobStatus.SUCCEEDED if purchases else JobStatus.FAILED
        ended = Settlement(name, claim.claim_id, status, at, 1, 1, purchases=purchases, earmark=answer.purse.earmark)
        jobs.settle(ended)
        self._note(str(status))

    def _tick(self) -> int:
        with self.lock:
            self.moment += 1
            return round(EPOCH * 1000) + self.moment

    def _note(self, what: str) -> None:
        with self.lock:
            self.outcomes[what] += 1

    def _maybe_die(self, rng: Random) -> None:
        if self.dying and rng.random() < DEATHS:
            raise WorkerKilled


class _Mortal:
    def __init__(self, port: Any, rng: Random, fleet: Fleet) -> None:
        self._port = port
        self._rng = rng
        self._fleet = fleet

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **fields: Any) -> Any:
            self._fleet._maybe_die(self._rng)  # one thing with the fleet
            answer = getattr(self._port, name)(*args, **fields)
            self._fleet._maybe_die(self._rng)
            return answer

        return call


def _claim(name: str, count: int, price: float, at: int, claim_id: str) -> Claim:
    return Claim(
        request_id=name,
        claim_id=claim_id,
        kind=Kind.TTS,
        fingerprint="0123456789abcdef",
        received_at=at,
        claimed_at=at,
        lease_until=at + LEASE_MS,
        expires_at=at // 1000 + 3600,
        ttl=at // 1000 + 7200,
        tenant="acme",
        known=count > 1,
        purchase=_bought(price, SpendingState.SENDING, at, None),
    )


def _bought(price: float, state: SpendingState, at: int, cost: float | None) -> Spending:
    return Spending(provider="elevenlabs-tts", model="eleven_v3", estimate_usd=price, state=state, at=at, cost_usd=cost)


def settle_what_is_left(fleet: Fleet) -> None:
    """Every message comes once more, to workers that live: what was not settled is."""
    fleet.dying = False
    fleet.queue = deque((name, DELIVERIES + 1) for name in fleet.prices)  # later than any lease
    fleet.run()


@pytest.mark.parametrize("seed", range(50))
def test_a_budget_of_ten_dollars_is_used_and_never_exceeded(seed: int) -> None:
    store = MemoryBudgets()
    fleet = Fleet(MemoryJobs(), store, seed)
    fleet.run()
    assert fleet.deaths > 0
    settle_what_is_left(fleet)
    after = fleet.state()
    assert store.peaks["tenant:acme", MONTH] <= 10 * NANOS
    assert after.used >= 9.3 * NANOS, fleet.outcomes
    assert after.entries == {}, "nothing is set aside once all are settled"
    assert after.used == sum(after.spent.values())
    assert sum(fleet.charged) <= after.used / NANOS + 1e-6, "what the vendor charged is counted"
    assert fleet.outcomes["over budget"] > 0


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("plan", "usd"), [(TEN_DOLLARS, 10), (SPREAD, 2000)], ids=["one item", "spread"])
def test_and_so_it_is_over_dynamodb(plan: str, usd: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with local_aws() as aws:
        _over_dynamodb(aws, plan, usd, seed)


def _over_dynamodb(aws: LocalAws, plan: str, usd: int, seed: int) -> None:
    ticks = itertools.count(int(EPOCH), SOON_SECONDS)
    store = DynamoBudgets(aws.dynamodb, TELEMETRY, lambda: next(ticks))
    fleet = Fleet(DynamoJobs(aws.dynamodb, JOBS), store, seed, 160, plan, usd // 10)
    fleet.run()
    assert fleet.state().used <= usd * NANOS
    settle_what_is_left(fleet)
    after = fleet.state()
    assert 0.93 * usd * NANOS <= after.used <= usd * NANOS
    assert after.entries == {}
    assert sum(fleet.charged) <= after.used / NANOS + 1e-6


def test_the_document_that_is_written_is_the_one_that_counts() -> None:
    (payer,) = parse_plan(TEN_DOLLARS).payers("acme")
    assert payer.allowance.month == 10 * NANOS
