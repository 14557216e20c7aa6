"""Whatever dies and whatever comes twice, one request is paid for once, or the record says why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.queue import MemoryQueue
from tests.doubles.scripted_http import ScriptedHttp, throttled
from tests.doubles.trouble import Flaky, KillSwitch, Mortal, WorkerKilled
from tests.harness.local_aws import BUCKET, JOBS, REGION, TELEMETRY, LocalAws, local_aws
from tests.harness.worker import World, on_aws, worker

REQUEST = tts(request_id="job-1", providers=["openai-tts", "elevenlabs-tts"], strategy="ordered")
MORE_STEPS_THAN_ANY_RUN = 60
Make = Callable[[], World]


@pytest.fixture(params=["memory", "aws"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes empty worlds."""
    if request.param == "memory":
        yield World
        return
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with local_aws() as account:
        yield lambda: _emptied(account)


def _emptied(account: LocalAws) -> World:
    for table, names in ((JOBS, ("request_id",)), (TELEMETRY, ("pk", "sk"))):
        for item in account.items(table):
            account.dynamodb.delete_item(TableName=table, Key={name: item[name] for name in names})
    for key in account.objects():
        account.s3.delete_object(Bucket=BUCKET, Key=key)
    return on_aws(account, ManualClock())


def _mortal(world: World, switch: KillSwitch) -> World:
    ports = {name: Mortal(getattr(world, name), switch) for name in ("jobs", "http", "media", "queue")}
    return replace(world, **ports)  # type: ignore[arg-type]  # each stands in for its port


def _handle(world: World, given: QueueMessage, switch: KillSwitch) -> bool:
    """Whether the worker lived to the end; the switch is told what died with it."""
    before = _paid(world)
    try:
        worker(_mortal(world, switch)).handle(given, worker_ends_at=world.ends_at)
    except WorkerKilled:
        switch.lost = _paid(world) - before - switch.log.count("end put")
        return False
    return True


def _step(name: str) -> int:
    """Which step of an undisturbed run this is."""
    switch = KillSwitch()
    _handle(World(), message(REQUEST), switch)
    return switch.log.index(name) + 1


def _redeliver(world: World, original: QueueMessage) -> JobRecord:
    """Workers that live handle the original again, and whatever copies it left, until the job is settled."""
    assert isinstance(world.queue, MemoryQueue)
    for count in range(2, 8):
        world.clock.advance(180)  # the queue's visibility timeout, longer than any lease
        for given in (replace(original, receive_count=count), *world.queue.due()):
            worker(world).handle(given, worker_ends_at=world.ends_at)
        record = world.jobs.get("job-1")
        if record is not None and record.status.settled:
            return record
    raise AssertionError("the job was never settled")


def _paid(world: World) -> int:
    assert isinstance(world.http, ScriptedHttp)
    return world.http.paid["hello"]


def _check(world: World, record: JobRecord, switches: list[KillSwitch]) -> None:
    lost = sum(switch.lost for switch in switches)
    where = [switch.log[-1:] for switch in switches]
    if record.error is not None and record.error.code == "worker_lost":
        assert (len(record.interruptions), record.cost_certain) == (2, False), where
    else:
        assert record.status is JobStatus.SUCCEEDED, where
    assert _paid(world) <= 1 + lost, where
    assert bool(record.interruptions) >= bool(lost), where


def _scripted(plan: str) -> ScriptedHttp:
    http = ScriptedHttp()
    if plan == "deferred":
        http.plan("", *[throttled(30)] * 4)
    return http


@pytest.mark.parametrize("plan", ["served", "deferred"])
def test_a_worker_killed_at_any_step_costs_at_most_what_was_in_flight(make: Make, plan: str) -> None:
    for at in range(1, MORE_STEPS_THAN_ANY_RUN):
        world, switch = replace(make(), http=_scripted(plan)), KillSwitch(at)
        original = message(REQUEST)
        lived = _handle(world, original, switch)
        _check(world, _redeliver(world, original), [switch])
        if lived:
            assert at > 8, "the switch must have met every port"
            return
    raise AssertionError("no run ended without a crash")


def test_two_workers_killed_one_after_the_other_cost_at_most_what_each_had_in_flight() -> None:
    for first in range(1, MORE_STEPS_THAN_ANY_RUN):
        lives = set()
        for second in range(1, MORE_STEPS_THAN_ANY_RUN):
            world, switches = World(), [KillSwitch(first), KillSwitch(second)]
            original = message(REQUEST)
            lives.add(_handle(world, original, switches[0]))
            world.clock.advance(180)
            last = _handle(world, original, switches[1])
            _check(world, _redeliver(world, original), switches)
            if last:
                break
        if lives == {True}:
            return
    raise AssertionError("no run ended without a crash")


def test_a_stored_result_is_adopted_and_nothing_is_bought(make: Make) -> None:
    world = make()
    assert not _handle(world, message(REQUEST), KillSwitch(_step("end put")))
    record = _redeliver(world, message(REQUEST))
    assert _paid(world) == 1
    assert (record.provider, record.outputs[0].key[-16:]) == ("openai-tts", "openai-tts-0.mp3")
    assert record.cost_usd > 0
    assert [lost.adopted for lost in record.interruptions] == [True]


def test_a_result_is_still_adopted_when_the_bucket_was_away_at_the_first_look(make: Make) -> None:
    """Taking over, finding the bucket away and deferring must not make the next worker forget to look."""
    world = make()
    assert not _handle(world, message(REQUEST), KillSwitch(_step("end put")))
    world.clock.advance(180)
    away = replace(world, media=Flaky(world.media, "find"))
    worker(away).handle(message(REQUEST), worker_ends_at=world.ends_at)
    record = _redeliver(world, message(REQUEST))
    assert (record.status, _paid(world)) == (JobStatus.SUCCEEDED, 1)


def test_the_same_message_handled_by_two_workers_at_once_is_paid_once(make: Make) -> None:
    world = make()
    workers = [worker(world, seed=number) for number in range(2)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda each: each.handle(message(REQUEST), worker_ends_at=world.ends_at), workers))
    assert _paid(world) == 1
    assert (_redeliver(world, message(REQUEST)).status, _paid(world)) == (JobStatus.SUCCEEDED, 1)


def test_the_same_message_handled_five_times_in_a_row_is_paid_once(make: Make) -> None:
    world = make()
    for _ in range(5):
        worker(world).handle(message(REQUEST), worker_ends_at=world.ends_at)
    assert _paid(world) == 1


def test_a_frozen_worker_that_wakes_after_its_lease_settles_nothing(make: Make) -> None:
    """It has paid, slept through its lease, and finds the job served by another."""
    world = make()
    frozen = _Freezing(world)
    worker(replace(world, media=frozen)).handle(message(REQUEST), worker_ends_at=world.ends_at)  # type: ignore[arg-type]
    record = world.jobs.get("job-1")
    assert record is not None
    assert (record.status, len(record.interruptions), record.claim_id) == (JobStatus.SUCCEEDED, 1, frozen.heir)


class _Freezing:
    """A bucket in front of which the first worker freezes until another has served its job."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.heir: str | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._world.media, name)

    def put(self, *args: object) -> None:
        if self.heir is None:
            self._world.clock.advance(180)
            worker(self._world).handle(message(REQUEST), worker_ends_at=self._world.ends_at)
            record = self._world.jobs.get("job-1")
            self.heir = record.claim_id if record else None
        self._world.media.put(*args)  # type: ignore[arg-type]
