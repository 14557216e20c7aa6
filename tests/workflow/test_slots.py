"""Slots of accounts: at its end a job holds none, or one that lapses when what could not be stopped is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import audio, video
from tests.doubles.job_vendors import Fault, kling_refusal, plain, reset
from tests.doubles.trouble import Flaky, WorkerKilled
from tests.harness.long_jobs.workflow import Bench
from tests.workflow.clips import BOTH, FAL, KLING

# Every account counts its jobs.
KEYS: dict[str, Any] = {
    "KLING_API_KEYS": [
        {"key": "fake-kling-key-0000", "account": "studio", "concurrency": 3},
        {"key": "fake-kling-key-0002", "account": "spare", "concurrency": 3},
    ],
    "FAL_KEYS": [
        {"key": "fake-fal-key-0000", "account": "main", "concurrency": 3},
        {"key": "fake-fal-key-0001", "account": "backup", "concurrency": 3},
    ],
    "ELEVENLABS_API_KEYS": [{"key": "fake-elevenlabs-key-0000", "account": "eleven", "concurrency": 3}],
}
LASTING = 10_000_000.0
# Twice what a clip usually takes, of the slowest model.
RUNS_ON_SECONDS = 900


def bench_of(**fields: Any) -> Bench:
    return Bench(keys_from(KEYS), **fields)


def held(bench: Bench) -> dict[str, int]:
    """The accounts of which a slot is held, each with the seconds until it lapses."""
    now = bench.clock.now()
    return {
        account: round(until - now)
        for (_, account), holders in bench.slots.holders.items()
        for until in holders.values()
        if until > now
    }


def cancelled(bench: Bench) -> None:
    bench.publish(video(**FAL))
    bench.execute_until("job-1", "Wait for the provider")
    bench.publish({"cancel": "job-1"}, message_id="m-2")


def failed_there(bench: Bench) -> None:
    def before(name: str, _event: object) -> None:
        if name == "PollJobFunction":
            for task in bench.vendors.tasks.values():
                task.failure = "the render farm lost a node" if task.vendor == "kling" else None

    bench.before = before


def spoiled(bench: Bench) -> None:
    def before(name: str, _event: object) -> None:
        if name == "SettleJobFunction":
            for task in bench.vendors.tasks.values():
                task.media = b"RIFF\0\0\0\0WAVEfmt "

    bench.before = before


def ran(request: Any, prepare: Callable[[Bench], object] = lambda _bench: None) -> Callable[[Bench], None]:
    def run(bench: Bench) -> None:
        prepare(bench)
        bench.run(request)

    return run


def lasting(bench: Bench) -> None:
    bench.vendors.seconds = lambda: LASTING


ENDINGS: dict[str, Callable[[Bench], None]] = {
    "succeeded": ran(video(**KLING)),
    "delivered at once": ran(audio(request_id="job-1", providers=["elevenlabs-audio"])),
    "failed at its vendor": ran(video(**KLING), failed_there),
    "refused": ran(video(**KLING), lambda bench: bench.vendors.plan("submit", *[kling_refusal(400, 1201)] * 99)),
    "throttled until it expires": ran(
        video(**KLING, timeout_seconds=120),
        lambda bench: bench.vendors.plan("submit", *[kling_refusal(429, 1302)] * 999),
    ),
    "no such clip": ran(video(**BOTH), spoiled),
    "expired and stopped": ran(video(**FAL, timeout_seconds=900), lasting),
    "cancelled": cancelled,
    "lost once and found absent": ran(video(**KLING), lambda bench: bench.vendors.plan("submit", reset(after=False))),
    "over to the next provider": ran(video(**BOTH), failed_there),
    "worker killed before it sent": ran(
        video(**KLING), lambda bench: bench.vendors.plan("submit", Fault(breaks=WorkerKilled("before")))
    ),
    "result not stored": ran(
        audio(request_id="job-1", providers=["elevenlabs-audio"]),
        lambda bench: setattr(bench.world, "media", Flaky(bench.world.media, "put")),
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("seed", range(3))
def test_a_job_at_its_end_holds_no_slot(name: str, seed: int) -> None:
    bench = bench_of(seed=seed)
    ENDINGS[name](bench)
    assert bench.record("job-1").status.settled
    assert held(bench) == {}


RUN_ON: dict[str, Callable[[Bench], None]] = {
    "expired where nothing can be stopped": ran(video(**KLING, timeout_seconds=900), lasting),
    "an answer that was lost": ran(video(**FAL), lambda bench: bench.vendors.plan("submit", reset(after=True))),
    "lost twice and bought twice": ran(
        video(**FAL, on_ambiguous="resubmit"), lambda bench: bench.vendors.plan("submit", *[reset(after=True)] * 9)
    ),
    "vanished": ran(
        video(**KLING), lambda bench: (lasting(bench), bench.vendors.plan("poll", *[kling_refusal(404, 1203)] * 3))
    ),
}


@pytest.mark.parametrize("name", RUN_ON)
def test_what_runs_on_at_its_vendor_counts_until_it_must_be_over_there(name: str) -> None:
    bench = bench_of()
    RUN_ON[name](bench)
    assert bench.record("job-1").status.settled
    assert held(bench)
    assert all(seconds <= RUNS_ON_SECONDS for seconds in held(bench).values())
    bench.clock.advance(RUNS_ON_SECONDS + 1)
    assert held(bench) == {}


@pytest.mark.parametrize("seed", range(4))
def test_a_submit_that_never_arrived_leaves_no_slot_at_the_account_before(seed: int) -> None:
    """With another account's key it is noted anew; the first account's slot used to stay until long after the end."""
    bench = bench_of(seed=seed)
    bench.vendors.plan("submit", reset(after=False))
    bench.publish(video(**KLING))
    bench.execute_until("job-1", "Wait for the provider")
    (task,) = bench.vendors.tasks.values()
    assert set(held(bench)) == {task.account}


def test_a_worker_that_dies_before_it_notes_whose_slot_it_has_leaves_none_for_hours() -> None:
    bench = bench_of()
    slots: Any = bench.slots
    take = slots.take

    def dying(*args: Any, **fields: Any) -> bool:
        take(*args, **fields)
        slots.take = take
        raise WorkerKilled("after it took a slot")

    slots.take = dying
    record = bench.run(video(**KLING))
    assert record.status is JobStatus.SUCCEEDED
    assert all(seconds <= RUNS_ON_SECONDS for seconds in held(bench).values())


def test_an_accepted_job_holds_its_slot_until_after_its_deadline() -> None:
    bench = bench_of()
    bench.publish(video(**KLING))
    bench.execute_until("job-1", "Wait for the provider")
    left = (bench.record("job-1").expires_at or 0) - bench.clock.now()
    (seconds,) = held(bench).values()
    assert seconds > left


def test_a_slot_that_could_not_be_returned_at_its_time_is_returned_at_the_end() -> None:
    bench = bench_of()
    bench.vendors.plan("submit", plain(503, "maintenance"), kling_refusal(429, 1302))
    release = bench.slots.release
    memory = bench.slots
    away = iter(range(14))

    class Away:
        def __getattr__(self, name: str) -> Any:
            return getattr(memory, name)

        def release(self, vendor: str, account: str, job_id: str) -> bool:
            if next(away, None) is not None:
                return bool(Flaky(memory, "release").release(vendor, account, job_id))
            return release(vendor, account, job_id)

    bench.world.slots = Away()
    bench.publish(video(**BOTH))
    bench.execute("job-1")
    assert next(away, None) is None
    now = bench.clock.now()
    assert [until for holders in memory.holders.values() for until in holders.values() if until > now] == []
