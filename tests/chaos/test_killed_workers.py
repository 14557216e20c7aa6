"""Workers that die without a word, at random moments: nothing is lost, and only what was in flight is bought again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

import pytest

from mediarelay.job_records.contract import JobRecord
from tests.builders.requests import tts
from tests.harness.chatter import say
from tests.harness.deployed import Relay

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

REQUESTS = 300
KILLS = 12
FUNCTION_SECONDS, VISIBILITY_SECONDS = 20, 20  # a busy machine takes seconds over a worker's start
LEASE_SECONDS = FUNCTION_SECONDS + 5
PATIENCE = 240.0


class Killer:
    """Kills a random worker now and then, until it has had its fill."""

    def __init__(self, relay: Relay, dice: Random) -> None:
        self._relay = relay
        self._dice = dice
        self._next = 0.0
        self.killed: list[int] = []

    def __call__(self) -> None:
        if len(self.killed) >= KILLS or time.monotonic() < self._next:
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
    requests = [tts(f"killed {n}", request_id=f"kill-{n}") for n in range(REQUESTS)]
    killer = Killer(relay, dice)
    relay.publish(requests)
    ids = [request["request_id"] for request in requests]
    events = relay.await_events(ids, patience=PATIENCE, meanwhile=killer)
    say(f"{len(killer.killed)} workers killed")
    assert len(killer.killed) == KILLS
    jobs = relay.jobs("kill-")
    unsettled = {name: job for name, job in jobs.items() if not job.status.settled}
    assert unsettled == {}, [message["Body"] for message in relay.parked()]
    assert {job.status for job in jobs.values()} == {"succeeded"}
    assert len(jobs) == REQUESTS
    assert {request_id: len(found) for request_id, found in events.items() if len(found) != 1} == {}
    paid = relay.simulator.client.paid()
    overpaid = {n: paid[f"killed {n}"] for n in range(REQUESTS) if paid[f"killed {n}"] > 1}
    say(f"{sum(paid.values()) - REQUESTS} bought again")
    assert {n: count for n, count in overpaid.items() if count > 1 + lost_calls(jobs[f"kill-{n}"])} == {}


@pytest.mark.usefixtures("quick")
def test_a_job_whose_worker_died_is_taken_up_by_itself_and_says_so(relay: Relay) -> None:
    fault = relay.simulator.client.fault(kind="latency", seconds=5, match="the abandoned one")
    relay.publish([tts("the abandoned one", request_id="abandoned")])
    claimed = until(lambda: relay.jobs("abandoned").get("abandoned"), lambda job: job.status == "running")
    for pid in relay.workers("DispatchRequestFunction"):
        os.kill(pid, signal.SIGKILL)
    relay.simulator.client.clear(fault)
    assert len(relay.await_events(["abandoned"], patience=PATIENCE)["abandoned"]) == 1
    job = relay.jobs("abandoned")["abandoned"]
    assert [note.claim_id for note in job.interruptions] == [claimed.claim_id]
    assert job.claims == len(job.interruptions) + 1
    taken_up_after = ((job.claimed_at or 0) - (claimed.claimed_at or 0)) / 1000
    say(f"taken up {taken_up_after:.1f} s after the claim; lease {LEASE_SECONDS} s, visibility {VISIBILITY_SECONDS} s")


def lost_calls(job: JobRecord) -> int:
    """Claims whose worker died, so that a call of theirs may have been lost."""
    return sum(not note.adopted for note in job.interruptions)


def until(read: Callable[[], JobRecord | None], wanted: Callable[[JobRecord], bool], patience: float = 60) -> JobRecord:
    """The job once it is as wanted."""
    ends_at = time.monotonic() + patience
    while time.monotonic() < ends_at:
        job = read()
        if job is not None and wanted(job):
            return job
        time.sleep(0.05)
    raise AssertionError("the job never got there")
