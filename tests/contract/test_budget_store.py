"""Both stores of budgets set aside and release alike, each change once and never beyond what is allowed."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mediarelay.budgets.contract import BudgetLevel
from mediarelay.budgets.dynamodb import DynamoBudgets
from mediarelay.budgets.ports import (
    Allowance,
    BudgetChange,
    BudgetSource,
    BudgetState,
    BudgetStore,
    Changed,
    Entry,
    Unchanged,
)
from mediarelay.budgets.ssm import PLAN_SECONDS, RETRY_SECONDS, ParameterBudgets, ParameterDocument
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.jobs import FixedPlan, MemoryBudgets
from tests.harness.local_aws import TELEMETRY, LocalAws

TEN = Allowance(day=None, month=10_000)
ENTRY = Entry(28, 4_000, "abc123", "openai-tts")
ASIDE = BudgetChange("tenant:acme", "2026-11", "job-1", None, ENTRY, allowance=TEN)
RELEASE = replace(ASIDE, before=ENTRY, after=None, charged={"openai-tts": 3_000}, allowance=None)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> BudgetStore:
    if request.param == "memory":
        return MemoryBudgets()
    return DynamoBudgets(request.getfixturevalue("aws").dynamodb, TELEMETRY, lambda: EPOCH)


def state(store: BudgetStore) -> BudgetState:
    (found,) = store.month("2026-11")
    return found


def test_what_is_set_aside_counts_until_it_is_released_for_what_was_spent(store: BudgetStore) -> None:
    assert store.change(ASIDE) == Changed(4_000, 4_000)
    assert state(store).entries == {"job-1": ENTRY}
    assert store.entry("tenant:acme", "2026-11", "job-1") == ENTRY
    assert store.entry("tenant:acme", "2026-11", "job-2") is None
    assert store.entry("tenant:other", "2026-11", "job-1") is None
    assert state(store).allowance == TEN
    assert store.change(RELEASE) == Changed(3_000, 3_000)
    after = state(store)
    assert (after.used, after.days, after.spent, after.entries) == (3_000, {28: 3_000}, {"openai-tts": 3_000}, {})


def test_a_job_has_one_entry_however_often_it_is_set_aside(store: BudgetStore) -> None:
    store.change(ASIDE)
    assert store.change(replace(ASIDE, after=replace(ENTRY, mark="other"))) == Unchanged(ENTRY, 4_000, 4_000)
    assert state(store).used == 4_000


def test_releasing_twice_counts_once(store: BudgetStore) -> None:
    store.change(ASIDE)
    store.change(RELEASE)
    assert store.change(RELEASE) == Unchanged(None, 3_000, 3_000)
    assert state(store).used == 3_000


def test_an_entry_that_has_changed_is_not_released_unseen(store: BudgetStore) -> None:
    store.change(ASIDE)
    raised = replace(ENTRY, amount=5_000)
    assert store.change(replace(ASIDE, before=ENTRY, after=raised)) == Changed(5_000, 5_000)
    assert store.change(RELEASE) == Unchanged(raised, 5_000, 5_000)


@pytest.mark.parametrize("allowance", [TEN, Allowance(day=10_000, month=None), Allowance(day=10_000, month=99_000)])
def test_no_more_is_set_aside_than_is_allowed(store: BudgetStore, allowance: Allowance) -> None:
    big = replace(ASIDE, after=replace(ENTRY, amount=7_000), allowance=allowance)
    assert store.change(big) == Changed(7_000, 7_000)
    assert store.change(replace(ASIDE, job_id="job-2", allowance=allowance)) == Unchanged(None, 7_000, 7_000)
    fits = replace(ASIDE, job_id="job-2", after=replace(ENTRY, amount=3_000), allowance=allowance)
    assert store.change(fits) == Changed(10_000, 10_000)
    one_more = replace(fits, job_id="job-3", after=replace(ENTRY, amount=1))
    assert store.change(one_more) == Unchanged(None, 10_000, 10_000)


def test_more_than_a_whole_budget_is_not_set_aside(store: BudgetStore) -> None:
    assert store.change(replace(ASIDE, after=replace(ENTRY, amount=10_001))) == Unchanged(None, 0, 0)


def test_each_day_has_its_own(store: BudgetStore) -> None:
    daily = Allowance(day=4_000, month=None)
    store.change(replace(ASIDE, allowance=daily))
    tomorrow = replace(ASIDE, job_id="job-2", after=replace(ENTRY, day=29), allowance=daily)
    assert store.change(tomorrow) == Changed(8_000, 4_000)


def test_many_threads_set_aside_exactly_what_is_allowed(store: BudgetStore) -> None:
    answers: list[Changed | Unchanged] = []

    def one(number: int) -> None:
        entry = replace(ENTRY, amount=700)
        answers.append(store.change(replace(ASIDE, job_id=f"job-{number}", after=entry)))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(answer, Changed) for answer in answers) == 14
    assert state(store).used == 14 * 700


SPREAD = Allowance(day=1_000 * 10**9, month=None)  # over four items, where the store has any


def test_a_large_budget_is_set_aside_to_the_last_of_it_and_no_further(store: BudgetStore) -> None:
    one = replace(ASIDE, allowance=SPREAD, after=replace(ENTRY, amount=300 * 10**9))
    answers = [store.change(replace(one, job_id=f"job-{number}")) for number in range(5)]
    assert [isinstance(answer, Changed) for answer in answers] == [True, True, True, False, False]
    assert answers[-1] == Unchanged(None, 900 * 10**9, 900 * 10**9)
    assert isinstance(store.change(replace(one, job_id="last", after=replace(ENTRY, amount=100 * 10**9))), Changed)
    after = state(store)
    assert (after.used, after.days, len(after.entries)) == (1_000 * 10**9, {28: 1_000 * 10**9}, 4)
    assert after.allowance == SPREAD


def test_jobs_of_a_large_budget_are_set_aside_raised_and_released_once(store: BudgetStore) -> None:
    jobs = [f"job-{number}" for number in range(12)]
    raised = replace(ENTRY, amount=5_000)
    for job in jobs:
        aside = replace(ASIDE, job_id=job, allowance=SPREAD)
        assert isinstance(store.change(aside), Changed)
        again = store.change(replace(aside, after=replace(ENTRY, mark="other")))
        assert isinstance(again, Unchanged)
        assert again.entry == ENTRY == store.entry("tenant:acme", "2026-11", job)
        assert isinstance(store.change(replace(aside, before=ENTRY, after=raised)), Changed)
        release = replace(RELEASE, job_id=job, before=raised)
        assert isinstance(store.change(release), Changed)
        assert isinstance(store.change(release), Unchanged)
        assert store.entry("tenant:acme", "2026-11", job) is None
    after = state(store)
    assert (after.used, after.spent, after.entries) == (12 * 3_000, {"openai-tts": 12 * 3_000}, {})


@pytest.mark.parametrize(("first", "then"), [(TEN, SPREAD), (SPREAD, TEN)], ids=["raised", "cut"])
def test_how_a_budget_is_spread_stays_so_in_its_month_whatever_a_worker_knows(
    aws: LocalAws, first: Allowance, then: Allowance
) -> None:
    jobs = [f"job-{number}" for number in range(8)]
    before, after = (DynamoBudgets(aws.dynamodb, TELEMETRY, lambda: EPOCH) for _ in range(2))
    entry = replace(ENTRY, amount=1_250)
    for job in jobs:
        assert isinstance(before.change(replace(ASIDE, job_id=job, after=entry, allowance=first)), Changed)
    answers = [after.change(replace(ASIDE, job_id=job, after=entry, allowance=then)) for job in jobs]
    assert [answer.entry for answer in answers if isinstance(answer, Unchanged)] == [entry] * 8
    further = after.change(replace(ASIDE, job_id="further", after=replace(ENTRY, amount=1), allowance=then))
    assert isinstance(further, Changed) is (then == SPREAD)
    for job in jobs:
        release = replace(RELEASE, job_id=job, before=entry)
        unknowing = DynamoBudgets(aws.dynamodb, TELEMETRY, lambda: EPOCH)
        assert isinstance(unknowing.change(release), Changed)
    assert state(after).entries.keys() <= {"further"}


class _Conflicts:
    """A table whose item is in a transaction while it is written to."""

    def __init__(self, client: Any, times: int) -> None:
        self._client, self._times = client, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **fields: Any) -> Any:
        self._times -= 1
        if self._times >= 0:
            raise ClientError({"Error": {"Code": "TransactionConflictException", "Message": ""}}, "UpdateItem")
        return self._client.update_item(**fields)


def test_a_write_that_meets_a_loan_between_shards_is_made_again_at_once(aws: LocalAws) -> None:
    busy = DynamoBudgets(_Conflicts(aws.dynamodb, times=3), TELEMETRY, lambda: EPOCH)
    assert busy.change(ASIDE) == Changed(4_000, 4_000)
    with pytest.raises(StoreUnavailable, match="TransactionConflictException"):
        DynamoBudgets(_Conflicts(aws.dynamodb, times=9), TELEMETRY, lambda: EPOCH).change(RELEASE)


def test_entries_end_well_before_an_item_does_and_those_that_stand_can_be_changed_and_released(
    store: BudgetStore,
) -> None:
    boundless = replace(ASIDE, allowance=Allowance(None, 10**12))
    jobs = [f"{'acme!' * 40}{number}" for number in range(510)]
    answers = [store.change(replace(boundless, job_id=job)) for job in jobs]
    held = [job for job, answer in zip(jobs, answers, strict=True) if isinstance(answer, Changed)]
    assert held == jobs[: len(held)]
    assert 300 < len(held) < 500
    used = len(held) * ENTRY.amount
    assert {*answers[len(held) :]} == {Unchanged(None, used, used, full=True)}
    dear = replace(boundless, job_id="one", allowance=TEN)
    assert store.change(dear) == Unchanged(None, used, used)
    raised = replace(ENTRY, amount=123_000)
    assert isinstance(store.change(replace(boundless, job_id=held[0], before=ENTRY, after=raised)), Changed)
    assert isinstance(store.change(replace(RELEASE, job_id=held[1])), Changed)
    assert store.change(replace(boundless, job_id=jobs[-1])) == Changed(used + 122_000, used + 122_000)
    assert isinstance(store.change(replace(boundless, job_id=jobs[-2])), Unchanged)


def test_a_level_is_recorded_once(store: BudgetStore) -> None:
    level = BudgetLevel(payer="tenant:acme", window="2026-11", level=50, used_usd=5.0, most_usd=10.0, at=EPOCH)
    assert store.tell(level)
    assert not store.tell(level.model_copy(update={"at": EPOCH + 1}))
    assert store.tell(level.model_copy(update={"level": 80}))


DOCUMENT = '{"tenants": {"acme": {"month_usd": 10}}}'


@pytest.fixture(params=["fixed", "ssm"])
def source(request: pytest.FixtureRequest) -> BudgetSource:
    if request.param == "fixed":
        return FixedPlan(DOCUMENT)
    ssm = request.getfixturevalue("aws").ssm
    ssm.put_parameter(Name="/mediarelay/budgets", Type="String", Value=DOCUMENT)
    return ParameterBudgets(ssm, "/mediarelay/budgets", ManualClock().now)


def test_budgets_are_read(source: BudgetSource) -> None:
    (payer,) = source.load().payers("acme")
    assert (payer.name, payer.allowance) == ("tenant:acme", Allowance(None, 10_000_000_000))
    assert source.load().payers(None) == []


@pytest.mark.parametrize("value", ["{", '{"tenants": {"acme": {"month_usd": -1}}}', "[]"])
def test_nothing_is_bought_while_the_first_document_cannot_be_read(aws: LocalAws, value: str) -> None:
    aws.ssm.put_parameter(Name="/mediarelay/budgets", Type="String", Value=value)
    with pytest.raises(StoreUnavailable, match="budgets parameter"):
        ParameterBudgets(aws.ssm, "/mediarelay/budgets", ManualClock().now).load()


def test_a_parameter_that_is_not_there_is_an_outage(aws: LocalAws) -> None:
    with pytest.raises(StoreUnavailable, match="budgets parameter"):
        ParameterBudgets(aws.ssm, "/mediarelay/none", ManualClock().now).load()


class _CountedReads:
    """Counts what is asked of Systems Manager, which may be away."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.away = False
        self.count = 0

    def get_parameter(self, **fields: Any) -> Any:
        self.count += 1
        return self._client.get_parameter(**fields | ({"Name": "/mediarelay/none"} if self.away else {}))


def test_while_it_cannot_be_read_the_last_document_counts_and_it_is_asked_for_now_and_then(aws: LocalAws) -> None:
    aws.ssm.put_parameter(Name="/mediarelay/budgets", Type="String", Value=DOCUMENT)
    clock, reads = ManualClock(), _CountedReads(aws.ssm)
    source = ParameterBudgets(reads, "/mediarelay/budgets", clock.now)
    known = source.load()
    reads.away = True
    clock.advance(PLAN_SECONDS)
    assert [source.load() for _ in range(10)] == [known] * 10
    assert reads.count == 2
    clock.advance(RETRY_SECONDS)
    source.load()
    assert reads.count == 3
    reads.away = False
    aws.ssm.put_parameter(Name="/mediarelay/budgets", Type="String", Value="{}", Overwrite=True)
    clock.advance(RETRY_SECONDS)
    assert source.load().payers("acme") == []


def test_the_document_is_empty_at_first_and_then_what_was_written(aws: LocalAws) -> None:
    document = ParameterDocument(aws.ssm, "/mediarelay/budgets")
    assert document.read() == ""
    for text in ("{}", DOCUMENT):
        document.write(text)
        assert document.read() == text
