"""What was bought for a job stands in its record before it is bought, and every ending counts it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from mediarelay.job_records.claims import Claimed, Settlement
from mediarelay.job_records.contract import Spending
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.job_spec import merged, spent, summed
from mediarelay.providers.fal.queue import FalJobs
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from tests.builders.requests import EPOCH_MS, claim, tts, video
from tests.doubles.job_vendors import plain, reset
from tests.doubles.jobs import MemoryJobs
from tests.doubles.scripted_http import MEDIA, Answer, unanswered
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench as SpeechBench
from tests.harness.local_aws import JOBS, local_aws
from tests.harness.long_jobs.workflow import Bench

FAL: dict[str, Any] = {"request_id": "job-1", "providers": ["fal-kling"]}
KLING: dict[str, Any] = {"request_id": "job-1", "providers": ["kling-video"]}
OPENAI: dict[str, Any] = {"providers": ["openai-tts"], "request_id": "job-1"}


def bought(state: SpendingState, at: int = EPOCH_MS, **fields: Any) -> Spending:
    given = {"provider": "openai-tts", "model": "m", "estimate_usd": 0.5, **fields}
    return Spending(state=state, at=at, **given)


# --- the sum ------------------------------------------------------------------------------------------------------


def test_charged_ones_count_what_was_charged_and_unknown_ones_their_estimate() -> None:
    purchases = [
        bought(SpendingState.CHARGED, 1, cost_usd=0.25),
        bought(SpendingState.UNKNOWN, 2),
        bought(SpendingState.NOT_CHARGED, 3),
        bought(SpendingState.SENDING, 4),
    ]
    ended, cost_usd, certain = spent(purchases)
    assert (cost_usd, certain) == (1.25, False)
    assert [each.state for each in ended] == [
        SpendingState.CHARGED,
        SpendingState.UNKNOWN,
        SpendingState.NOT_CHARGED,
        SpendingState.UNKNOWN,
    ]


def test_what_is_charged_for_certain_is_certain() -> None:
    assert spent([bought(SpendingState.CHARGED, cost_usd=0.25), bought(SpendingState.NOT_CHARGED)])[1:] == (0.25, True)


def test_of_purchases_that_cost_nothing_only_the_newest_are_kept() -> None:
    refused = [bought(SpendingState.NOT_CHARGED, at) for at in range(100)]
    kept = spent([bought(SpendingState.UNKNOWN, 0, provider="fal"), *refused]).purchases
    assert [each.at for each in kept] == [0, *range(90, 100)]


def test_what_an_execution_learned_counts_where_the_record_knows_no_end() -> None:
    recorded = [bought(SpendingState.UNKNOWN, 1), bought(SpendingState.CHARGED, 2, cost_usd=0.5)]
    learned = [bought(SpendingState.NOT_CHARGED, 1), bought(SpendingState.UNKNOWN, 2), bought(SpendingState.UNKNOWN, 3)]
    states = [each.state for each in merged(recorded, learned)]
    assert states == [SpendingState.NOT_CHARGED, SpendingState.CHARGED, SpendingState.UNKNOWN]


def test_the_parts_of_a_text_are_summed_and_cost_what_they_cost_one_by_one() -> None:
    parts = [bought(SpendingState.CHARGED, at, cost_usd=0.25) for at in range(50)]
    parts += [bought(SpendingState.UNKNOWN, 99), bought(SpendingState.UNKNOWN, 98)]
    together = summed(parts)
    assert len(together) == 2
    assert spent(together)[1:] == spent(parts)[1:]


def test_a_clip_that_is_refused_for_hours_neither_outgrows_its_item_nor_its_execution() -> None:
    bench, most = Bench(), 0
    bench.vendors.plan("submit", *[plain(429)] * 100)

    def note(_name: str, event: Any) -> None:
        nonlocal most
        most = max(most, len(bench.record("job-1").purchases), len(event["job"].get("purchases", ())))

    bench.before = note
    record = bench.run(video(**FAL))
    assert (record.status, most) == (JobStatus.SUCCEEDED, 10)


# --- before the call ----------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "dynamodb"])
def jobs(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryJobs()
        return
    with local_aws() as account:
        yield DynamoJobs(account.dynamodb, JOBS)


def test_a_worker_that_dies_leaves_what_it_may_have_bought(jobs: Any) -> None:
    first, second = bought(SpendingState.SENDING, EPOCH_MS), bought(SpendingState.SENDING, EPOCH_MS + 90_000)
    jobs.claim(claim(purchase=first))
    assert jobs.get("job-1").purchases == [first]
    taken = jobs.claim(claim("job-1", "claim-2", at=EPOCH_MS + 90_000, purchase=second))
    lost = first.model_copy(update={"state": SpendingState.UNKNOWN})
    assert isinstance(taken, Claimed)
    assert (taken.interrupted, list(taken.purchases)) == (True, [lost])
    assert jobs.get("job-1").purchases == [lost, second]


def test_what_an_earlier_delivery_bought_is_handed_on(jobs: Any) -> None:
    about_to, wasted = bought(SpendingState.SENDING), bought(SpendingState.CHARGED, cost_usd=0.1)
    jobs.claim(claim(purchase=about_to))
    jobs.defer("job-1", "claim-1", until=EPOCH_MS + 20_000, attempts=[], purchases=[wasted])
    again = bought(SpendingState.SENDING, EPOCH_MS + 20_000)
    taken = jobs.claim(claim("job-1", "claim-2", at=EPOCH_MS + 20_000, purchase=again))
    assert list(taken.purchases) == [wasted]
    assert jobs.get("job-1").purchases == [wasted, again]
    end = Settlement("job-1", "claim-2", JobStatus.FAILED, EPOCH_MS + 9, 1, 1, purchases=[*taken.purchases])
    assert jobs.settle(end)
    assert (jobs.get("job-1").cost_usd, jobs.get("job-1").cost_certain) == (0.1, True)


# --- endings that recorded no cost though money was spent -----------------------------------------------------------


def test_an_answer_that_was_lost_counts_with_its_estimate() -> None:
    bench = SpeechBench()
    bench.http.plan("api.openai.com", unanswered())
    record = bench.served(tts(**OPENAI))
    assert record.error is not None
    assert (record.error.code, record.cost_usd > 0, record.cost_certain) == ("ambiguous_submit", True, False)


def test_a_lost_submit_of_a_clip_counts_with_its_estimate() -> None:
    bench = Bench()
    bench.vendors.plan("submit", reset(after=True))
    record = bench.run(video(**FAL))
    assert record.error is not None
    assert record.error.code == "ambiguous_submit"
    assert (record.cost_usd, record.cost_certain) == (pytest.approx(5 * 0.07), False)


@pytest.mark.parametrize("late", [False, True], ids=["internal_error", "expired"])
def test_an_accepted_clip_whose_execution_breaks_is_counted(*, late: bool) -> None:
    bench = Bench()
    bench.vendors.seconds = lambda: 10_000_000.0
    bench.publish(video(**KLING, timeout_seconds=600))
    execution = bench.execute_until("job-1", "Wait for the provider")
    if late:
        bench.clock.advance(700)
    with bench.machine() as machine:
        failure = {"Error": "Lambda.Unknown", "Cause": "{}"}
        machine._functions["${SettleJobFunctionArn}"]({**execution.state, "failure": failure})
    record = bench.record("job-1")
    assert record.status is (JobStatus.EXPIRED if late else JobStatus.FAILED)
    assert (record.cost_usd, record.cost_certain) == (pytest.approx(5 * 0.042), False)


def test_a_clip_that_failed_at_its_vendor_costs_nothing_and_says_so() -> None:
    bench = Bench()
    bench.vendors.plan("poll", *[plain(200, {"code": 0, "data": {"task_id": "task-1", "task_status": "failed"}})] * 9)
    record = bench.run(video(**KLING))
    assert (record.status, record.cost_usd, record.cost_certain) == (JobStatus.FAILED, 0.0, True)
    assert [each.state for each in record.purchases] == [SpendingState.NOT_CHARGED]


def test_a_clip_is_charged_what_its_vendor_says() -> None:
    record = Bench().run(video(**KLING))
    (purchase,) = record.purchases
    assert (purchase.state, purchase.cost_usd) == (SpendingState.CHARGED, record.cost_usd)
    assert (purchase.provider, purchase.key_id) == ("kling-video", record.attempts[-1].key_id)


def test_a_fault_of_ours_after_a_paid_call_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = SpeechBench()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("mediarelay.serving.attempts.AttemptRunner._stored", broken)
    record = bench.served(tts(**OPENAI))
    assert record.error is not None
    assert (record.error.code, record.cost_usd > 0, record.cost_certain) == ("internal_error", True, False)


def test_a_paid_answer_of_no_use_is_charged_once_and_is_certain() -> None:
    bench = SpeechBench()
    bench.http.always("api.openai.com", Answer(200, MEDIA["png"], {"content-type": "audio/mpeg"}, paid=True))
    record = bench.served(tts(**OPENAI))
    assert [each.state for each in record.purchases] == [SpendingState.CHARGED]
    assert (record.cost_usd, record.cost_certain) == (record.purchases[0].cost_usd, True)


def test_a_result_that_could_not_be_stored_is_counted() -> None:
    bench = SpeechBench()
    bench.world.media = Flaky(bench.world.media, "put", times=99)
    record = bench.served(tts(**OPENAI))
    assert record.error is not None
    assert (record.error.code, record.cost_usd > 0, record.cost_certain) == ("result_not_stored", True, True)


def test_a_request_served_at_once_has_one_purchase_that_is_charged() -> None:
    record = SpeechBench().served(tts(**OPENAI))
    assert [each.state for each in record.purchases] == [SpendingState.CHARGED]
    assert record.cost_certain


def test_a_cancelled_clip_that_its_vendor_stopped_costs_nothing_and_one_that_runs_on_may() -> None:
    for request, certain in ((FAL, True), (KLING, False)):
        bench = Bench()
        bench.vendors.before_answer = partial(bench.clock.advance, 2)  # what was sent is accepted a moment later
        bench.publish(video(**request))
        bench.execute_until("job-1", "Wait for the provider")
        bench.publish({"cancel": "job-1"}, message_id="m-2")
        record = bench.record("job-1")
        assert (record.cost_usd == 0, record.cost_certain, sum(bench.vendors.submits.values())) == (certain, certain, 1)
        assert len(record.purchases) == 1


def test_a_clip_stopped_at_a_vendor_that_charges_for_what_it_stops_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FalJobs, "charges_stopped", True)
    bench = Bench()
    bench.publish(video(**FAL))
    bench.execute_until("job-1", "Wait for the provider")
    bench.publish({"cancel": "job-1"}, message_id="m-2")
    record = bench.record("job-1")
    assert bench.vendors.tasks["task-1"].cancelled
    assert (record.cost_usd, record.cost_certain) == (pytest.approx(5 * 0.07), False)
