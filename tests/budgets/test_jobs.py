"""Claims and openings under a budget, one by one: what is set aside for a job stays with it until its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.budgets.earmarking import FULL_SECONDS, Budgets
from mediarelay.budgets.jobs import BudgetedJobs, BudgetedMediaJobs
from mediarelay.budgets.ports import BudgetChange, BudgetState, Changed, Entry, Unchanged
from mediarelay.job_records.claims import Claim, Claimed, Settlement
from mediarelay.job_records.contract import Spending
from mediarelay.long_jobs.ports import Opened
from mediarelay.vocabulary.errors import OverBudget, StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from tests.builders.dice import dice
from tests.builders.requests import claim
from tests.doubles.clock import ManualClock
from tests.doubles.jobs import FixedPlan, MemoryBudgets, MemoryMediaJobs
from tests.doubles.trouble import Flaky

TEN = {"tenants": {"acme": {"month_usd": 10}}}
SPENT = {"tenants": {"acme": {"month_usd": 1}}}
FORTY_DAYS = 40 * 24 * 3600


class Purses:
    """The Jobs table and its budgets in memory."""

    def __init__(self) -> None:
        self.clock, self.store, self.plan = ManualClock(), MemoryBudgets(), FixedPlan(json.dumps(TEN))
        self.records = MemoryMediaJobs()
        self.budgets = Budgets(self.store, self.plan, self.clock, dice(0))
        self.jobs = BudgetedJobs(self.records, self.budgets)
        self.media = BudgetedMediaJobs(self.records, self.budgets)

    def wish(self, claim_id: str, usd: float | None, **fields: Any) -> Claim:
        at = round(self.clock.now() * 1000)
        purchase = _bought(SpendingState.SENDING, usd, at) if usd is not None else None
        return claim("acme!job", claim_id, at=at, tenant="acme", purchase=purchase, **fields)

    def claimed(self, claim_id: str, usd: float | None, **fields: Any) -> Claimed:
        answer = self.jobs.claim(self.wish(claim_id, usd, **fields))
        assert isinstance(answer, Claimed)
        return answer

    def settled(self, claimed: Claimed, claim_id: str, usd: float) -> None:
        """Settle a job that was bought for so much."""
        assert claimed.purse is not None
        at, earmark = round(self.clock.now() * 1000), claimed.purse.earmark
        bought = [_bought(SpendingState.UNKNOWN, usd, at)]
        self.jobs.settle(
            Settlement("acme!job", claim_id, JobStatus.SUCCEEDED, at, 1, 1, purchases=bought, earmark=earmark)
        )

    def counted(self) -> dict[str, tuple[dict[str, Entry], int]]:
        """What stands and what is used, by payer."""
        return {each.payer: (dict(each.entries), each.used) for each in self.store.month("2026-08")}

    def state(self, month: str) -> BudgetState | None:
        return next(iter(self.store.month(month)), None)


@pytest.fixture
def purses() -> Purses:
    return Purses()


def _bought(state: SpendingState, usd: float, at: int) -> Spending:
    return Spending(provider="openai-tts", model="tts-1", estimate_usd=usd, state=state, at=at)


def test_a_job_that_comes_again_in_another_month_counts_whole_in_the_one_in_which_it_began(purses: Purses) -> None:
    purses.claimed("first", 4)
    at = round(purses.clock.now() * 1000)
    in_vain = _bought(SpendingState.UNKNOWN, 4, at)
    purses.jobs.defer("acme!job", "first", until=at, attempts=(), purchases=[in_vain])
    purses.clock.advance(FORTY_DAYS)
    again = purses.claimed("second", 5, known=True)
    assert again.purse is not None
    assert (again.purse.earmark.month, again.purse.earmark.usd) == ("2026-08", 9)
    purses.jobs.settle(
        Settlement(
            "acme!job", "second", JobStatus.SUCCEEDED, at, 1, 1,
            purchases=[in_vain, _bought(SpendingState.UNKNOWN, 5, at + 1)], earmark=again.purse.earmark,
        )
    )  # fmt: skip
    began, since = purses.state("2026-08"), purses.state("2026-09")
    assert began is not None
    assert (began.entries, began.used) == ({}, 9 * 10**9)
    assert since is not None
    assert (since.entries, since.used) == ({}, 0)


def test_what_was_bought_before_there_was_a_budget_counts_before_more_is_bought(purses: Purses) -> None:
    purses.plan.written = "{}"
    purses.claimed("first", 8)
    at = round(purses.clock.now() * 1000)
    purses.jobs.defer("acme!job", "first", until=at, attempts=(), purchases=[_bought(SpendingState.UNKNOWN, 8, at)])
    purses.plan.written = json.dumps(TEN)
    again = purses.claimed("second", 4, known=True)
    assert again.purse is not None
    record = purses.records.get("acme!job")
    assert record is not None
    assert [each.estimate_usd for each in record.purchases] == [8], "beyond the budget nothing is about to be bought"


def test_a_duplicate_of_a_clip_that_is_open_asks_no_budget_for_it_again(purses: Purses) -> None:
    purses.media.open(purses.wish("", 4))
    purses.plan.written = json.dumps(SPENT)
    purses.clock.advance(FORTY_DAYS)
    answer = purses.media.open(purses.wish("", 4))
    assert isinstance(answer, Opened)
    assert answer.again
    began = purses.state("2026-08")
    assert began is not None
    assert list(began.entries) == ["acme!job"]


def test_a_clip_that_is_not_open_is_refused(purses: Purses) -> None:
    purses.plan.written = json.dumps(SPENT)
    with pytest.raises(OverBudget):
        purses.media.open(purses.wish("", 4))


def test_what_was_set_aside_for_a_job_that_was_never_claimed_is_released_when_it_is_too_late(purses: Purses) -> None:
    away = Flaky(purses.records, "claim", times=1)
    jobs = BudgetedJobs(away, purses.budgets)
    with pytest.raises(StoreUnavailable):
        jobs.claim(purses.wish("first", 4))
    left = purses.state("2026-08")
    assert left is not None
    assert left.used == 4 * 10**9
    assert isinstance(jobs.claim(purses.wish("second", None, known=True)), Claimed)
    after = purses.state("2026-08")
    assert after is not None
    assert (after.used, after.entries) == (0, {})


def test_a_budget_that_is_away_keeps_no_job_from_its_end(purses: Purses) -> None:
    budgets = Budgets(Flaky(purses.store, "entry"), purses.plan, purses.clock, dice(0))
    answer = BudgetedJobs(purses.records, budgets).claim(purses.wish("second", None, known=True))
    assert isinstance(answer, Claimed)


def test_thousands_of_jobs_at_once_wait_for_each_other_and_none_goes_beyond_the_budget(purses: Purses) -> None:
    """A clip holds its entry for minutes; an item of the table has room for so many."""
    waiting, done, most = [f"acme!{number:032}" for number in range(4000)], 0, 0
    while waiting:
        under_way, put_off = [], []
        for job in waiting:
            try:
                wanted = _bought(SpendingState.SENDING, 0.002, 1)
                answer = purses.jobs.claim(claim(job, job, tenant="acme", purchase=wanted))
            except StoreUnavailable:
                put_off.append(job)
                continue
            assert isinstance(answer, Claimed)
            assert answer.purse is not None
            under_way.append((job, answer.purse.earmark))
        most = max(most, len(under_way))
        for job, earmark in under_way:
            spent = [_bought(SpendingState.UNKNOWN, 0.002, 1)]
            purses.jobs.settle(Settlement(job, job, JobStatus.SUCCEEDED, 1, 1, 1, purchases=spent, earmark=earmark))
        done += len(under_way)
        waiting = put_off
        purses.clock.advance(FULL_SECONDS)
    state = purses.state("2026-08")
    assert state is not None
    assert (done, state.entries, state.used) == (4000, {}, 4000 * 2_000_000)
    assert 1000 < most < 4000


def test_a_budget_without_room_is_looked_at_and_not_written_to_for_a_while(purses: Purses) -> None:
    entry = Entry(1, 1, "mark", "openai-tts")
    for number in range(3000):
        purses.store.change(BudgetChange("tenant:acme", "2026-08", f"acme!{number:032}", None, entry))
    with pytest.raises(StoreUnavailable, match="too many jobs under way"):
        purses.jobs.claim(purses.wish("first", 1))
    written = purses.store.changes
    with pytest.raises(StoreUnavailable, match="too many jobs under way"):
        purses.jobs.claim(purses.wish("second", 1))
    assert purses.store.changes == written
    standing = claim(f"acme!{7:032}", "third", tenant="acme", purchase=_bought(SpendingState.SENDING, 1e-9, 1))
    assert isinstance(purses.jobs.claim(standing), Claimed)  # it has its entry: it goes on, and makes room


class _Overtaken:
    """Jobs of which another delivery of the message claims one first."""

    def __init__(self, jobs: Any, other: Any) -> None:
        self._jobs, self._other = jobs, other

    def __getattr__(self, name: str) -> Any:
        if name in ("claim", "open"):
            self._other()
        return getattr(self._jobs, name)


@pytest.mark.parametrize("known", [False, True])
def test_two_deliveries_at_once_count_what_the_one_buys_that_claims_it_by_what_the_other_set_aside(
    purses: Purses, *, known: bool
) -> None:
    claims: list[Claimed] = []
    late = BudgetedJobs(
        _Overtaken(purses.records, lambda: claims.append(purses.claimed("second", 4))),
        Budgets(purses.store, purses.plan, purses.clock, dice(1)),
    )
    answer = late.claim(purses.wish("first", 4, known=known))
    assert not isinstance(answer, Claimed)
    (won,) = claims
    purses.settled(won, "second", 4)
    assert purses.counted() == {"tenant:acme": ({}, 4 * 10**9)}


def test_a_budget_that_is_set_while_a_job_waits_and_the_one_that_stood_count_the_same(purses: Purses) -> None:
    purses.plan.written = json.dumps({"stage": {"month_usd": 10}})
    purses.claimed("first", 4)
    at = round(purses.clock.now() * 1000)
    purses.jobs.defer("acme!job", "first", until=at, attempts=())
    purses.plan.written = json.dumps({"stage": {"month_usd": 10}, **TEN})
    purses.settled(purses.claimed("second", 5, known=True), "second", 5)
    assert purses.counted() == {"stage": ({}, 5 * 10**9), "tenant:acme": ({}, 5 * 10**9)}


class _Refusing:
    """Budgets of which the stage's refuses once, before another delivery comes by."""

    def __init__(self, store: MemoryBudgets, other: Callable[[], None]) -> None:
        self._store, self._other = store, other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def change(self, change: BudgetChange) -> Changed | Unchanged:
        answer = self._store.change(change)
        if change.payer == "stage":
            self._other()
        return answer


def test_what_one_delivery_is_refused_is_not_taken_from_another_that_found_it(purses: Purses) -> None:
    purses.plan.written = json.dumps({"stage": {"month_usd": 5}, **TEN})
    other = BudgetChange("stage", "2026-08", "acme!other", None, Entry(1, 3 * 10**9, "mark", "openai-tts"))
    purses.store.change(other)

    def ended() -> None:
        purses.store.change(replace(other, before=other.after, after=None))
        with pytest.raises(StoreUnavailable, match="another delivery"):
            purses.jobs.claim(purses.wish("second", 4))

    refused = Budgets(_Refusing(purses.store, ended), purses.plan, purses.clock, dice(1))
    with pytest.raises(OverBudget):
        BudgetedJobs(purses.records, refused).claim(purses.wish("first", 4))
    purses.settled(purses.claimed("third", 4, known=True), "third", 4)
    assert purses.counted() == {"stage": ({}, 4 * 10**9), "tenant:acme": ({}, 4 * 10**9)}
