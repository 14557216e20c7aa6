"""A budget that is spread over several items is one budget: never exceeded, and used up to the last job that fits.

Over the store's adapter: workers come and go, each with what it remembers of how the budget is spread; a worker may die
before or after any call to the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mediarelay.budgets.dynamodb import LOOK_SECONDS, SOON_SECONDS, DynamoBudgets
from mediarelay.budgets.dynamodb_items import BudgetItems
from mediarelay.budgets.ports import Allowance, BudgetChange, BudgetState, Changed, Entry, Unchanged
from mediarelay.budgets.sharding import USD_A_SHARD
from mediarelay.budgets.windows import NANOS
from tests.doubles.clock import ManualClock
from tests.doubles.trouble import WorkerKilled
from tests.harness.local_aws import REGION, TELEMETRY, LocalAws, local_aws

MONTH = "2026-11"
DAYS = (27, 28)
JOBS_OF_THE_TEST = [f"job-{number}" for number in range(40)]
PAYER = "tenant:acme"


def usd(amount: float) -> int:
    return round(amount * NANOS)


class Mortal:
    """A client of DynamoDB whose worker dies after so many calls, before the last one is sent or after it was."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.left: int | None = None
        self.sends = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**fields: Any) -> Any:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    if self.sends:
                        getattr(self._client, name)(**fields)
                    raise WorkerKilled
            return getattr(self._client, name)(**fields)

        return call


class SpreadBudget(RuleBasedStateMachine):
    """One payer whose budget is spread. What may be set aside at most is what the plan says, or what was used when it
    was cut."""

    def __init__(self) -> None:
        super().__init__()
        self._aws = account()
        self.client = Mortal(self._aws.__enter__().dynamodb)
        self.clock = ManualClock()
        self.standing: dict[str, Entry] = {}
        self.most_used = dict.fromkeys((0, *DAYS), 0)
        self.marks = 0

    def teardown(self) -> None:
        self._aws.__exit__(None, None, None)

    @initialize(day=st.sampled_from([500, 1000, 2600]), month=st.sampled_from([None, 15_000, 40_000]))
    def begin(self, day: int, month: int | None) -> None:
        self.plan = Allowance(usd(day), None if month is None else usd(month))
        self.new_worker()

    @rule()
    def new_worker(self) -> None:
        self.store = DynamoBudgets(self.client, TELEMETRY, self.clock.now)

    @rule(seconds=st.sampled_from([1.0, 11.0, LOOK_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(day=st.sampled_from([1, 100, 900, 5000]), month=st.sampled_from([None, 300, 90_000]))
    def change_the_plan(self, day: int, month: int | None) -> None:
        self.plan = Allowance(usd(day), None if month is None else usd(month))
        self.note_what_is_used()

    @rule(
        job=st.sampled_from(JOBS_OF_THE_TEST),
        amount=st.sampled_from([1, 30, 90, 260, 700]),
        day=st.sampled_from(DAYS),
        dies_after=st.none() | st.integers(0, 6),
        sends=st.booleans(),
    )
    def set_aside(self, job: str, amount: int, day: int, dies_after: int | None, *, sends: bool) -> None:
        self.marks += 1
        wanted = Entry(day, usd(amount), f"{self.marks:08x}", "fal")
        change = BudgetChange(PAYER, MONTH, job, None, wanted, allowance=self.plan)
        answer = self.done(change, dies_after, sends=sends)
        if isinstance(answer, Unchanged) and answer.entry is None and self.allows(day, usd(amount)):
            self.clock.advance(SOON_SECONDS)
            answer = self.done(change, None, sends=False)
            assert isinstance(answer, Changed), "what fits is found, wherever it is left"
        if isinstance(answer, Changed):
            assert job not in self.standing
            self.standing[job] = wanted
        elif isinstance(answer, Unchanged):
            assert answer.entry == self.standing.get(job)

    @precondition(lambda self: self.standing)
    @rule(data=st.data(), spent=st.sampled_from([0.0, 0.5, 1.0]), dies_after=st.none() | st.integers(0, 3))
    def release(self, data: st.DataObject, spent: float, dies_after: int | None) -> None:
        job = data.draw(st.sampled_from(sorted(self.standing)))
        before = self.standing[job]
        change = BudgetChange(PAYER, MONTH, job, before, None, charged={"fal": round(before.amount * spent)})
        if isinstance(self.done(change, dies_after, sends=False), Changed):
            del self.standing[job]

    @precondition(lambda self: self.standing)
    @rule(data=st.data(), more=st.sampled_from([1, 100, 600]))
    def raise_it(self, data: st.DataObject, more: int) -> None:
        job = data.draw(st.sampled_from(sorted(self.standing)))
        before = self.standing[job]
        after = replace(before, amount=before.amount + usd(more))
        change = BudgetChange(PAYER, MONTH, job, before, after, allowance=self.plan)
        answer = self.done(change, None, sends=False)
        if isinstance(answer, Unchanged) and self.allows(before.day, usd(more)):
            self.clock.advance(SOON_SECONDS)
            answer = self.done(change, None, sends=False)
            assert isinstance(answer, Changed)
        if isinstance(answer, Changed):
            self.standing[job] = after

    def done(self, change: BudgetChange, dies_after: int | None, *, sends: bool) -> Changed | Unchanged | None:
        """Make a change. None where the worker died; another one then finds out what stands."""
        self.client.left, self.client.sends = dies_after, sends
        try:
            return self.store.change(change)
        except WorkerKilled:
            self.client.left = None
            self.new_worker()
            found = self.store.entry(PAYER, MONTH, change.job_id)
            if found is None:
                self.standing.pop(change.job_id, None)
            else:
                self.standing[change.job_id] = found
            return None
        finally:
            self.client.left = None

    def state(self) -> BudgetState | None:
        # Listed, whoever died before that: a test of its own is below.
        BudgetItems(self.client, TELEMETRY, self.clock.now).list_payer(PAYER, MONTH)
        found = DynamoBudgets(self.client, TELEMETRY, self.clock.now).month(MONTH)
        return found[0] if found else None

    def allows(self, day: int, more: int) -> bool:
        """Whether that could be set aside: nobody is overdrawn, and the whole has room."""
        state = self.state()
        used, of_day = (state.used, state.days.get(day, 0)) if state else (0, 0)
        month_fits = self.plan.month is None or used + more <= self.plan.month
        return month_fits and self.plan.day is not None and of_day + more <= self.plan.day

    def note_what_is_used(self) -> None:
        state = self.state()
        self.most_used[0] = state.used if state else 0
        for day in DAYS:
            self.most_used[day] = state.days.get(day, 0) if state else 0

    @invariant()
    def never_more_than_the_budget(self) -> None:
        state = self.state()
        if state is None:
            return
        assert {job: entry.amount for job, entry in state.entries.items()} == {
            job: entry.amount for job, entry in self.standing.items()
        }
        assert state.used == sum(state.spent.values()) + sum(entry.amount for entry in state.entries.values())
        assert self.plan.month is None or state.used <= max(self.plan.month, self.most_used[0])
        for day in DAYS:
            assert self.plan.day is None or state.days.get(day, 0) <= max(self.plan.day, self.most_used[day])


@contextmanager
def account() -> Iterator[LocalAws]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        with local_aws() as aws:
            yield aws


TestSpreadBudget = SpreadBudget.TestCase
TestSpreadBudget.settings = settings(max_examples=settings().max_examples // 10, stateful_step_count=30)


@pytest.mark.parametrize("day", [10, 500])
def test_a_budget_whose_first_worker_died_before_it_was_listed_is_listed_by_the_next(day: int) -> None:
    plan = Allowance(usd(day), None)

    def asks(store: DynamoBudgets, job: str) -> object:
        wanted = Entry(27, usd(1), "00000001", "fal")
        return store.change(BudgetChange(PAYER, MONTH, job, None, wanted, allowance=plan))

    with account() as aws:
        clock, client = ManualClock(), Mortal(aws.dynamodb)
        client.left = 1 if day < USD_A_SHARD else 4
        with pytest.raises(WorkerKilled):
            asks(DynamoBudgets(client, TELEMETRY, clock.now), "job-1")
        another = DynamoBudgets(aws.dynamodb, TELEMETRY, clock.now)
        asks(another, "job-2")
        (found,) = another.month(MONTH)
        assert found.used == usd(2)
