"""How often one job may be bought, over all deliveries and executions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import message, tts, video
from tests.doubles.job_vendors import Fault, reset
from tests.doubles.scripted_http import MEDIA, Answer, truncated, unanswered
from tests.doubles.trouble import KillSwitch, Mortal, WorkerKilled
from tests.harness.bench import Bench as SpeechBench
from tests.harness.long_jobs.workflow import Bench
from tests.harness.worker import worker

FAL: dict[str, Any] = {"request_id": "job-1", "providers": ["fal-kling"]}
BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}


def test_fals_answers_lost_for_ever_buy_two_clips_and_both_are_counted() -> None:
    bench = Bench()
    bench.vendors.plan("submit", *[reset(after=True)] * 600)
    record = bench.run(video(**FAL, on_ambiguous="resubmit"))
    assert record.error is not None
    assert (record.status, record.error.code, sum(bench.vendors.submits.values())) == (
        JobStatus.FAILED,
        "ambiguous_submit",
        2,
    )
    assert (record.cost_usd, record.cost_certain) == (pytest.approx(2 * 5 * 0.07), False)
    assert len(record.purchases) == 2


def test_speech_whose_answers_are_lost_is_bought_twice_over_all_deliveries() -> None:
    bench = SpeechBench()
    bench.http.always("", unanswered())
    given = message(tts(on_ambiguous="resubmit", request_id="job-1", **BOTH))
    for count in range(1, 30):
        bench.handle(replace(given, receive_count=count))
        bench.clock.advance(180)
        for copy in bench.queue.due():
            bench.handle(copy)
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert (record.status, len(bench.http.calls)) == (JobStatus.FAILED, 2)
    assert (len(record.purchases), record.cost_certain) == (2, False)


def test_an_answer_lost_in_one_delivery_counts_in_the_next() -> None:
    bench = SpeechBench()
    throttled = [Answer(429, b"{}", {"retry-after": "20"})] * 4
    bench.http.plan("", unanswered(), *throttled)
    given = message(tts(on_ambiguous="resubmit", request_id="job-1", **BOTH))
    bench.handle(given)
    bench.http.always("", unanswered())
    for _ in range(20):
        bench.clock.advance(180)
        for copy in bench.queue.due():
            bench.handle(copy)
    assert sum(call is not None for call in bench.http.calls) - len(throttled) <= 2


@pytest.mark.parametrize("strategy", ["ordered", "fastest"])
def test_an_answer_that_began_as_a_success_is_never_bought_again_at_the_same_provider(strategy: str) -> None:
    bench = SpeechBench()
    bench.http.plan("api.openai.com", truncated(), truncated())
    request = tts(providers=["openai-tts"], on_ambiguous="resubmit", strategy=strategy)
    record = bench.served(request)
    assert record.error is not None
    assert (record.status, record.error.code, len(bench.http.calls)) == (JobStatus.FAILED, "ambiguous_submit", 1)


def test_it_may_be_bought_elsewhere() -> None:
    bench = SpeechBench()
    bench.http.plan("api.openai.com", truncated())
    record = bench.served(tts(on_ambiguous="resubmit", **BOTH))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts")
    assert not record.cost_certain


def test_a_lost_clip_and_one_of_no_use_are_two_and_nobody_is_asked_for_a_third() -> None:
    bench = Bench()
    bench.vendors.plan("submit", reset(after=True))

    def spoil(name: str, _event: object) -> None:
        if name == "SettleJobFunction":
            for task in bench.vendors.tasks.values():
                task.media = b"RIFF\0\0\0\0WAVEfmt "

    bench.before = spoil
    record = bench.run(
        video(request_id="job-1", providers=["fal-kling", "kling-video"], strategy="ordered", on_ambiguous="resubmit")
    )
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "unusable_delivery")
    assert (sum(bench.vendors.submits.values()), len(record.purchases)) == (2, 2)
    assert (record.cost_usd, record.cost_certain) == (pytest.approx(2 * 5 * 0.07), False)


def test_a_clip_whose_acceptance_cannot_be_read_is_not_submitted_again_at_its_provider() -> None:
    bench = Bench()
    bench.vendors.plan("submit", *[Fault(Answer(200, b"<html>", {"content-type": "text/html"}))] * 9)
    record = bench.run(video(**FAL, on_ambiguous="resubmit"))
    assert record.status is JobStatus.FAILED
    assert (len(record.purchases), record.cost_usd > 0) == (1, True)


PORTS = ("jobs", "http", "media", "queue")


def killed(bench: SpeechBench, given: QueueMessage, switch: KillSwitch) -> None:
    """A worker over the bench's world that the switch may kill handles the message."""
    world = replace(bench.world, **{name: Mortal(getattr(bench.world, name), switch) for name in PORTS})
    worker(world).handle(given, worker_ends_at=world.ends_at)


def test_a_second_lost_worker_ends_the_job_with_what_both_may_have_bought() -> None:
    bench = SpeechBench()
    given = message(tts(request_id="job-1", providers=["openai-tts"]))
    undisturbed = KillSwitch()
    killed(SpeechBench(), given, undisturbed)
    at = undisturbed.log.index("begin put") + 1
    # The second one looks for a result first.
    for count, switch in ((1, KillSwitch(at)), (2, KillSwitch(at + len(("begin find", "end find"))))):
        with pytest.raises(WorkerKilled):
            killed(bench, replace(given, receive_count=count), switch)
        bench.clock.advance(180)
    for count in range(3, 9):
        bench.handle(replace(given, receive_count=count))
        bench.clock.advance(180)
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "worker_lost")
    assert (len(bench.http.calls), len(record.interruptions), record.cost_certain) == (2, 2, False)
    assert record.cost_usd > 0


def test_what_was_paid_for_in_vain_and_what_a_lost_worker_may_have_bought_are_two() -> None:
    bench = SpeechBench()
    unusable = Answer(200, MEDIA["png"], {"content-type": "audio/mpeg"}, paid=True)
    throttled = Answer(429, b"{}", {"retry-after": "20"})
    bench.http.plan("api.openai.com", unusable)
    bench.http.always("api.elevenlabs.io", throttled)
    given = message(tts(request_id="job-1", **BOTH))
    bench.handle(given)
    bench.clock.advance(180)
    (copy,) = bench.queue.due()
    bench.http.always("api.elevenlabs.io", Answer(200, MEDIA["mp3"], {"content-type": "audio/mpeg"}, paid=True))
    with pytest.raises(WorkerKilled):
        killed(bench, copy, KillSwitch(4))
    calls = len(bench.http.calls)
    bench.clock.advance(180)
    bench.handle(replace(copy, receive_count=2))
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.error.code, len(bench.http.calls)) == ("worker_lost", calls)
    assert ([each.state for each in record.purchases if each.state != "not_charged"], record.cost_certain) == (
        ["charged", "unknown"],
        False,
    )
