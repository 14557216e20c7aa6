"""The shipped machine when fal says by itself that a job is over: sooner settled, and nothing depends on it."""

from __future__ import annotations

import pytest

from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import video
from tests.harness.long_jobs.workflow import Bench

URL = "https://api.example.com/webhooks/fal"
CLIP = video(request_id="job-1", providers=["fal-kling"])


@pytest.fixture
def bench() -> Bench:
    """A vendor that takes 40 seconds, where the catalogue says minutes."""
    made = Bench(webhook_url=URL)
    made.vendors.seconds = lambda: 40.0
    return made


def took(bench: Bench) -> float:
    """Seconds from now to the end of the job."""
    begun = bench.clock.now()
    assert bench.run(CLIP).status is JobStatus.SUCCEEDED
    return bench.clock.now() - begun


def test_a_webhook_wakes_the_job_long_before_its_poll(bench: Bench) -> None:
    assert took(bench) == pytest.approx(40.0, abs=1)
    assert bench.vendors.tasks["task-1"].webhook_url == URL
    assert bench.vendors.polls["task-1"] == 1
    assert bench.webhooks.answers == [204]


def test_a_poll_costs_three_transitions_with_webhooks_too(bench: Bench) -> None:
    bench.webhooks.silent = True
    bench.vendors.seconds = lambda: 400.0
    bench.run(CLIP)
    polls = bench.vendors.polls["task-1"]
    assert polls >= 2
    assert bench.ran.visits["Wait to be told"] == polls
    assert sum(bench.ran.visits.values()) == 3 * polls + 5


def test_webhooks_that_get_lost_change_nothing(bench: Bench) -> None:
    bench.webhooks.silent = True
    polled = Bench()
    polled.vendors.seconds = bench.vendors.seconds
    assert took(bench) == took(polled)
    assert bench.vendors.polls == polled.vendors.polls


def test_a_token_that_cannot_be_kept_leaves_the_plain_wait(bench: Bench) -> None:
    bench.webhooks.table_away = True
    assert took(bench) > 40
    assert bench.ran.visits["Wait for the provider"] == bench.ran.visits["Wait to be told"] == 1


def test_a_webhook_that_comes_again_and_again_is_harmless(bench: Bench) -> None:
    took(bench)
    before = bench.record("job-1")
    assert [bench.webhooks.call("task-1") for _ in range(3)] == [204] * 3
    assert bench.record("job-1") == before
    assert len(bench.webhooks.tasks.woken) == 1
    assert sum(bench.vendors.submits.values()) == 1


def test_a_webhook_that_comes_too_early_costs_a_poll_and_no_more(bench: Bench) -> None:
    """Signed, but the job is still at work when the vendor is asked."""
    bench.vendors.seconds = lambda: 400.0
    bench.webhooks.eager = True
    assert bench.run(CLIP).status is JobStatus.SUCCEEDED
    assert bench.webhooks.answers[0] == 204
    assert bench.ran.status == "SUCCEEDED"
    assert sum(bench.vendors.submits.values()) == 1


def test_off_nobody_is_asked_to_call_and_nobody_waits_for_it() -> None:
    bench = Bench()
    bench.run(CLIP)
    assert bench.vendors.tasks["task-1"].webhook_url is None
    assert "Wait to be told" not in bench.ran.visits


def test_a_vendor_without_webhooks_is_polled(bench: Bench) -> None:
    bench.run(video(request_id="job-1", providers=["kling-video"]))
    assert bench.vendors.tasks["task-1"].webhook_url is None
    assert "Wait to be told" not in bench.ran.visits


def test_jobs_side_by_side_are_each_woken_by_their_own(bench: Bench) -> None:
    seconds = iter([90.0, 30.0, 60.0])
    bench.vendors.seconds = lambda: next(seconds)
    for number in range(3):
        bench.publish(video(request_id=f"job-{number}", providers=["fal-kling"]), message_id=f"m-{number}")
    bench.run_all()
    assert [bench.vendors.polls[f"task-{number}"] for number in (1, 2, 3)] == [1, 1, 1]
    assert all(bench.record(f"job-{number}").status is JobStatus.SUCCEEDED for number in range(3))
