"""A cancellation, whenever it comes: nothing is bought after it, and what was bought before counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.announce.announcing import result_event
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import job_key
from mediarelay.long_jobs.execution_state import ExecutionState, NextStep
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState, SubmitState
from tests.builders.keys import keys
from tests.builders.requests import image, message, tts, video
from tests.doubles.job_vendors import reset
from tests.doubles.jobs import MemorySpeechJobs
from tests.doubles.trouble import KillSwitch, Mortal, WorkerKilled
from tests.harness.bench import Bench
from tests.harness.long_jobs.asl import Execution
from tests.harness.long_jobs.speeches import SpeechBench
from tests.harness.long_jobs.workflow import Bench as ClipBench
from tests.harness.worker import worker

CANCEL = {"cancel": "job-1"}
FAL: dict[str, Any] = {"request_id": "job-1", "providers": ["fal-kling"]}
KLING: dict[str, Any] = {"request_id": "job-1", "providers": ["kling-video"]}
MUSIC: dict[str, Any] = {"request_id": "job-1", "providers": ["elevenlabs-audio"]}
SENTENCE = "The keeper of the lighthouse counts {} ships, and writes each of them down. "
TEXT = "".join(SENTENCE.format(number) for number in range(260))
WAV = {"format": "wav"}
LONG: dict[str, Any] = {"request_id": "job-1", "providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}


def told(record: JobRecord | None) -> tuple[JobStatus, str]:
    """How it ended, and the code of its error."""
    assert record is not None
    event = result_event(record, lambda key: (key, key), 0.0)
    assert event.error is not None
    assert event.request_id == "job-1"
    return event.status, event.error.code


ENDED = (JobStatus.FAILED, "cancelled")

# --- before its request -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tenant", [None, "acme"])
@pytest.mark.parametrize("asked", [tts(request_id="job-1"), image(request_id="job-1")], ids=["speech", "picture"])
def test_a_request_that_was_cancelled_before_it_came_buys_nothing_and_says_so(asked: Any, tenant: str | None) -> None:
    bench = Bench()
    bench.handle({**CANCEL, "tenant": tenant})
    for count in (1, 2):
        record = bench.handle(message({**asked, "tenant": tenant}, message_id="message-2", receive_count=count))
        record = bench.world.jobs.get(job_key("job-1", tenant))
        assert told(record) == ENDED
    assert (bench.http.calls, bench.causes()) == ([], [])
    assert record is not None
    assert (record.kind, record.cost_usd, record.purchases, record.tenant) == (asked["kind"], 0.0, [], tenant)


def test_neither_is_a_clip_started() -> None:
    bench = ClipBench()
    bench.publish(CANCEL)
    bench.publish(video(**FAL), message_id="message-2")
    assert (bench.executions.started, told(bench.record("job-1"))) == ({}, ENDED)


def test_neither_is_a_long_text_split() -> None:
    bench = SpeechBench()
    bench.publish(CANCEL)
    bench.publish(tts(TEXT, input=WAV, **LONG))
    assert (bench.speeches.started, told(bench.record("job-1"))) == ({}, ENDED)


def test_each_job_of_strategy_all_ends_with_an_event_of_its_own() -> None:
    bench, asked = Bench(), tts(**{**LONG, "strategy": "all"})
    bench.handle(CANCEL)
    for number in (1, 2):
        bench.handle(asked, message_id=f"message-{number}")
    assert [told(bench.world.jobs.get(f"job-1#{name}")) for name in LONG["providers"]] == [ENDED] * 2
    assert (bench.http.calls, bench.causes()) == ([], [])


def test_a_branch_that_has_not_begun_is_cancelled_with_those_that_have() -> None:
    bench = ClipBench()
    bench.publish(video(request_id="job-1", providers=["kling-video", "fal-kling"], strategy="all"))
    jobs: Any = bench.world.jobs
    del jobs._records["job-1#fal-kling"]  # its thread is late
    del bench.executions.started["job-1@fal-kling"]
    bench.publish(CANCEL, message_id="message-2")
    bench.publish(video(request_id="job-1", providers=["kling-video", "fal-kling"], strategy="all"))
    assert [told(bench.record(f"job-1#{name}")) for name in ("kling-video", "fal-kling")] == [ENDED] * 2


@pytest.mark.parametrize("other", [{}, {"tenant": "globex"}])
def test_a_cancellation_of_another_tenant_waits_for_another_request(other: Any) -> None:
    bench = Bench()
    bench.handle({**CANCEL, **other})
    assert bench.served(tts(request_id="job-1", tenant="acme")).status is JobStatus.SUCCEEDED


def test_a_cancellation_whose_request_never_comes_is_over_after_an_hour() -> None:
    bench = Bench()
    bench.handle(CANCEL)
    bench.clock.advance(3602)
    assert bench.served(tts(request_id="job-1"), sent_at=round(bench.clock.now() * 1000)).status is JobStatus.SUCCEEDED


def test_one_that_comes_twice_is_noted_once() -> None:
    bench = Bench()
    for number in range(2):
        bench.handle(CANCEL, message_id=f"message-{number}")
    assert (bench.causes(), list(_records(bench))) == ([], ["job-1"])


def _records(bench: Bench) -> dict[str, JobRecord]:
    assert isinstance(bench.world.jobs, MemorySpeechJobs)
    return bench.world.jobs.all()


# --- while it waits for its next delivery -------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [tts(request_id="job-1"), image(request_id="job-1")], ids=["speech", "picture"])
def test_a_job_that_was_put_off_is_cancelled(asked: Any) -> None:
    bench = Bench()
    bench.served(asked)
    calls, jobs = len(bench.http.calls), _store(bench)
    changes = {"status": JobStatus.DEFERRED, "settled_at": None, "outputs": [], "error": None}
    jobs["job-1"] = jobs["job-1"].model_copy(update=changes)
    cost_usd = jobs["job-1"].cost_usd
    bench.handle(CANCEL, message_id="message-2")
    assert told(bench.world.jobs.get("job-1")) == ENDED
    bench.handle(message(asked, receive_count=2))
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert (told(record), record.cost_usd, len(bench.http.calls)) == (ENDED, pytest.approx(cost_usd), calls)


def _store(bench: Bench) -> dict[str, JobRecord]:
    jobs: Any = bench.world.jobs
    records: dict[str, JobRecord] = jobs._records
    return records


def test_a_job_that_a_worker_serves_at_this_moment_is_not() -> None:
    bench = Bench()
    bench.served(tts(request_id="job-1"))
    running = {"status": JobStatus.RUNNING, "settled_at": None, "lease_until": 2**60}
    _store(bench)["job-1"] = _store(bench)["job-1"].model_copy(update=running)
    bench.handle(CANCEL, message_id="message-2")
    assert bench.causes() == ["not_cancellable"]


# --- clips --------------------------------------------------------------------------------------------------------


def test_a_clip_whose_answer_was_lost_is_looked_up_and_counted() -> None:
    bench = ClipBench()
    bench.vendors.plan("submit", reset(after=True))
    bench.publish(video(**KLING))
    bench.execute_until("job-1", "Wait to submit")
    bench.publish(CANCEL, message_id="message-2")
    record = bench.record("job-1")
    assert bench.vendors.lookups == 1
    assert (told(record), record.cost_usd, record.cost_certain) == (ENDED, pytest.approx(5 * 0.042), False)
    (holders,) = [jobs for jobs in bench.slots.holders.values() if jobs]
    assert record.expires_at is not None
    assert holders["job-1"] < record.expires_at, "its slot lapses when the clip has probably ended"


def test_a_clip_of_which_the_vendor_may_know_nothing_counts_with_its_estimate() -> None:
    bench = ClipBench()
    bench.vendors.plan("submit", reset(after=True))
    bench.publish(video(**FAL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mediarelay.long_jobs.submit.recovery.SubmitRecovery.ambiguous", _left_open)
        bench.execute_until("job-1", "Wait to submit")
    record = bench.record("job-1")
    assert record.submit is not None
    assert record.submit.state is SubmitState.SENT_UNKNOWN
    bench.publish(CANCEL, message_id="message-2")
    record = bench.record("job-1")
    assert (told(record), record.cost_usd > 0, record.cost_certain) == (ENDED, True, False)


def _left_open(_recovery: Any, run: Any, _known: Any) -> ExecutionState:
    changed: ExecutionState = run.job.model_copy(update={"next": NextStep.WAIT_TO_SUBMIT, "wait_seconds": 5})
    return changed


def cancelled_meanwhile(bench: ClipBench, function: str) -> None:
    """The cancellation is noted while the function is at work, and its canceller gets no further."""
    jobs: Any = bench.world.jobs
    settle = jobs.settle_media
    done: list[str] = []

    def late(settlement: Any) -> bool:
        if not done:
            done.append(function)
            jobs.note_cancel("job-1", 1)
        return bool(settle(settlement))

    jobs.settle_media = late


@pytest.mark.parametrize("asked", [video(**FAL), {"kind": "audio", "input": {"prompt": "waves"}, **MUSIC}])
def test_a_paid_result_of_a_job_that_was_cancelled_meanwhile_counts_and_is_not_delivered(asked: Any) -> None:
    bench = ClipBench()
    bench.publish(asked)
    cancelled_meanwhile(bench, "SettleJobFunction")
    bench.execute("job-1")
    record = bench.record("job-1")
    assert (told(record), record.outputs, record.cost_certain) == (ENDED, [], True)
    assert record.cost_usd > 0
    assert {purchase.state for purchase in record.purchases} == {SpendingState.CHARGED}
    bench.publish(CANCEL, message_id="message-2")
    assert bench.record("job-1") == record


def test_a_clip_that_finished_before_its_canceller_came_counts_with_what_it_cost() -> None:
    """The canceller died after its note, and the execution goes on to the vendor's answer."""
    bench = ClipBench()
    bench.publish(video(**FAL))
    bench.execute_until("job-1", "Wait for the provider")
    jobs: Any = bench.world.jobs
    execution = Execution("job-1", bench.executions.started["job-1"])
    noted: list[int] = []
    with bench.machine() as machine:
        for seconds in machine.steps(execution):
            bench.clock.sleep(seconds)
            if not noted:
                noted.append(jobs.note_cancel("job-1", 1))
    record = bench.record("job-1")
    assert (told(record), record.cost_certain, record.cost_usd > 0) == (ENDED, True, True)


# --- long texts ---------------------------------------------------------------------------------------------------


def test_a_text_that_waits_for_its_providers_is_cancelled_at_once() -> None:
    bench = SpeechBench()
    bench.publish(tts(TEXT, input=WAV, **LONG))
    bench.source.keys = {}
    cancelled_at: list[float] = []

    def meanwhile(_execution: Execution) -> None:
        if bench.clock.now() > bench.began + 600 and not cancelled_at:
            cancelled_at.append(bench.clock.now())
            bench.publish(CANCEL)

    bench.execute("job-1", meanwhile=meanwhile)
    record = bench.record("job-1")
    assert told(record) == ENDED
    assert record.settled_at is not None
    assert record.settled_at / 1000 - cancelled_at[0] < 1


def test_a_text_that_was_put_off_and_then_split_is_cancelled_and_counted() -> None:
    bench = SpeechBench()
    asked = tts(TEXT, input=WAV, **LONG)
    bench.publish(asked)
    jobs = bench.jobs._records
    spent = [
        {
            "provider": "elevenlabs-tts",
            "model": "m",
            "estimate_usd": 0.25,
            "state": "charged",
            "cost_usd": 0.25,
            "at": 1,
        }
    ]
    put_off = {"status": "deferred", "claim_id": "claim-1", "purchases": spent}
    jobs["job-1"] = JobRecord.model_validate({**jobs["job-1"].model_dump(), **put_off})

    def before(name: str, _event: Any) -> None:
        if name == "SpeakPartFunction" and len(bench.vendors.said) == 2:
            bench.publish(CANCEL)

    bench.before = before
    bench.execute("job-1")
    record = bench.record("job-1")
    assert told(record) == ENDED
    assert len(bench.vendors.said) == 2
    assert record.cost_usd == pytest.approx(0.25 + sum(part.cost_usd for part in bench.parts()))


def test_a_part_that_was_asked_for_before_the_cancellation_is_not_begun_after_it() -> None:
    """Its worker has read the whole, and is slow; meanwhile the text is settled."""
    bench = SpeechBench()
    bench.publish(tts(TEXT, input=WAV, **LONG))
    state = bench.steer(bench.speeches.started["job-1"])
    jobs: Any = bench.jobs
    claim = jobs.claim

    def slow(wish: Any) -> Any:
        jobs.claim = claim
        bench.publish(CANCEL)
        bench.aborted("job-1")
        assert told(bench.record("job-1")) == ENDED
        return claim(wish)

    jobs.claim = slow
    bench.speak(state, 0)
    assert (bench.vendors.said, bench.record("job-1").cost_usd) == ([], 0.0)


def test_a_part_that_a_worker_is_paying_for_is_waited_for_and_counted() -> None:
    bench = SpeechBench()
    bench.publish(tts(TEXT, input=WAV, **LONG))
    state = bench.steer(bench.speeches.started["job-1"])
    switch = KillSwitch(2)
    plain = bench.around
    bench.around = lambda world: replace(world, jobs=Mortal(world.jobs, switch))
    with pytest.raises(WorkerKilled):
        bench.speak(state, 0)
    bench.around = plain
    bench.publish(CANCEL)
    at = bench.clock.now()
    with pytest.raises(StoreUnavailable):
        bench.aborted("job-1")  # a function of the harness has a minute
    bench.aborted("job-1")
    record = bench.record("job-1")
    assert (told(record), record.cost_certain, record.cost_usd > 0) == (ENDED, False, True)
    assert bench.clock.now() - at >= 50, "as long as the worker may live"


def test_a_whole_text_that_was_paid_and_stored_is_adopted_though_nobody_takes_it_at_once_any_more() -> None:
    bench = SpeechBench(keys=keys(openai=1))
    asked = tts(TEXT[:3000], input=WAV, **LONG)
    given = replace(message(asked), sent_at=round(bench.clock.now() * 1000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySpeechJobs, "settle", _killed)
        with pytest.raises(WorkerKilled):
            worker(bench.world).handle(given, worker_ends_at=bench.world.ends_at)
    bought = sum(bench.vendors.bought.values())
    assert bought == 1
    bench.clock.advance(300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mediarelay.dispatch.dispatch.DispatchService._routes", _in_parts)
        bench.publish(asked)
    bench.execute("job-1")
    record = bench.record("job-1")
    assert (record.status, sum(bench.vendors.bought.values())) == (JobStatus.SUCCEEDED, bought)
    assert [output.key.rpartition("/")[2] for output in record.outputs] == ["openai-tts-0.wav"]
    assert (record.provider, record.cost_certain, record.cost_usd > 0) == ("openai-tts", True, True)
    assert [lost.adopted for lost in record.interruptions] == [True]


def _killed(*_: Any) -> bool:
    raise WorkerKilled("settle")


def _in_parts(service: Any, request: Any, request_id: str) -> Any:
    """As where nobody takes the text at once any more."""
    return service._router.routes(request, request_id, now=service._clock.now()), True
