"""A table that is away for ten minutes, and a pool that is spent for an hour: every request ends by its own deadline.

In virtual time, over the shipped dispatcher and executions, to the second. On the deployed template, on a local AWS
that stops loops ("Use Lambda recursive loop detection to prevent infinite loops", AWS Lambda developer guide), each
ends once and as it should; how late, which depends on the machine, is only told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.ports import JobStore
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import image, message, tts, video
from tests.doubles.scripted_http import speech, throttled
from tests.doubles.trouble import Flaky, Outage
from tests.harness.bench import Bench
from tests.harness.chatter import say
from tests.harness.deployed import PATIENCE, Relay, deployed, until
from tests.harness.long_jobs.speeches import SpeechBench
from tests.harness.long_jobs.workflow import Bench as ClipBench

MINUTE, HOUR = 60, 3600
SPENT = {"error": {"message": "slow down", "type": "tokens", "code": "rate_limit_exceeded"}}
OPENAI = ["openai-tts"]
# A message that is put off comes back at its own moment, at its deadline at the latest; past that, within a minute;
# an execution within a thirtieth of how late it is, where that is more.
LONGEST_WAIT, SHARE_OF_LATENESS = 60, 1 / 30
SECONDS_OF_A_DELAY = 1
SECONDS_OF_A_STEP = 5
RETRY_SECONDS = 2


class AwayUntil:
    """A Jobs table that takes nothing before a moment."""

    def __init__(self, jobs: JobStore, clock: Clock, until: float) -> None:
        self._jobs, self._clock, self._until = jobs, clock, until
        self._away = Flaky(Flaky(Flaky(Flaky(jobs, "claim"), "reject"), "settle"), "defer")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._away if self._clock.now() < self._until else self._jobs, name)


@pytest.mark.parametrize("timeout", [5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR])
def test_in_virtual_time(bench: Bench, timeout: int) -> None:
    jobs, began = bench.world.jobs, bench.clock.now()
    bench.world.jobs = AwayUntil(jobs, bench.clock, began + 10 * MINUTE)
    bench.http.always("api.openai.com", throttled(20))
    ids = [f"request-{number}" for number in range(5)]
    waiting = [message(tts(each, request_id=each, timeout_seconds=timeout, providers=OPENAI)) for each in ids]
    while waiting or bench.queue.lost:
        for each in waiting:
            bench.handle(each)
        bench.end_lost()
        if bench.clock.now() > began + HOUR + 10 * MINUTE:
            bench.http.always("api.openai.com", speech())
        if bench.queue.delayed:
            soonest = min(each.visible_at for each in bench.queue.delayed)
            bench.clock.advance(max(0.0, soonest - bench.clock.now()))
        waiting = bench.queue.due()
    records = [jobs.get(each) for each in ids]
    wanted = JobStatus.SUCCEEDED if timeout == 2 * HOUR else JobStatus.EXPIRED
    assert [record and record.status for record in records] == [wanted] * len(ids)
    ends = [record.settled_at or 0 for record in records if record is not None]
    back = began + 10 * MINUTE + LONGEST_WAIT
    assert max(ends) / 1000 <= max(began + timeout, back) + SECONDS_OF_A_DELAY
    assert (bench.queue.dlq, bench.queue.lost) == ([], [])


def clips_without_tables(at: str, seconds: float) -> tuple[ClipBench, Outage]:
    """A bench of clips whose tables go away for so long as a function is first invoked."""
    bench = ClipBench()
    outage = Outage(bench.clock)
    bench.before = lambda name, _event: outage.begin(seconds) if name == at else None
    names = ("media_jobs", "slots", "times", "states")
    bench.world = replace(bench.world, **{name: outage.around(getattr(bench.world, name)) for name in names})
    return bench, outage


def texts_without_tables(seconds: float) -> tuple[SpeechBench, Outage]:
    """A bench of long texts whose tables go away for so long as the first step is decided."""
    bench = SpeechBench()
    outage = Outage(bench.clock)
    bench.before = lambda _name, _event: outage.begin(seconds)
    names = ("jobs", "media_jobs", "progress")
    bench.around = lambda world: replace(world, **{name: outage.around(getattr(world, name)) for name in names})
    return bench, outage


def beyond_the_waits(record: JobRecord, outage: Outage) -> float:
    """Seconds from when its end could have been written, beyond what it may take by the waits."""
    assert outage.begun is not None
    back, deadline = outage.begun + outage.seconds, record.expires_at or 0
    allowed = max(LONGEST_WAIT, SHARE_OF_LATENESS * (back - deadline))
    return (record.settled_at or 0) / 1000 - max(back, deadline) - allowed


# Of ten minutes, and those in which waits that only double would come back much later.
TABLE_AWAY = [6 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR, 5 * HOUR]


@pytest.mark.parametrize("seconds", TABLE_AWAY)
@pytest.mark.parametrize("at", ["Submit", "Settle"])
def test_a_clip_past_its_deadline_ends_soon_after_the_table_is_back(at: str, seconds: int) -> None:
    bench, outage = clips_without_tables(f"{at}JobFunction", seconds)
    record = bench.run(video(request_id="job-1", providers=["kling-video"], timeout_seconds=5 * MINUTE))
    wanted = JobStatus.EXPIRED if at == "Submit" else JobStatus.SUCCEEDED
    assert (record.status, bench.ran.status) == (wanted, "SUCCEEDED")
    assert beyond_the_waits(record, outage) < SECONDS_OF_A_STEP


@pytest.mark.parametrize("seconds", TABLE_AWAY)
def test_a_long_text_past_its_deadline_ends_soon_after_the_table_is_back(seconds: int) -> None:
    bench, outage = texts_without_tables(seconds)
    text = "One of many sentences. " * 400
    record = bench.run(tts(text, request_id="job-1", providers=OPENAI, timeout_seconds=5 * MINUTE))
    assert (record.status, bench.ran.status) == (JobStatus.EXPIRED, "SUCCEEDED")
    assert beyond_the_waits(record, outage) < SECONDS_OF_A_STEP


@pytest.mark.parametrize("seconds_late", [20, 140, 260])
def test_a_message_that_was_put_off_for_hours_comes_back_each_minute_past_its_deadline(
    bench: Bench, seconds_late: int
) -> None:
    jobs, began = bench.world.jobs, bench.clock.now()
    back = began + 2 * HOUR + seconds_late
    bench.world.jobs = AwayUntil(jobs, bench.clock, back)
    waiting = [message(tts(request_id="request", timeout_seconds=2 * HOUR, providers=OPENAI))]
    while waiting:
        for each in waiting:
            bench.handle(each)
        for each in bench.queue.delayed:
            bench.clock.advance(each.visible_at - bench.clock.now())
        waiting = bench.queue.due()
    record = jobs.get("request")
    assert record is not None
    assert record.status is JobStatus.EXPIRED
    assert (record.settled_at or 0) / 1000 <= back + LONGEST_WAIT + SECONDS_OF_A_DELAY


# What has a pool of its own that is spent, one of each: who serves it, and how the vendor says that it is spent.
SLOW_DOWN = {"code": 1302, "message": "API request too fast", "request_id": "spent"}
POOLS = {"openai": SPENT, "kling": SLOW_DOWN}
MAKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "speech": partial(tts, providers=OPENAI),
    "text": lambda text, **fields: tts(f"{text} is of many sentences. " * 200, providers=OPENAI, **fields),
    "picture": partial(image, providers=["openai-image"]),
    "clip": partial(video, providers=["kling-video"]),
}
# So many of each kind and deadline; in true time, so many that they get in each other's way.
OF_EACH, OF_EACH_IN_TRUE_TIME = 2, 4
TABLE_MINUTES, POOL_MINUTES = 10, 60
# By the minute in which they are published: the deadlines of the requests, in minutes, and what becomes of them.
WAVES = {0: {5: "expired", 30: "expired", 120: "succeeded"}, 20: {5: "expired", 90: "succeeded"}}
# Where a minute lasts a second, what a worker's start takes is no shorter than ever.
SHORTEST_SECONDS = {"expired": 30, "succeeded": 900}


@pytest.fixture(scope="module")
def minute(request: pytest.FixtureRequest) -> float:
    """Seconds that stand for a minute: one, unless the run is to be in true time."""
    return float(request.config.getoption("--outage-minute"))


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, built: Path, minute: float) -> Iterator[Relay]:
    timing = "standard" if minute == MINUTE else "fast"
    with deployed(tmp_path_factory.mktemp("outages"), built, Timing=timing) as running:
        yield running


@pytest.mark.stack
@pytest.mark.timeout(3 * HOUR)
def test_on_the_deployed_template(relay: Relay, minute: float) -> None:
    faults = [
        relay.simulator.client.fault(vendor=vendor, status=429, body=body, headers={"retry-after": str(RETRY_SECONDS)})
        for vendor, body in POOLS.items()
    ]
    began, wanted = time.time(), dict[str, str]()
    troubled = relay.proxy.troubled
    with relay.proxy.trouble("dynamodb", relay.stack.outputs["JobsTableName"]):
        wanted |= publish(relay, 0, minute)
        until(lambda: relay.proxy.troubled > troubled, "a call to the table")
        look_on(relay, until_time=began + TABLE_MINUTES * minute)
    say(f"table back after {time.time() - began:.0f} s, {relay.proxy.troubled - troubled} calls refused")
    look_on(relay, until_time=began + 20 * minute)
    wanted |= publish(relay, 20, minute)
    look_on(relay, until_time=began + POOL_MINUTES * minute)
    refused = {each["id"]: each["applied"] for each in relay.simulator.client.faults()}
    say(f"pools refill after {time.time() - began:.0f} s; {refused} refusals; {len(relay.events)} events by now")
    for fault in faults:
        relay.simulator.client.clear(fault)
    found = relay.await_events(wanted, max_wait=max(PATIENCE, 45 * minute))
    jobs = {each: job for each, job in relay.jobs("").items() if each in wanted}
    stopped, parked = dropped(relay), relay.parked()
    late = {each: lateness(job, began + TABLE_MINUTES * minute) for each, job in jobs.items()}
    say(
        f"{len(wanted)} requests, {sum(job.status.settled for job in jobs.values())} settled, {len(parked)} parked, "
        f"{sum(map(len, found.values()))} events, {stopped} loops stopped; deferred up to "
        f"{max(job.deferrals for job in jobs.values())} times"
    )
    latest = {name: max(seconds for each, seconds in late.items() if each.startswith(name)) for name in MAKERS}
    say(f"settled after the deadline, or the table's return, by seconds at most: {latest}")
    for each in sorted(late, key=late.__getitem__)[-10:]:
        say(f"{each}: {late[each]:.0f} s, {jobs[each].deferrals} deferrals, {jobs[each].claims} claims")
    assert {each: [event.status for event in events] for each, events in found.items()} == {
        each: [status] for each, status in wanted.items()
    }
    assert {each: job.status for each, job in jobs.items()} == wanted
    assert (parked, stopped) == ([], 0)
    assert {text: times for text, times in relay.simulator.client.paid().items() if times > 1} == {}


def publish(relay: Relay, moment: int, minute: float) -> dict[str, str]:
    """Publish a wave; returns what is to become of each of its requests."""
    wanted: dict[str, str] = {}
    bodies = []
    numbers = range(OF_EACH if minute < MINUTE else OF_EACH_IN_TRUE_TIME)
    for (deadline, end), (name, make), number in product(WAVES[moment].items(), MAKERS.items(), numbers):
        request_id = f"{name}-{moment}-{deadline}-{number}"
        seconds = max(round(deadline * minute), SHORTEST_SECONDS[end])
        bodies.append(make(request_id, request_id=request_id, timeout_seconds=seconds))
        wanted[request_id] = end
    relay.publish(bodies)
    return wanted


def look_on(relay: Relay, *, until_time: float) -> None:
    """Collect events until a moment."""
    relay.await_events(["nobody"], max_wait=until_time - time.time())


def lateness(job: JobRecord, table_back: float) -> float:
    """Seconds past its deadline, or past the return of the table where that was later."""
    return (job.settled_at or 0) / 1000 - max(job.expires_at or 0, table_back)


def dropped(relay: Relay) -> float:
    """How often Lambda stopped a loop."""
    cloudwatch, now = relay.stack.client("cloudwatch"), datetime.now(tz=UTC)
    pages = cloudwatch.get_paginator("list_metrics").paginate(MetricName="RecursiveInvocationsDropped")
    found = [metric for page in pages for metric in page["Metrics"]]
    answers = [
        cloudwatch.get_metric_statistics(
            **metric, StartTime=now - timedelta(hours=3), EndTime=now, Period=3600 * 3, Statistics=["Sum"]
        )
        for metric in found
    ]
    return sum(point["Sum"] for answer in answers for point in answer["Datapoints"])
