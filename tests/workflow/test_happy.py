"""The shipped machine with the shipped handlers, when all goes well."""

from __future__ import annotations

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import audio, video
from tests.doubles.job_vendors import MP4, WAV
from tests.harness.long_jobs.workflow import Bench

MANY = [
    {"key": "fake-kling-key-0000", "account": "studio", "concurrency": 8},
    {"key": "fake-kling-key-0001", "account": "studio"},
    {"key": "fake-kling-key-0002", "account": "spare", "concurrency": 5},
]


def test_a_video_is_submitted_polled_fetched_and_settled() -> None:
    bench = Bench()
    record = bench.run(video(request_id="job-1", providers=["kling-video"]))
    (output,) = record.outputs
    assert (record.status, record.provider, record.model) == (JobStatus.SUCCEEDED, "kling-video", "kling-v2-6")
    assert (output.content_type, output.bytes) == ("video/mp4", len(MP4))
    assert bench.uploads.files[output.key] == MP4
    assert output.key.endswith("/job-1/kling-video-0.mp4")
    assert record.cost_usd == pytest.approx(5 * 0.042)
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.ACCEPTED, Outcome.DELIVERED]
    assert bench.ran.status == "SUCCEEDED"


def test_transitions_are_three_for_each_poll_and_six_beside() -> None:
    bench = Bench()
    bench.vendors.seconds = lambda: 130.0
    bench.run(video(request_id="job-1", providers=["kling-video"]))
    polls = bench.vendors.polls["task-1"]
    assert polls >= 2
    assert sum(bench.ran.visits.values()) == 3 * polls + 5


def test_fals_queue_is_asked_where_it_says_and_its_result_is_fetched_apart() -> None:
    bench = Bench()
    record = bench.run(audio(request_id="job-1", providers=["fal-stable-audio"], input={"duration": 20}))
    assert (record.status, record.outputs[0].content_type) == (JobStatus.SUCCEEDED, "audio/wav")
    assert bench.uploads.files[record.outputs[0].key] == WAV


def test_music_that_comes_in_the_answer_is_settled_at_once() -> None:
    bench = Bench()
    record = bench.run(audio(request_id="job-1", providers=["elevenlabs-audio"], input={"duration": 5}))
    assert (record.status, record.outputs[0].content_type) == (JobStatus.SUCCEEDED, "audio/mpeg")
    assert dict(bench.ran.visits) == {"Submit job": 1, "What next?": 2, "Settle job": 1, "Done": 1}
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.DELIVERED]


def test_strategy_all_is_an_execution_for_each_provider() -> None:
    bench = Bench()
    bench.publish(video(request_id="job-1", providers=["kling-video", "fal-kling"], strategy="all"))
    assert set(bench.executions.started) == {"job-1@kling-video", "job-1@fal-kling"}
    bench.run_all()
    assert bench.record("job-1#kling-video").status is JobStatus.SUCCEEDED
    assert bench.record("job-1#fal-kling").status is JobStatus.SUCCEEDED


def test_the_first_wait_is_learned_from_the_jobs_before() -> None:
    """The catalogue says two minutes; the vendor takes twenty seconds; after a few jobs nobody waits for minutes."""
    bench = Bench()
    bench.vendors.seconds = lambda: 20.0
    waited = []
    for number in range(30):
        before = bench.clock.now()
        bench.publish(video(request_id=f"job-{number}", providers=["kling-video"]), message_id=f"m-{number}")
        bench.execute(f"job-{number}")
        waited.append(bench.clock.now() - before)
    assert waited[0] >= 90
    assert max(waited[-5:]) <= 25


def test_sixty_jobs_at_once_over_three_keys_of_two_accounts() -> None:
    """In virtual time; tests/local does the like on the local stack."""
    bench = Bench(keys_from({"KLING_API_KEYS": MANY}), warm=4)
    bench.vendors.limits = {"studio": 8, "spare": 5}
    durations = iter(range(60))
    bench.vendors.seconds = lambda: 30.0 + next(durations) % 17
    for number in range(60):
        body = video(f"clip {number}", request_id=f"job-{number}", providers=["kling-video"], timeout_seconds=86_400)
        bench.publish(body, message_id=f"m-{number}")
    executions = bench.run_all()
    assert {execution.status for execution in executions} == {"SUCCEEDED"}
    records = [bench.record(f"job-{number}") for number in range(60)]
    assert {record.status for record in records} == {JobStatus.SUCCEEDED}
    assert bench.vendors.foreign == 0
    assert sum(bench.vendors.submits.values()) == 60
    assert set(bench.vendors.submits.values()) == {1}
    assert bench.vendors.most["studio"] == 8
    assert bench.vendors.most["spare"] == 5
    assert set(bench.slots.released.values()) == {1}, "each slot is given back once"
    assert not any(bench.slots.holders.values())
