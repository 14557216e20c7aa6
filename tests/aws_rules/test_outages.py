"""A table that is away for ten minutes, and a pool that is spent for an hour: every request ends by its own deadline.

In virtual time, over the shipped dispatcher; with the times of a minute on the deployed template, on a local AWS that
stops loops ("Use Lambda recursive loop detection to prevent infinite loops", AWS Lambda developer guide).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mediarelay.job_records.ports import JobStore
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import message, tts
from tests.doubles.scripted_http import speech, throttled
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench
from tests.harness.deployed import Relay, deployed, until

MINUTE, HOUR = 60, 3600
SPENT = {"error": {"message": "slow down", "type": "tokens", "code": "rate_limit_exceeded"}}
OPENAI = ["openai-tts"]
# A message that is put off comes back at its own moment, and within fifteen minutes of its deadline.
LATE_SECONDS = 900


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
    assert max(ends) / 1000 <= began + timeout + LATE_SECONDS
    assert (bench.queue.dlq, bench.queue.lost) == ([], [])


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with deployed(tmp_path_factory.mktemp("outages")) as running:
        yield running


@pytest.mark.stack
def test_on_the_deployed_template(relay: Relay) -> None:
    """Seconds stand for minutes: ten of the table, sixty of the pool."""
    spent = relay.simulator.client.fault(vendor="openai", status=429, body=SPENT, headers={"retry-after": "2"})
    short = {f"short-{number}": 30 for number in range(10)}
    long = {f"long-{number}": 600 for number in range(10)}
    bodies = [
        tts(each, request_id=each, timeout_seconds=seconds, providers=OPENAI)
        for each, seconds in (short | long).items()
    ]
    troubled = relay.proxy.troubled
    with relay.proxy.trouble("dynamodb", relay.stack.outputs["JobsTableName"]):
        relay.publish(bodies)
        until(lambda: relay.proxy.troubled > troubled, "a call to the table")
        relay.await_events(short, max_wait=10)
    expired = relay.await_events(short, max_wait=240)
    assert {each: [event.status for event in found] for each, found in expired.items()} == {
        each: ["expired"] for each in short
    }
    relay.await_events(["nobody"], max_wait=20)
    relay.simulator.client.clear(spent)
    served = relay.await_events(long, max_wait=400)
    assert {each: [event.status for event in found] for each, found in served.items()} == {
        each: ["succeeded"] for each in long
    }
    assert relay.parked() == []
    assert {job.status for job in relay.jobs("").values()} == {"expired", "succeeded"}
