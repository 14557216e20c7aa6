"""Requests with `cache_seconds`: what is identical is bought once, and delivered as often as it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.announce.announcing import result_event
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.http.messages import HttpRequest
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import job_key
from mediarelay.reuse.rules import FILE_LEFT_SECONDS
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import message, tts, video
from tests.doubles.clock import ManualClock
from tests.doubles.job_vendors import Fault
from tests.doubles.jobs import MemoryReuse
from tests.doubles.queue import MemoryQueue
from tests.doubles.scripted_http import Answer, ScriptedHttp, openai_error, throttled
from tests.doubles.trouble import Flaky, KillSwitch, Mortal, WorkerKilled
from tests.harness.bench import Bench
from tests.harness.local_aws import REGION, local_aws
from tests.harness.long_jobs.speeches import SpeechBench
from tests.harness.long_jobs.workflow import Bench as ClipBench
from tests.harness.worker import World, on_aws, worker

SPEECH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "cache_seconds": 3600}
DAY = 24 * 3600
WORKERS, REQUESTS = 8, 200


@pytest.fixture(params=["memory", "aws"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    if request.param == "memory":
        yield World()
        return
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with local_aws() as account:
        yield on_aws(account, ManualClock())


def http_of(world: World) -> ScriptedHttp:
    assert isinstance(world.http, ScriptedHttp)
    return world.http


def records(world: World, number: int) -> list[JobRecord]:
    found = [world.jobs.get(job_key(f"job-{one}", "acme")) for one in range(number)]
    assert all(found)
    return [record for record in found if record is not None]


class DiesWithItsAnswer:
    """Kills the first worker that has bought something, before it can store it."""

    def __init__(self, http: ScriptedHttp) -> None:
        self._http = http
        self._lock = threading.Lock()
        self.dead = False

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Answer]:
        with self._http.send(request, deadline=deadline) as answer:
            with self._lock:
                first, self.dead = not self.dead, True
            if first:
                raise WorkerKilled("send")
            yield answer

    def fetch(self, url: str, *, deadline: float) -> Any:
        return self._http.fetch(url, deadline=deadline)


def all_at_once(world: World) -> None:
    """So many workers handle so many identical requests, until there is nothing left; a killed one's comes again."""
    assert isinstance(world.queue, MemoryQueue)
    services = [worker(world, seed=seed) for seed in range(WORKERS)]
    waiting = [
        message(tts(**SPEECH, tenant="acme", request_id=f"job-{number}"), message_id=f"message-{number}")
        for number in range(REQUESTS)
    ]
    start = threading.Barrier(WORKERS)
    lost: list[QueueMessage] = []

    def work(turn: int, messages: list[QueueMessage]) -> None:
        start.wait()
        for given in messages[turn::WORKERS]:
            try:
                services[turn].handle(given, worker_ends_at=world.ends_at)
            except WorkerKilled:
                lost.append(replace(given, receive_count=2))

    with ThreadPoolExecutor(WORKERS) as threads:
        for _ in range(60):
            turns = [threads.submit(work, turn, waiting) for turn in range(WORKERS)]
            for each in turns:
                each.result()
            world.clock.advance(30)
            waiting = [*world.queue.due(), *(lost if not world.queue.delayed else [])]
            if waiting[-1:] == lost[-1:]:
                lost.clear()
            if not waiting and not world.queue.delayed:
                break


def test_two_hundred_identical_requests_at_once_are_one_purchase_and_two_hundred_results(world: World) -> None:
    all_at_once(world)
    settled = records(world, REQUESTS)
    assert {record.status for record in settled} == {JobStatus.SUCCEEDED}
    assert len(http_of(world).calls) == 1
    bought = [record for record in settled if not record.cached]
    assert len(bought) == 1
    assert {tuple(record.outputs) for record in settled} == {tuple(bought[0].outputs)}
    assert [record.cost_usd for record in settled if record.cached] == [0.0] * (REQUESTS - 1)
    assert bought[0].cost_usd > 0


def test_with_the_first_buyer_killed_it_is_bought_twice_at_most() -> None:
    world = World()
    wire = DiesWithItsAnswer(http_of(world))
    all_at_once(replace(world, http=wire))
    settled = records(world, REQUESTS)
    assert {record.status for record in settled} == {JobStatus.SUCCEEDED}
    assert len(http_of(world).calls) == 2
    # The dead worker's purchase counts in the record of its job, with the estimate.
    assert sum(len(record.purchases) for record in settled) == 2
    assert sum(record.cached for record in settled) >= REQUESTS - 2


# --- what is identical --------------------------------------------------------------------------------------------


def test_an_identical_request_is_answered_at_no_cost_and_says_so() -> None:
    bench = Bench()
    first = bench.served(tts(**SPEECH, request_id="job-1"))
    bench.clock.advance(60)
    second = bench.served(tts(**SPEECH, request_id="job-2", metadata={"order": 7}), message_id="message-2")
    assert (second.status, second.cached, second.cost_usd, second.cost_certain) == (JobStatus.SUCCEEDED, True, 0, True)
    assert second.outputs == first.outputs
    assert (second.provider, second.model, second.voice) == (first.provider, first.model, first.voice)
    assert (second.attempts, second.purchases, second.metadata) == ([], [], {"order": 7})
    event = result_event(second, lambda key: (f"s3://{key}", key), 0.0)
    assert (event.cached, event.cost_usd, event.provider) == (True, 0.0, first.provider)
    assert not first.cached
    assert len(bench.http.calls) == 1


@pytest.mark.parametrize(
    "other",
    [
        tts("another text", **SPEECH),
        tts(**SPEECH, tenant="another"),
        tts(**SPEECH, input={"format": "wav"}),
        tts(**SPEECH, input={"voice": "alloy"}),
        tts(**SPEECH, options={"openai-tts": {"voice": "nova"}}),
        tts(**SPEECH, model={"openai-tts": "tts-1"}),
        tts(**{**SPEECH, "providers": ["openai-tts"]}),
        tts(**SPEECH, strategy="cheapest"),
    ],
    ids=["text", "tenant", "format", "voice", "own voice", "model", "providers", "strategy"],
)
def test_what_is_asked_otherwise_is_bought(other: Any) -> None:
    bench = Bench()
    bench.handle(tts(**SPEECH))
    bench.handle(other, message_id="message-2")
    assert len(bench.http.calls) == 2


def test_a_model_that_is_named_is_the_same_as_the_default_that_it_is() -> None:
    bench = Bench()
    first = bench.served(tts(**SPEECH))
    assert first.provider is not None
    assert first.model is not None
    bench.handle(tts(**SPEECH, model={first.provider: first.model}), message_id="message-2")
    assert len(bench.http.calls) == 1


def test_who_does_not_ask_for_it_buys_and_shares_nothing_and_nothing_is_read_for_it() -> None:
    bench = Bench()
    plain = {name: value for name, value in SPEECH.items() if name != "cache_seconds"}
    bench.handle(tts(**SPEECH))
    reuse = bench.world.reuse
    assert isinstance(reuse, MemoryReuse)
    before = (reuse.loads, reuse.writes)
    bench.handle(tts(**plain), message_id="message-2")
    assert (len(bench.http.calls), (reuse.loads, reuse.writes)) == (2, before)


def test_each_provider_of_strategy_all_is_answered_with_its_own() -> None:
    bench = Bench()
    everyone = {**SPEECH, "strategy": "all"}
    bench.handle(tts(**everyone, request_id="job-1"))
    bench.handle(tts(**everyone, request_id="job-2"), message_id="message-2")
    assert len(bench.http.calls) == 2
    for provider in SPEECH["providers"]:
        record = bench.world.jobs.get(f"job-2#{provider}")
        assert record is not None
        assert (record.cached, record.provider) == (True, provider)


# --- how old it may be --------------------------------------------------------------------------------------------


def test_a_result_is_as_new_as_each_request_says() -> None:
    bench = Bench()
    bench.handle(tts(**SPEECH))
    bench.clock.advance(1000)
    for number, seconds in enumerate((1001, 999, 1001), start=2):
        asked = tts(**{**SPEECH, "cache_seconds": seconds})
        bench.handle(asked, message_id=f"message-{number}", sent_at=round(bench.clock.now() * 1000))
    # The second was too old for 999 seconds, was bought anew, and is new enough for the third.
    assert len(bench.http.calls) == 2


def test_a_file_that_is_about_to_be_deleted_is_not_delivered_again() -> None:
    bench = Bench()
    bench.world = replace(bench.world, variables={"RESULT_RETENTION_DAYS": "2"})
    month = {**SPEECH, "cache_seconds": 30 * DAY}
    bench.handle(tts(**month))
    bench.clock.advance(2 * DAY - FILE_LEFT_SECONDS - 60)
    bench.handle(tts(**month), message_id="message-2", sent_at=round(bench.clock.now() * 1000))
    assert len(bench.http.calls) == 1
    bench.clock.advance(61)
    bench.handle(tts(**month), message_id="message-3", sent_at=round(bench.clock.now() * 1000))
    assert len(bench.http.calls) == 2


def test_it_comes_twice_and_stays_as_it_was_delivered() -> None:
    bench = Bench()
    bench.handle(tts(**SPEECH))
    given = message(tts(**SPEECH, request_id="job-2"), message_id="message-2")
    bench.handle(given)
    first = bench.world.jobs.get("job-2")
    bench.clock.advance(5)
    bench.handle(replace(given, receive_count=2))
    assert bench.world.jobs.get("job-2") == first
    assert len(bench.http.calls) == 1


def test_another_request_under_the_id_of_one_that_was_answered_is_a_conflict() -> None:
    bench = Bench()
    bench.handle(tts(**SPEECH))
    bench.handle(tts(**SPEECH, request_id="job-2"), message_id="message-2")
    bench.handle(tts(**SPEECH, request_id="job-2", metadata={"n": 1}), message_id="message-3")
    assert bench.causes() == ["idempotency_conflict"]


# --- joined -------------------------------------------------------------------------------------------------------


def _pump(bench: Bench, times: int = 20) -> None:
    for _ in range(times):
        bench.clock.advance(30)
        for copy in bench.queue.due():
            bench.handle(copy)


def test_where_the_first_fails_the_next_one_buys() -> None:
    bench = Bench()
    bench.http.plan("", openai_error(400, "invalid_prompt"))
    one = {**SPEECH, "providers": ["openai-tts"]}
    first = bench.served(tts(**one))
    second = bench.served(tts(**one), message_id="message-2")
    third = bench.served(tts(**one), message_id="message-3")
    assert [each.status for each in (first, second, third)] == [
        JobStatus.FAILED,
        JobStatus.SUCCEEDED,
        JobStatus.SUCCEEDED,
    ]
    assert (second.cached, third.cached, len(bench.http.calls)) == (False, True, 2)


def test_a_buyer_that_waits_for_a_key_is_waited_for() -> None:
    bench = Bench()
    bench.http.plan("", *[throttled(120)] * 2)
    one = {**SPEECH, "providers": ["openai-tts"]}
    bench.handle(tts(**one))
    asked = len(bench.http.calls)
    bench.handle(tts(**one, request_id="job-2"), message_id="message-2")
    assert len(bench.http.calls) == asked
    assert bench.world.jobs.get("job-2") is None
    _pump(bench)
    settled = bench.world.jobs.get("job-2")
    assert settled is not None
    assert (settled.cached, len(bench.http.calls)) == (True, asked + 1)


def test_one_that_joined_expires_at_its_own_deadline() -> None:
    bench = Bench()
    bench.http.always("", throttled(3000))
    one = {**SPEECH, "providers": ["openai-tts"]}
    bench.handle(tts(**one))
    bench.handle(tts(**one, request_id="job-2", timeout_seconds=60), message_id="message-2")
    _pump(bench, 6)
    settled = bench.world.jobs.get("job-2")
    assert settled is not None
    assert (settled.status, settled.cost_usd) == (JobStatus.EXPIRED, 0)


def test_a_result_that_was_not_shared_is_found_by_the_record_of_its_buyer() -> None:
    bench = Bench()
    world = bench.world
    bench.world = replace(world, reuse=Flaky(world.reuse, "publish", times=1))
    bench.handle(tts(**SPEECH, request_id="job-1"))
    bench.world = world
    bench.handle(tts(**SPEECH, request_id="job-2"), message_id="message-2")
    _pump(bench)
    settled = world.jobs.get("job-2")
    assert settled is not None
    assert (settled.cached, len(bench.http.calls)) == (True, 1)


def test_while_it_cannot_be_known_nothing_is_bought() -> None:
    bench = Bench()
    world = bench.world
    bench.world = replace(world, reuse=Flaky(world.reuse, "load", times=1))
    bench.handle(tts(**SPEECH, request_id="job-1"))
    assert len(bench.http.calls) == 0
    _pump(bench, 2)
    assert len(bench.http.calls) == 1


def test_an_answered_request_costs_one_read_and_no_write_of_what_is_shared() -> None:
    bench = Bench()
    reuse = bench.world.reuse
    assert isinstance(reuse, MemoryReuse)
    bench.handle(tts(**SPEECH))
    assert (reuse.loads, reuse.writes) == (1, 2)
    bench.handle(tts(**SPEECH), message_id="message-2")
    assert (reuse.loads, reuse.writes) == (2, 2)


# --- what takes minutes -------------------------------------------------------------------------------------------

CLIP: dict[str, Any] = {"providers": ["fal-kling"], "cache_seconds": 3600}


def test_a_clip_that_is_being_made_is_joined_and_one_that_is_there_is_delivered_again() -> None:
    bench = ClipBench()
    for number in range(3):
        bench.publish(video(**CLIP, request_id=f"job-{number}"), message_id=f"message-{number}")
    assert list(bench.executions.started) == ["job-0"]
    bench.execute("job-0")
    queue = bench.world.queue
    assert isinstance(queue, MemoryQueue)
    for copy in queue.due():
        worker(bench.world).handle(copy, worker_ends_at=bench.world.ends_at)
    first, *others = [bench.record(f"job-{number}") for number in range(3)]
    assert (first.cached, [other.cached for other in others]) == (False, [True, True])
    assert all(other.outputs == first.outputs and other.cost_usd == 0 for other in others)
    assert (sum(bench.vendors.submits.values()), list(bench.executions.started)) == (1, ["job-0"])


def test_where_the_first_clip_fails_the_next_one_is_bought() -> None:
    bench = ClipBench()
    bench.vendors.plan("submit", *[Fault(422, {"detail": [{"type": "content_policy_violation", "msg": "no"}]})] * 2)
    bench.publish(video(**CLIP, request_id="job-0"), message_id="message-0")
    bench.execute("job-0")
    assert bench.record("job-0").status is JobStatus.FAILED
    bench.publish(video(**CLIP, request_id="job-1"), message_id="message-1")
    assert list(bench.executions.started) == ["job-0", "job-1"]


def test_the_buyer_of_a_clip_that_comes_twice_neither_waits_for_itself_nor_starts_again() -> None:
    bench = ClipBench()
    for count in (1, 2):
        bench.publish(replace(message(video(**CLIP, request_id="job-0")), receive_count=count))
    assert list(bench.executions.started) == ["job-0"]
    bench.execute("job-0")
    bench.publish(replace(message(video(**CLIP, request_id="job-0")), receive_count=3))
    assert not bench.record("job-0").cached


def test_a_clip_that_joined_expires_at_its_own_deadline() -> None:
    bench = ClipBench()
    bench.publish(video(**CLIP, request_id="job-0"), message_id="message-0")
    bench.publish(video(**CLIP, request_id="job-1", timeout_seconds=60), message_id="message-1")
    queue = bench.world.queue
    assert isinstance(queue, MemoryQueue)
    for _ in range(5):
        bench.clock.advance(30)
        for copy in queue.due():
            worker(bench.world).handle(copy, worker_ends_at=bench.world.ends_at)
    bench.execute("job-1")
    assert bench.record("job-1").status is JobStatus.EXPIRED
    assert sum(bench.vendors.submits.values()) == 0


def test_a_long_text_is_spoken_once() -> None:
    bench = SpeechBench()
    text = "A sentence that is spoken. " * 400
    asked = tts(text, providers=["openai-tts"], cache_seconds=3600, input={"format": "wav"})
    bench.publish({**asked, "request_id": "job-0"})
    (name,) = bench.speeches.started
    bench.publish({**asked, "request_id": "job-1"})
    bench.execute(name)
    spoken = bench.vendors.bought.copy()
    queue = bench.world.queue
    assert isinstance(queue, MemoryQueue)
    bench.clock.advance(30)
    for copy in queue.due():
        worker(bench.world).handle(copy, worker_ends_at=bench.world.ends_at)
    first, second = bench.record("job-0"), bench.record("job-1")
    assert (first.status, first.cached, second.status, second.cached) == (
        JobStatus.SUCCEEDED,
        False,
        JobStatus.SUCCEEDED,
        True,
    )
    assert (second.outputs, second.cost_usd, bench.vendors.bought) == (first.outputs, 0.0, spoken)


# --- whatever dies ------------------------------------------------------------------------------------------------

STEPS = range(1, 34)


@pytest.mark.parametrize("at", STEPS)
def test_a_worker_may_die_at_any_step_and_two_purchases_are_the_most(at: int) -> None:
    bench, switch = Bench(), KillSwitch(at)
    names = ("jobs", "http", "media", "queue", "reuse")
    mortal = replace(bench.world, **{name: Mortal(getattr(bench.world, name), switch) for name in names})
    given = message(tts(**SPEECH, request_id="job-1"))
    joining = message(tts(**SPEECH, request_id="job-2"), message_id="message-2")
    try:
        worker(mortal).handle(given, worker_ends_at=bench.world.ends_at)
    except WorkerKilled:
        bench.handle(joining)
        bench.clock.advance(180)
        bench.handle(replace(given, receive_count=2))
    else:
        bench.handle(joining)
    _pump(bench)
    for name in ("job-1", "job-2"):
        record = bench.world.jobs.get(name)
        assert record is not None
        assert record.status is JobStatus.SUCCEEDED, name
    assert len(bench.http.calls) <= 2
