"""Deferred messages come to their end by a bound of ours, since Lambda's own is off.

AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops": Lambda stops one that
its own messages have invoked about sixteen times, unless its `RecursiveLoop` is `Allow`; of those it tells nobody.
"""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.job_records.ports import JobStore
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import image, message, tts, video
from tests.doubles.scripted_http import throttled
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench
from tests.harness.template import load_template, of_type, role_statements

DAY = 86_400


def senders_to_their_source(template: dict[str, Any]) -> set[str]:
    """The functions that may send to a queue or a topic that invokes them."""
    found = set()
    for name, function in of_type(template, "AWS::Serverless::Function").items():
        properties = [event["Properties"] for event in function.get("Events", {}).values()]
        sources = [each[key] for each in properties for key in ("Queue", "Topic") if key in each]
        statements = role_statements(template, function["Role"]["Fn::GetAtt"][0])
        for statement in statements:
            actions, resources = (
                value if isinstance(value, list) else [value] for value in (statement["Action"], statement["Resource"])
            )
            sends = {"sqs:SendMessage", "sns:Publish"} & set(actions)
            if sends and any(each in sources for each in resources):
                found.add(name)
    return found


def test_every_function_that_sends_to_its_own_source_is_allowed_to() -> None:
    template = load_template()
    found = senders_to_their_source(template)
    assert found
    functions = of_type(template, "AWS::Serverless::Function")
    assert {name: functions[name].get("RecursiveLoop") for name in found} == dict.fromkeys(found, "Allow")


def until_it_ends(bench: Bench, body: Any, *, within: float = 2 * DAY) -> float:
    """Handle the message and all its copies, each when it is visible. Returns how long that took."""
    began = bench.clock.now()
    waiting = [message(body)]
    while waiting:
        for each in waiting:
            bench.handle(each)
        if bench.queue.delayed:
            soonest = min(each.visible_at for each in bench.queue.delayed)
            assert soonest - began < within, "it circles"
            bench.clock.advance(max(0.0, soonest - bench.clock.now()))
        waiting = bench.queue.due()
    return bench.clock.now() - began


class AwayUntil:
    """A Jobs table that takes no claim before a moment."""

    def __init__(self, jobs: JobStore, clock: Clock, until: float) -> None:
        self._jobs = jobs
        self._away = Flaky(jobs, "claim")
        self._clock = clock
        self._until = until

    def __getattr__(self, name: str) -> Any:
        return getattr(self._away if self._clock.now() < self._until else self._jobs, name)


BODIES = {
    "speech": tts(timeout_seconds=300),
    "picture": image(timeout_seconds=300),
    "clip": video(timeout_seconds=300),
    "every provider's": tts(timeout_seconds=300, strategy="all"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_while_no_store_answers_a_message_stops_with_its_cause_and_ends_when_one_does(
    bench: Bench, body: dict[str, Any]
) -> None:
    jobs, media_jobs = bench.world.jobs, bench.world.media_jobs
    bench.world.jobs = Flaky(Flaky(jobs, "claim"), "reject")
    bench.world.media_jobs = Flaky(media_jobs, "open")
    assert 300 <= until_it_ends(bench, body, within=2400) < 2400
    assert [each.attributes["error_code"] for each in bench.queue.lost] == ["store_unavailable"]
    bench.world.jobs, bench.world.media_jobs = jobs, media_jobs
    bench.end_lost()
    group = jobs.get("message-1")
    assert group is not None
    records = [jobs.get(f"message-1#{provider}") for provider in group.branches] or [group]
    # A clip's execution begins, and ends it.
    begun = bench.world.executions.find("message-1") is not None
    assert all(begun or (record is not None and record.status.settled) for record in records)
    assert (bench.causes(), bench.http.calls) == ([], [])


@pytest.mark.parametrize("name", ["speech", "picture"])
def test_while_keys_cannot_be_read_a_job_expires_at_its_deadline(bench: Bench, name: str) -> None:
    bench.world.source = Flaky(bench.world.source, "load")
    assert 300 <= until_it_ends(bench, BODIES[name], within=600) < 600
    record = bench.world.jobs.get("message-1")
    assert record is not None
    assert (record.status, bench.causes()) == (JobStatus.EXPIRED, [])


@pytest.mark.parametrize("name", ["clip", "every provider's"])
def test_a_message_whose_jobs_were_never_made_is_told_to_its_publisher(bench: Bench, name: str) -> None:
    bench.world.source = Flaky(bench.world.source, "load")
    until_it_ends(bench, BODIES[name], within=2400)
    record = bench.world.jobs.get("message-1")
    assert record is not None
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.REJECTED, "store_unavailable")
    assert bench.causes() == ["store_unavailable"]


def test_a_table_that_is_back_soon_after_the_deadline_has_the_end_recorded(bench: Bench) -> None:
    jobs = bench.world.jobs
    bench.world.jobs = AwayUntil(jobs, bench.clock, bench.clock.now() + 600)
    until_it_ends(bench, tts(timeout_seconds=300), within=2400)
    record = jobs.get("message-1")
    assert record is not None
    assert (record.status, bench.causes(), bench.http.calls) == (JobStatus.EXPIRED, [], [])


def test_a_cancellation_that_cannot_be_carried_out_ends_too(bench: Bench) -> None:
    bench.world.media_jobs = Flaky(bench.world.media_jobs, "get")
    until_it_ends(bench, {"cancel": "job-1"})
    assert bench.causes() == ["store_unavailable"]


def test_a_day_of_refusals_is_waited_for_to_the_jobs_own_deadline(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(1))
    took = until_it_ends(bench, tts(timeout_seconds=DAY, providers=["openai-tts"]))
    record = bench.world.jobs.get("message-1")
    assert record is not None
    assert (record.status, bench.causes()) == (JobStatus.EXPIRED, [])
    assert took > DAY - 900
    assert record.deferrals < 600


@pytest.mark.parametrize("trips", ["1000", "999999"])
def test_a_message_that_came_too_often_ends_before_its_deadline(bench: Bench, trips: str) -> None:
    bench.http.always("api.openai.com", throttled(30))
    record = bench.served(tts(providers=["openai-tts"]), attributes={"mediarelay_trips": trips})
    assert (record.status, bench.queue.delayed, bench.causes()) == (JobStatus.EXPIRED, [], [])


def test_a_clip_that_came_too_often_is_parked_with_that_cause(bench: Bench) -> None:
    bench.world.source = Flaky(bench.world.source, "load")
    bench.handle(video(), attributes={"mediarelay_trips": "1000"})
    assert (bench.causes(), bench.queue.delayed) == (["deferred_too_often"], [])
