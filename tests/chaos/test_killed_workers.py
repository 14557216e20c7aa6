"""Workers that die without a word, at random moments: nothing is lost, and only what was in flight is bought again."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from random import Random

import pytest

from mediarelay.job_records.contract import JobRecord
from tests.builders.requests import tts
from tests.harness.chatter import say
from tests.harness.deployed import Relay, until

pytestmark = pytest.mark.stack

WAVE = 150
KILLS = 12
FUNCTION_SECONDS, VISIBILITY_SECONDS = 40, 40  # far more than a busy machine takes over a worker's start
LEASE_SECONDS = FUNCTION_SECONDS + 5
CALL_SECONDS = 15.0  # long enough for a kill in mid-call, and shorter than any timeout


class Killer:
    """Kills a random worker now and then, until it has had its fill."""

    def __init__(self, relay: Relay, dice: Random) -> None:
        self._relay = relay
        self._dice = dice
        self._next = 0.0
        self.killed: list[int] = []

    @property
    def had_its_fill(self) -> bool:
        return len(self.killed) >= KILLS

    def __call__(self) -> None:
        if self.had_its_fill or time.monotonic() < self._next:
            return
        workers = self._relay.workers("DispatchRequestFunction") + self._relay.workers("AnnounceResultFunction")
        busy = self._relay.simulator.client.stats()["in_flight"]
        if not workers or not busy:
            return
        pid = self._dice.choice(workers)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)
        self._next = time.monotonic() + self._dice.uniform(0.2, 1.0)


@pytest.fixture
def quick(relay: Relay) -> Iterator[None]:
    with relay.quick(function_seconds=FUNCTION_SECONDS, visibility_seconds=VISIBILITY_SECONDS):
        yield


@pytest.mark.usefixtures("quick")
def test_every_request_settles_once_while_workers_are_killed(relay: Relay, dice: Random) -> None:
    relay.simulator.client.fault(kind="latency", seconds=0.4)
    killer, ids = Killer(relay, dice), []
    while not killer.had_its_fill:
        wave = [tts(f"killed {n}", request_id=f"kill-{n}") for n in range(len(ids), len(ids) + WAVE)]
        relay.publish(wave)
        ids += [request["request_id"] for request in wave]
        events = relay.await_events(ids, meanwhile=killer)
        assert all(events.values()), [message["Body"] for message in relay.parked()]
    say(f"{len(killer.killed)} workers killed, {len(ids)} requests")
    jobs = relay.jobs("kill-")
    unsettled = {name: job for name, job in jobs.items() if not job.status.settled}
    assert unsettled == {}, [message["Body"] for message in relay.parked()]
    assert {job.status for job in jobs.values()} == {"succeeded"}
    assert len(jobs) == len(ids)
    assert {request_id: len(found) for request_id, found in events.items() if len(found) != 1} == {}
    paid = relay.simulator.client.paid()
    overpaid = {n: paid[f"killed {n}"] for n in range(len(ids)) if paid[f"killed {n}"] > 1}
    say(f"{sum(paid.values()) - len(ids)} bought again")
    assert {n: count for n, count in overpaid.items() if count > 1 + lost_calls(jobs[f"kill-{n}"])} == {}


@pytest.mark.usefixtures("quick")
def test_a_job_whose_worker_died_is_taken_up_by_itself_and_says_so(relay: Relay) -> None:
    claimed = killed_in_mid_call(relay)
    name = claimed.request_id
    assert len(relay.await_events([name])[name]) == 1
    job = relay.jobs(name)[name]
    assert job.interruptions[0].claim_id == claimed.claim_id
    assert job.claims == len(job.interruptions) + 1
    taken_up_after = ((job.claimed_at or 0) - (claimed.claimed_at or 0)) / 1000
    say(f"taken up {taken_up_after:.1f} s after the claim; lease {LEASE_SECONDS} s, visibility {VISIBILITY_SECONDS} s")


def lost_calls(job: JobRecord) -> int:
    """Claims whose worker died, so that a call of theirs may have been lost."""
    return sum(not note.adopted for note in job.interruptions)


def claimed(relay: Relay, name: str) -> object:
    """The record of a job, once a worker has claimed it."""
    return relay.jobs(name).get(name)


def killed_in_mid_call(relay: Relay) -> JobRecord:
    """Kill the worker of a job while it waits for the vendor; returns the job as the dead worker left it.

    A kill that comes when the call is over is followed by another job and another kill.
    """
    for number in itertools.count():
        name = f"abandoned-{number}"
        fault = relay.simulator.client.fault(kind="latency", seconds=CALL_SECONDS, match=name)
        relay.publish([tts(name, request_id=name)])
        until(partial(claimed, relay, name), "a claim")
        until(lambda: relay.simulator.client.stats()["in_flight"], "a call")
        for pid in relay.workers("DispatchRequestFunction"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        relay.simulator.client.clear(fault)
        left = relay.jobs(name)[name]
        if left.status == "running":
            return left
    raise AssertionError("counting never ends")
