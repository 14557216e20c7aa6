"""Requests under a budget, through the shipped dispatcher, machines and settlers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.bootstrap.calling import BudgetPorts
from mediarelay.budgets.earmarking import Budgets, JobPurse, entry_of
from mediarelay.budgets.jobs import BudgetedJobs
from mediarelay.budgets.ports import BudgetChange, BudgetState, Changed, Entry
from mediarelay.job_records.claims import AlreadySettled
from mediarelay.job_records.contract import Earmark
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.dice import dice
from tests.builders.requests import claim, message, tts, video
from tests.doubles.clock import ManualClock
from tests.doubles.job_vendors import reset
from tests.doubles.jobs import FixedPlan, MemoryBudgets
from tests.doubles.scripted_http import Answer, unanswered
from tests.doubles.trouble import KillSwitch, Mortal, Outage, WorkerKilled
from tests.harness.bench import Bench
from tests.harness.long_jobs.speeches import SpeechBench
from tests.harness.long_jobs.workflow import Bench as ClipBench
from tests.harness.worker import World, worker

SAID = "a" * 40  # ElevenLabs takes $0.0032 for it, OpenAI a fifth of that
ELEVEN: dict[str, Any] = {"providers": ["elevenlabs-tts"], "tenant": "acme"}
BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered", "tenant": "acme"}
IN_VAIN = Answer(200, b"<html>busy</html>", {"content-type": "audio/mpeg"}, paid=True)
TEXT = "The keeper of the lighthouse counts the ships. " * 240
PRICE = 0.0032
LOST = "arn:aws:sqs:eu-central-1:000000000000:lost-requests"


def budgeted(world: World, **plan: Any) -> MemoryBudgets:
    store = MemoryBudgets()
    world.budgets = BudgetPorts(store, FixedPlan(json.dumps(plan)))
    return store


def acme(**usd: float) -> dict[str, Any]:
    return {"tenants": {"acme": usd}}


def states(store: MemoryBudgets) -> dict[str, BudgetState]:
    return {state.payer: state for state in store.month("2026-08")}


def usd(amount: int) -> float:
    return amount / 1e9


def test_what_was_spent_counts_by_provider_and_nothing_stays_set_aside() -> None:
    bench = Bench()
    store = budgeted(bench.world, stage={"month_usd": 5}, **acme(month_usd=1))
    record = bench.served(tts(SAID, **ELEVEN))
    assert record.status is JobStatus.SUCCEEDED
    assert record.earmark is not None
    for state in states(store).values():
        assert usd(state.used) == pytest.approx(record.cost_usd)
        assert usd(state.spent["elevenlabs-tts"]) == pytest.approx(record.cost_usd)
        assert state.entries == {}
    assert sorted(states(store)) == ["stage", "tenant:acme"]


def test_whoever_has_no_budget_costs_no_write() -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(month_usd=1))
    record = bench.served(tts(SAID, **ELEVEN | {"tenant": "other"}))
    assert (record.status, record.earmark, store.changes) == (JobStatus.SUCCEEDED, None, 0)


def test_a_star_is_for_every_other_tenant() -> None:
    bench = Bench()
    store = budgeted(bench.world, tenants={"*": {"day_usd": 1}, "acme": {"day_usd": 2}})
    bench.served(tts(SAID, **ELEVEN | {"tenant": "other"}))
    assert list(states(store)) == ["tenant:other"]


@pytest.mark.parametrize("window", ["day_usd", "month_usd"])
def test_over_budget_nothing_is_bought_and_the_id_may_be_used_again(window: str) -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(**{window: PRICE * 1.5}))
    bench.served(tts(SAID, request_id="one", **ELEVEN))
    refused = bench.served(tts(SAID, request_id="two", **ELEVEN))
    assert refused.error is not None
    assert (refused.status, refused.error.code, refused.error.retryable) == (JobStatus.REJECTED, "over_budget", True)
    assert "tenant:acme has $0.0016 left of $0.0048" in refused.error.message
    assert (len(bench.http.calls), bench.causes()) == (1, [])
    assert states(store)["tenant:acme"].entries == {}
    bench.clock.advance(40 * 24 * 3600)
    later = message(tts(SAID, request_id="two", **ELEVEN), sent_at=round(bench.clock.now() * 1000))
    bench.handle(later)
    mended = bench.world.jobs.get("acme!two")
    assert mended is not None
    assert mended.status is JobStatus.SUCCEEDED


def test_a_month_that_would_just_be_used_up_is_not_what_a_request_is_refused_for() -> None:
    bench = Bench()
    budgeted(bench.world, **acme(day_usd=PRICE * 1.5, month_usd=PRICE * 2))
    bench.served(tts(SAID, request_id="one", **ELEVEN))
    refused = bench.served(tts(SAID, request_id="two", **ELEVEN))
    assert refused.error is not None
    assert "has $0.0016 left of $0.0048 for 2026-08-01 (UTC)" in refused.error.message


def test_a_purchase_that_costs_just_what_is_set_aside_costs_no_further_write() -> None:
    store, clock = MemoryBudgets(), ManualClock()
    budgets = Budgets(store, FixedPlan(json.dumps(acme(month_usd=1))), clock, dice())
    month, (aside,) = budgets.set_aside("job-1", "acme", "elevenlabs-tts", PRICE)
    entry, changes = aside.entry, store.changes
    earmark = Earmark(
        payers=[aside.payer], month=month, day=entry.day, amount=entry.amount, mark=entry.mark, provider=entry.provider
    )
    purse = JobPurse(budgets, "job-1", "acme", earmark)
    assert purse.reaches(PRICE)
    assert store.changes == changes
    assert purse.reaches(PRICE * 2)
    assert store.changes > changes


def test_the_stage_refuses_and_the_tenants_part_is_given_back() -> None:
    bench = Bench()
    store = budgeted(bench.world, stage={"day_usd": PRICE / 2}, **acme(day_usd=5))
    assert bench.served(tts(SAID, request_id="one", **ELEVEN)).status is JobStatus.REJECTED
    assert (states(store)["tenant:acme"].used, states(store)["tenant:acme"].entries) == (0, {})


def test_it_waits_for_the_next_day_where_that_is_before_its_deadline() -> None:
    bench = Bench()
    budgeted(bench.world, **acme(day_usd=PRICE * 1.5))
    bench.served(tts(SAID, request_id="one", **ELEVEN))
    bench.handle(tts(SAID, request_id="two", on_budget="wait", timeout_seconds=86_400, **ELEVEN))
    assert len(bench.http.calls) == 1
    for _ in range(60):
        bench.clock.advance(900)
        for copy in bench.queue.due():
            bench.handle(copy)
    record = bench.world.jobs.get("acme!two") or bench.handle(tts(SAID, request_id="two", **ELEVEN))
    assert record is not None
    assert (record.status, len(bench.http.calls)) == (JobStatus.SUCCEEDED, 2)


def test_with_too_many_jobs_under_way_it_waits_for_one_to_end(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(month_usd=1000))
    others = [
        BudgetChange("tenant:acme", "2026-08", f"acme!{number:032}", None, Entry(1, 1, "mark", "openai-tts"))
        for number in range(3000)
    ]
    held = [each for each in others if isinstance(store.change(each), Changed)]
    bench.handle(tts(SAID, request_id="o" * 40, **ELEVEN))
    assert (bench.http.calls, bench.causes()) == ([], [])
    assert "tenant:acme has too many jobs under way" in {getattr(line, "reason", "") for line in caplog.records}
    for each in held[:2]:
        store.change(replace(each, before=each.after, after=None))
    bench.clock.advance(900)
    (again,) = bench.queue.due()
    bench.handle(again)
    record = bench.world.jobs.get("acme!" + "o" * 40)
    assert record is not None
    assert record.status is JobStatus.SUCCEEDED


def test_it_fails_at_once_where_the_next_day_is_too_late() -> None:
    bench = Bench()
    budgeted(bench.world, **acme(day_usd=PRICE / 2))
    record = bench.served(tts(SAID, on_budget="wait", timeout_seconds=600, request_id="one", **ELEVEN))
    assert record.error is not None
    assert record.error.code == "over_budget"


def test_a_further_purchase_is_set_aside_before_it_is_made() -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(day_usd=PRICE * 3))
    bench.http.always("api.openai.com", IN_VAIN)
    record = bench.served(tts(SAID, **BOTH))
    assert record.status is JobStatus.SUCCEEDED
    assert usd(states(store)["tenant:acme"].used) == pytest.approx(record.cost_usd)


def test_it_waits_where_the_table_of_the_budgets_is_away_and_what_was_bought_before_is_known() -> None:
    bench = Bench()
    outage, store = Outage(bench.clock), budgeted(bench.world, **acme(month_usd=1))
    bench.world.budgets = BudgetPorts(outage.around(store), FixedPlan(json.dumps(acme(month_usd=1))))
    bench.http.always("api.openai.com", IN_VAIN)
    asked = tts(SAID, **BOTH, request_id="job-1")

    def away(*args: Any, **fields: Any) -> Any:
        outage.begin(20)
        return send(*args, **fields)

    http: Any = bench.http
    send, http.send = http.send, away
    bench.handle(asked)
    record = bench.world.jobs.get("acme!job-1")
    assert record is not None
    assert (record.status, len(record.attempts), len(bench.http.calls)) == (JobStatus.DEFERRED, 1, 1)
    bench.clock.advance(30)
    (again,) = bench.queue.due()
    bench.handle(again)
    record = bench.world.jobs.get("acme!job-1")
    assert record is not None
    assert (record.status, record.provider, record.interruptions) == (JobStatus.SUCCEEDED, "elevenlabs-tts", [])
    assert (len(bench.http.calls), record.cost_certain) == (2, True)
    assert usd(states(store)["tenant:acme"].used) == pytest.approx(record.cost_usd)


def test_or_it_is_not_made() -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(day_usd=PRICE * 1.1))
    bench.http.always("api.openai.com", unanswered())
    record = bench.served(tts(SAID, on_budget="fail", on_ambiguous="resubmit", **BOTH))
    assert record.error is not None
    bought = record.cost_usd
    assert (record.status, bought <= PRICE * 1.1) == (JobStatus.FAILED, True)
    assert usd(states(store)["tenant:acme"].used) == pytest.approx(bought)
    assert states(store)["tenant:acme"].entries == {}


def test_a_duplicate_of_a_settled_job_sets_nothing_aside() -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(day_usd=1))
    given = message(tts(SAID, request_id="one", **ELEVEN))
    bench.handle(given)
    before = states(store)["tenant:acme"].used
    worker(bench.world, seed=1).handle(given, worker_ends_at=bench.world.ends_at)
    assert (states(store)["tenant:acme"].used, states(store)["tenant:acme"].entries) == (before, {})


def test_a_settled_job_is_settled_with_its_budget_by_a_message_that_comes_after_its_deadline() -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(day_usd=1))
    given = message(tts(SAID, request_id="one", **ELEVEN))
    bench.handle(given)
    item = store._items["tenant:acme", "2026-08"]
    record = bench.world.jobs.get("acme!one")
    assert record is not None
    assert record.earmark is not None
    item.entries["acme!one"] = entry_of(record.earmark)  # as if its worker had not lived to release it
    jobs = BudgetedJobs(bench.world.jobs, Budgets(store, FixedPlan(json.dumps(acme(day_usd=1))), bench.clock, dice(0)))
    late = claim("acme!one", "late", fingerprint=record.fingerprint, tenant="acme", purchase=None)
    assert isinstance(jobs.claim(late), AlreadySettled)
    assert item.entries == {}


def _killed(at: int, source: str = "") -> tuple[Bench, MemoryBudgets, bool]:
    bench = Bench()
    store = budgeted(bench.world, **acme(day_usd=1))
    given = message(tts(SAID, request_id="one", **ELEVEN))
    switch = KillSwitch(at)
    mortal = World(
        clock=bench.clock, http=Mortal(bench.http, switch), jobs=Mortal(bench.world.jobs, switch),
        media=Mortal(bench.world.media, switch), queue=bench.queue,
        budgets=BudgetPorts(Mortal(store, switch), FixedPlan(json.dumps(acme(day_usd=1)))),
    )  # fmt: skip
    try:
        worker(mortal, seed=at).handle(given, worker_ends_at=bench.world.ends_at)
    except WorkerKilled:
        bench.clock.advance(180)
        bench.handle(replace(message(tts(SAID, request_id="one", **ELEVEN), receive_count=2), source=source))
    return bench, store, switch.dead


def test_whenever_a_worker_dies_the_budget_is_settled_by_who_comes_next() -> None:
    at, dead = 1, True
    while dead:
        bench, store, dead = _killed(at)
        record = bench.world.jobs.get("acme!one") or bench.handle(tts(SAID, request_id="one", **ELEVEN))
        assert record is not None
        (state,) = store.month("2026-08")
        assert state.entries == {}, at
        assert usd(state.used) == pytest.approx(record.cost_usd), at
        at += 1
    assert at > 10


def test_what_was_set_aside_for_a_request_that_no_worker_lives_through_is_released_by_whoever_ends_it() -> None:
    """After five receives it comes from the queue of lost requests, and nothing is bought for it any more."""
    at, dead = 1, True
    while dead:
        bench, store, dead = _killed(at, LOST)
        (state,) = store.month("2026-08") or [None]
        record = bench.world.jobs.get("acme!one")
        assert state is None or state.entries == {}, at
        assert state is None or record is None or usd(state.used) == pytest.approx(record.cost_usd), at
        at += 1
    assert at > 10


def test_a_clip_is_set_aside_when_it_is_opened_and_settled_with_its_end() -> None:
    bench = ClipBench()
    store = budgeted(bench.world, **acme(month_usd=2))
    record = bench.run(video(request_id="job-1", providers=["fal-kling"], tenant="acme"))
    state = states(store)["tenant:acme"]
    assert (record.status, state.entries) == (JobStatus.SUCCEEDED, {})
    assert usd(state.used) == pytest.approx(record.cost_usd)


def test_a_clip_is_not_bought_again_beyond_the_budget() -> None:
    bench = ClipBench()
    store = budgeted(bench.world, **acme(month_usd=0.5))
    bench.vendors.plan("submit", *[reset(after=True)] * 9)
    record = bench.run(video(request_id="job-1", providers=["fal-kling"], on_ambiguous="resubmit", tenant="acme"))
    assert (sum(bench.vendors.submits.values()), record.status) == (1, JobStatus.FAILED)
    assert usd(states(store)["tenant:acme"].used) == pytest.approx(record.cost_usd)
    assert states(store)["tenant:acme"].entries == {}


def test_a_clip_over_budget_is_rejected_without_an_execution() -> None:
    bench = ClipBench()
    budgeted(bench.world, **acme(month_usd=0.1))
    service = worker(bench.world)
    service.handle(
        message(video(request_id="job-1", providers=["fal-kling"], tenant="acme")), worker_ends_at=bench.world.ends_at
    )
    assert bench.world.media_jobs is not None
    record = bench.world.media_jobs.get("acme!job-1")
    assert record is None or record.status is JobStatus.REJECTED
    assert bench.vendors.submits == {}


def test_a_long_text_is_set_aside_whole_and_its_parts_are_bought_within_it() -> None:
    bench = SpeechBench()
    store = budgeted(bench.world, **acme(month_usd=2))
    record = bench.run(tts(TEXT, request_id="job-1", input={"format": "wav"}, **BOTH))
    state = states(store)["tenant:acme"]
    assert (record.status, state.entries) == (JobStatus.SUCCEEDED, {})
    assert usd(state.used) == pytest.approx(record.cost_usd, rel=0.01)


def test_a_long_text_whose_provider_fails_goes_to_a_dearer_one_within_what_is_set_aside() -> None:
    bench = SpeechBench()
    store = budgeted(bench.world, **acme(month_usd=1))
    bench.vendors.after = (1, "openai")
    record = bench.run(tts(TEXT, request_id="job-1", input={"format": "wav"}, **BOTH))
    state = states(store)["tenant:acme"]
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts")
    assert usd(state.used) == pytest.approx(record.cost_usd)
    assert (state.entries, usd(state.used) <= 1) == ({}, True)


def test_levels_are_told_once() -> None:
    bench = Bench()
    store = budgeted(bench.world, **acme(day_usd=PRICE * 4.5))
    for number in range(6):
        bench.handle(tts(SAID, request_id=f"job-{number}", **ELEVEN))
    assert store.levels.keys() == {("tenant:acme", "2026-08-01", level) for level in (50, 80, 100)}
