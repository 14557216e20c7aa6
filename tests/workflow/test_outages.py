"""Our own stores away for a long time: what is paid for is fetched, what runs is polled, nothing is bought twice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from mediarelay.job_records.contract import JobRecord
from mediarelay.long_jobs.execution_state import NextStep
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import video
from tests.doubles.job_vendors import plain
from tests.doubles.long_jobs import MemorySlots
from tests.doubles.trouble import Outage
from tests.harness.long_jobs.asl import DEFINITION, Execution, StateMachine
from tests.harness.long_jobs.workflow import HANDLERS, Bench
from tests.workflow.clips import BOTH, FAL, KLING, submits

MINUTES = 60.0
HOURS = 3600.0
STORES = {
    "s3": ("uploads", "media"),
    "dynamodb": ("media_jobs", "slots", "times", "states"),
    "secrets": ("source",),
}
ALL = tuple(name for names in STORES.values() for name in names)
AWAY = [*STORES, "all"]
TRANSITIONS_A_WEEK = 2500  # of ten events each


class OutageBench(Bench):
    """A bench whose stores can go away."""

    def __init__(self, stores: str = "all", **fields: Any) -> None:
        super().__init__(**fields)
        self.outage = Outage(self.clock)
        names = ALL if stores == "all" else STORES.get(stores, (stores,))
        self.world = replace(self.world, **{name: self.outage.around(getattr(self.world, name)) for name in names})

    def goes(self, at: str, seconds: float) -> None:
        """The stores go away as the function of that name is first invoked, or while a vendor takes the job."""
        if at == "acceptance":
            self.vendors.before_answer = lambda: self.outage.begin(seconds)
        else:
            self.before = lambda name, _event: self.outage.begin(seconds) if name == f"{at}JobFunction" else None

    def held(self) -> list[str]:
        """The jobs that hold a slot."""
        memory = self.world.slots._port if hasattr(self.world.slots, "_port") else self.world.slots
        assert isinstance(memory, MemorySlots)
        now = self.clock.now()
        return [job for held in memory.holders.values() for job, until in held.items() if until >= now]


def served(bench: OutageBench, request: Any) -> JobRecord:
    """Its record; it was bought once, charged once, and nothing is left lying."""
    record = bench.run(request)
    assert (record.status, submits(bench), bench.held()) == (JobStatus.SUCCEEDED, 1, [])
    assert [each.state for each in record.purchases] == [SpendingState.CHARGED]
    assert record.cost_certain
    assert bench.ran.status == "SUCCEEDED"
    assert sum(bench.ran.retries.values()) == 0, "an outage is data, not an error"
    delivered = [attempt for attempt in record.attempts if attempt.outcome is Outcome.DELIVERED]
    assert len(delivered) == 1
    return record


@pytest.mark.parametrize("seconds", [40 * MINUTES, 3 * HOURS, 10 * HOURS])
@pytest.mark.parametrize("at", ["acceptance", "Poll", "Settle"])
@pytest.mark.parametrize("stores", AWAY)
@pytest.mark.parametrize("request_", [FAL, KLING], ids=["fal", "kling"])
def test_a_paid_clip_outlasts_an_outage_of_ours(request_: dict[str, Any], stores: str, at: str, seconds: float) -> None:
    bench = OutageBench(stores)
    bench.goes(at, seconds)
    served(bench, video(**request_))
    assert sum(bench.ran.visits.values()) < 400


def test_a_slot_whose_table_was_away_at_its_jobs_end_is_returned_when_that_is_back() -> None:
    bench = OutageBench("slots")
    bench.goes("Poll", 40 * MINUTES)
    record = served(bench, video(**KLING))
    assert (record.settled_at or 0) / 1000 < bench.clock.now() - 30 * MINUTES, "the job itself does not wait for it"


@pytest.mark.parametrize("stores", ["dynamodb", "secrets", "all"])
def test_a_clip_not_yet_submitted_waits_for_our_stores(stores: str) -> None:
    bench = OutageBench(stores)
    bench.goes("Submit", 40 * MINUTES)
    served(bench, video(**KLING))


@pytest.mark.parametrize("stores", ["dynamodb", "secrets", "all"])
def test_a_clip_for_which_nothing_was_sent_by_its_deadline_expires(stores: str) -> None:
    bench = OutageBench(stores)
    bench.goes("Submit", 40 * MINUTES)
    record = bench.run(video(**KLING, timeout_seconds=900))
    assert (record.status, submits(bench), record.cost_usd, bench.held()) == (JobStatus.EXPIRED, 0, 0.0, [])


@pytest.mark.parametrize("stores", AWAY)
def test_a_clip_that_was_done_before_its_deadline_is_fetched_after_it(stores: str) -> None:
    bench = OutageBench(stores)
    bench.goes("Poll", 5 * HOURS)
    record = served(bench, video(**FAL, timeout_seconds=900))
    assert (record.settled_at or 0) / 1000 > (record.expires_at or 0)


def test_a_clip_that_still_runs_after_its_deadline_is_stopped_when_the_keys_are_back() -> None:
    bench = OutageBench("secrets")
    bench.vendors.seconds = lambda: 10_000_000.0
    bench.goes("Poll", 5 * HOURS)
    record = bench.run(video(**FAL, timeout_seconds=900))
    assert (record.status, record.cost_usd, bench.held()) == (JobStatus.EXPIRED, 0.0, [])
    assert bench.vendors.tasks["task-1"].cancelled


def test_a_result_that_cannot_be_stored_while_its_vendor_keeps_it_is_given_up_with_its_address() -> None:
    bench = OutageBench("s3")
    bench.goes("Settle", 30 * 24 * HOURS)
    record = bench.run(video(**FAL))
    assert record.error is not None
    assert (record.status, record.error.code, record.cost_usd > 0) == (JobStatus.FAILED, "result_not_fetched", True)
    assert "https://media.invalid/task-1.mp4" in record.error.message
    assert sum(bench.ran.visits.values()) < TRANSITIONS_A_WEEK


def test_the_longest_outage_of_the_keys_fits_into_an_executions_history() -> None:
    bench = OutageBench("secrets")
    bench.goes("Poll", 30 * 24 * HOURS)
    record = bench.run(video(**FAL))
    assert (record.status, record.cost_certain) == (JobStatus.EXPIRED, False)
    assert 500 < sum(bench.ran.visits.values()) < TRANSITIONS_A_WEEK


def test_waits_grow_and_end_soon_after_the_outage() -> None:
    bench = OutageBench("dynamodb")
    bench.goes("Settle", 3 * HOURS)
    record = served(bench, video(**KLING))
    assert bench.outage.begun is not None
    assert (record.settled_at or 0) / 1000 - (bench.outage.begun + 3 * HOURS) < 900 + 60
    assert bench.ran.visits["Settle job"] < 25


# --- what only the execution knows ----------------------------------------------------------------------------------


def test_a_task_id_that_the_record_could_not_be_told_is_polled_and_told_later() -> None:
    bench = OutageBench("dynamodb")
    bench.vendors.seconds = lambda: 2 * HOURS
    bench.goes("acceptance", 40 * MINUTES)
    told = []

    def before(name: str, event: Any) -> None:
        submit = bench.record("job-1").submit
        if name == "PollJobFunction" and submit is not None:
            told.append(submit.task.get("request_id"))
            assert event["job"]["vendor"]["task"]["request_id"] == "task-1"

    bench.before = before
    bench.run(video(**FAL))
    assert (told[0], told[-1]) == (None, "task-1")
    record = bench.record("job-1")
    assert record.submit is not None
    assert record.submit.task["request_id"] == "task-1"
    assert (record.status, submits(bench)) == (JobStatus.SUCCEEDED, 1)


def test_a_note_that_could_not_be_written_before_a_call_is_no_purchase() -> None:
    """It may have been written all the same: fal could not tell whether a submit arrived."""
    bench = OutageBench("dynamodb")
    jobs: Any = bench.world.jobs
    written = jobs.note_submit

    def late(*args: Any, **fields: Any) -> bool:
        written(*args, **fields)
        bench.outage.begin(40 * MINUTES)
        raise StoreUnavailable("a store", "note_submit", "ReadTimeoutError")

    with patch.object(bench.world.jobs, "note_submit", late):
        bench.publish(video(**FAL))
        state = bench.submit(bench.executions.started["job-1"])
    assert (state.next, submits(bench)) == (NextStep.WAIT_TO_SUBMIT, 0)
    bench.executions.started["job-1"] = state.to_state()
    bench.clock.advance(40 * MINUTES)
    bench.ran = bench.execute("job-1")
    record = bench.record("job-1")
    assert (record.status, submits(bench), record.cost_certain) == (JobStatus.SUCCEEDED, 1, True)
    assert bench.held() == []


def test_a_refusal_that_the_record_could_not_be_told_is_no_lost_answer() -> None:
    bench = OutageBench("dynamodb")
    bench.vendors.plan("submit", plain(429))
    vendors: Any = bench.vendors
    send = vendors.send

    def sending(request: Any, *, deadline: float) -> Any:
        bench.outage.begin(40 * MINUTES)
        return send(request, deadline=deadline)

    vendors.send = sending
    record = bench.run(video(**FAL))
    assert (record.status, submits(bench), record.cost_certain) == (JobStatus.SUCCEEDED, 1, True)
    assert sorted(each.state for each in record.purchases) == [SpendingState.CHARGED, SpendingState.NOT_CHARGED]


# --- errors of ours -----------------------------------------------------------------------------------------------


def broken(bench: Bench, name: str, times: int = 10_000) -> None:
    left = iter(range(times))

    def before(function: str, _event: object) -> None:
        if function == f"{name}JobFunction" and next(left, None) is not None:
            raise ZeroDivisionError("a slip")

    bench.before = before


@pytest.mark.parametrize("name", ["Submit", "Poll", "Settle"])
@pytest.mark.parametrize("request_", [FAL, KLING], ids=["fal", "kling"])
def test_an_error_of_ours_that_passes_costs_nothing(request_: dict[str, Any], name: str) -> None:
    bench = OutageBench()
    broken(bench, name, 1)
    record = bench.run(video(**request_))
    assert (record.status, submits(bench), bench.held()) == (JobStatus.SUCCEEDED, 1, [])
    assert bench.world.counters.counts == [("JobsCaught", {})]


def test_a_clip_is_fetched_though_nothing_can_be_polled_as_usual() -> None:
    bench = OutageBench()
    broken(bench, "Poll")
    record = bench.run(video(**BOTH))
    assert (record.status, submits(bench), bench.held()) == (JobStatus.SUCCEEDED, 1, [])


def test_a_clip_whose_submit_always_breaks_ends_with_that_and_costs_nothing() -> None:
    bench = OutageBench()
    broken(bench, "Submit")
    record = bench.run(video(**KLING))
    assert record.error is not None
    assert (record.status, record.error.code, record.cost_usd) == (JobStatus.FAILED, "internal_error", 0.0)


def slip(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("a slip")


def test_a_job_that_nothing_can_settle_as_usual_ends_with_the_address_of_what_was_paid_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediarelay.long_jobs.transfer.transfer.Transfer.fetch", slip)
    bench = OutageBench()
    record = bench.run(video(**FAL))
    assert record.error is not None
    assert (record.status, record.error.code, bench.held()) == (JobStatus.FAILED, "result_not_fetched", [])
    assert "https://media.invalid/task-1.mp4" in record.error.message
    assert record.cost_usd == pytest.approx(5 * 0.07)


@pytest.mark.parametrize("request_", [FAL, KLING], ids=["fal", "kling"])
def test_a_clip_that_cannot_be_polled_at_all_is_stopped_where_that_can_be(
    request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarelay.long_jobs.poll.JobPoller._ask", slip)
    bench = OutageBench()
    record = bench.run(video(**request_))
    stopped = bench.vendors.tasks["task-1"].cancelled
    assert (record.status, submits(bench), stopped) == (JobStatus.FAILED, 1, request_ is FAL)
    assert (record.cost_usd == 0, record.cost_certain) == (stopped, stopped)
    bench.clock.advance(600)
    assert bench.held() == []


# --- an execution that ended, and machines of before ----------------------------------------------------------------

ENDED = {"status": "TIMED_OUT", "error": "States.Timeout"}


def at_the_vendor(request: Any, seconds: float = 60.0) -> tuple[OutageBench, dict[str, Any], Any]:
    """A job that a vendor has, the state its execution carries, and the function that settles."""
    bench = OutageBench()
    bench.vendors.seconds = lambda: seconds
    bench.publish(video(**request))
    execution = bench.execute_until("job-1", "Wait for the provider")
    return bench, execution.state, bench._function("SettleJobFunction")


@pytest.mark.parametrize("told", ["event", "machine of before"])
def test_the_last_resort_fetches_what_is_done(told: str) -> None:
    bench, state, settle = at_the_vendor(KLING)
    bench.clock.advance(120)
    failure = {"Error": "Lambda.Unknown", "Cause": "{}"}
    ended = {"detail": {**ENDED, "input": json.dumps(bench.executions.started["job-1"])}}
    settle({**state, "failure": failure} if told == "machine of before" else ended)
    record = bench.record("job-1")
    assert (record.status, submits(bench), record.cost_certain) == (JobStatus.SUCCEEDED, 1, True)
    assert bench.held() == []


def test_the_last_resort_stops_what_runs_and_frees_its_slot() -> None:
    bench, _, settle = at_the_vendor(FAL, 10 * HOURS)
    settle({"detail": {**ENDED, "input": json.dumps(bench.executions.started["job-1"])}})
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.status, record.error.code, record.cost_usd) == (JobStatus.FAILED, "internal_error", 0.0)
    assert (bench.vendors.tasks["task-1"].cancelled, bench.held()) == (True, [])


def test_the_last_resort_of_an_ended_execution_comes_again_while_a_store_is_away() -> None:
    bench, _, settle = at_the_vendor(KLING)
    bench.outage.begin(40 * MINUTES)
    with pytest.raises(StoreUnavailable):
        settle({"detail": {**ENDED, "input": json.dumps(bench.executions.started["job-1"])}})
    bench.clock.advance(40 * MINUTES)
    settle({"detail": {**ENDED, "input": json.dumps(bench.executions.started["job-1"])}})
    assert bench.record("job-1").status is JobStatus.SUCCEEDED


def test_an_execution_of_a_machine_of_before_ends_with_what_follows_its_catch() -> None:
    """Step Functions goes on with the definition that an execution began with, and with the functions of today."""
    before = json.loads(json.dumps(DEFINITION))
    before["States"]["Settle failed job"] |= {"Next": "Done"}
    before["States"]["Settle failed job"]["Parameters"] = {"FunctionName": "${SettleJobFunctionArn}", "Payload.$": "$"}
    bench = OutageBench()
    broken(bench, "Poll")
    bench.publish(video(**KLING))
    execution = Execution("job-1", bench.executions.started["job-1"])
    functions = {f"${{{name}Arn}}": bench._function(name) for name in HANDLERS}
    StateMachine(functions, bench.clock, machine=before).run(execution)
    record = bench.record("job-1")
    assert (execution.status, record.status in (JobStatus.FAILED, JobStatus.SUCCEEDED)) == ("SUCCEEDED", True)
    assert record.settled_at is not None


def test_an_outage_in_a_machine_of_before_is_waited_for_as_well() -> None:
    before = json.loads(json.dumps(DEFINITION))
    before["States"]["Settle failed job"] |= {"Next": "Done"}
    bench = OutageBench()
    bench.goes("Settle", 3 * HOURS)
    bench.publish(video(**KLING))
    execution = Execution("job-1", bench.executions.started["job-1"])
    functions = {f"${{{name}Arn}}": bench._function(name) for name in HANDLERS}
    StateMachine(functions, bench.clock, machine=before).run(execution)
    assert (execution.status, bench.record("job-1").status) == ("SUCCEEDED", JobStatus.SUCCEEDED)
