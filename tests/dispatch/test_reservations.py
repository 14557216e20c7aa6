"""What a worker takes of the shared limits, holds while it calls, reserves for later, and gives back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.limits.gcra import Acquire, Answer, LimitState
from mediarelay.providers.api import HttpRequest
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.keys import fake_key
from tests.builders.requests import EPOCH_MS, message, tts
from tests.doubles.keys import FixedKeys, MemoryKeyStates
from tests.doubles.leases import MemoryLimits
from tests.doubles.scripted_http import Answer as HttpAnswer
from tests.doubles.scripted_http import ScriptedHttp, openai_error, throttled
from tests.harness.bench import Bench
from tests.harness.worker import key_pools, worker

P = "openai-tts"
OPENAI: dict[str, Any] = {"providers": [P]}
# Nothing takes this long; a test that waits for it has failed.
NEVER_SECONDS = 600.0
# What SQS may add to a delay of whole seconds before a worker has the message.
SQS_LATE_SECONDS = 0.9


class BusyLeases(MemoryLimits):
    """A table that others use as well: each of `meanwhile` happens just before a take.

    `released` and `blocked` count what is written behind a call's back, so that a test can wait for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[Acquire], object]] = []
        self.released = threading.Semaphore(0)
        self.blocked = threading.Semaphore(0)

    def take(self, provider: str, ask: Acquire) -> Answer:
        if self.meanwhile:
            self.meanwhile.pop(0)(ask)
        return super().take(provider, ask)

    def rival(self, ask: Acquire) -> None:
        """Another worker asks for the same, would wait for it, and is quicker."""
        self.take(P, replace(ask, not_after=ask.now + 600.0))

    def block(self, provider: str, owner: str, key_id: str, until: float | None) -> None:
        super().block(provider, owner, key_id, until)
        self.blocked.release()

    def release(self, provider: str, owner: str, slots: Sequence[tuple[str, float]]) -> None:
        super().release(provider, owner, slots)
        self.released.release()

    def state(self) -> LimitState:
        """Of the only owner."""
        (state,) = self.look(P, [["", "~"]]).values()
        return state


class SlowHttp(ScriptedHttp):
    """Each of `meanwhile` happens while a call is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[HttpAnswer]:
        with super().send(request, deadline=deadline) as answer:
            if self.meanwhile:
                self.meanwhile.pop(0)()
            yield answer


def declared(count: int, **fields: Any) -> FixedKeys:
    return accounts(*({"key": fake_key("openai", number), **fields} for number in range(count)))


def accounts(*entries: Mapping[str, Any]) -> FixedKeys:
    return FixedKeys(keys_from({"OPENAI_API_KEYS": list(entries)}))


@pytest.fixture
def leases(bench: Bench) -> BusyLeases:
    bench.world.leases = leases = BusyLeases()
    return leases


@pytest.fixture
def http(bench: Bench) -> SlowHttp:
    bench.world.http = http = SlowHttp()
    return http


# --- reserved slots -------------------------------------------------------------------------------------------------


def test_a_copy_that_sqs_delivers_late_still_comes_in_time_for_its_slot(bench: Bench, leases: BusyLeases) -> None:
    bench.world.source = declared(1, rpm=6, burst=1)
    for name in ("first", "second"):
        bench.handle(tts(**OPENAI), message_id=name)
    (delayed,) = bench.queue.delayed
    writes = leases.writes
    bench.clock.advance(delayed.delay_seconds + SQS_LATE_SECONDS)
    (copy,) = bench.queue.due()
    assert bench.served(copy).status is JobStatus.SUCCEEDED
    assert (leases.writes, leases.state().used) == (writes, 2), "it was served on the slot that was reserved for it"


def test_no_slot_is_reserved_that_lies_past_the_jobs_deadline(bench: Bench, leases: BusyLeases) -> None:
    bench.world.source = declared(1, rpm=6, burst=1)
    bench.handle(tts(**OPENAI), message_id="first")
    leases.meanwhile.append(leases.rival)  # the slot in ten seconds, the last before the deadline, goes to another
    assert bench.served(tts(timeout_seconds=15, **OPENAI), message_id="second").status is JobStatus.DEFERRED
    (delayed,) = bench.queue.delayed
    assert leases.state().used == 2, "the first job's permit and the other worker's"
    assert "mediarelay_slot" not in delayed.message.attributes


def test_a_job_that_finds_no_slot_is_tried_again_before_its_deadline(bench: Bench, leases: BusyLeases) -> None:
    bench.http.always("", throttled(5))
    waiting = message(tts(timeout_seconds=60, **OPENAI), sent_at=EPOCH_MS - 45_000)
    assert bench.served(waiting).status is JobStatus.DEFERRED
    bench.http.always("", bench.http.default)
    (delayed,) = bench.queue.delayed
    bench.clock.advance(delayed.delay_seconds)
    (copy,) = bench.queue.due()
    assert bench.served(copy).status is JobStatus.SUCCEEDED
    assert leases.writes > 0


# --- concurrency slots ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 20.0])
@pytest.mark.usefixtures("leases")
def test_a_concurrency_slot_is_held_for_as_long_as_its_call_takes(bench: Bench, http: SlowHttp, seconds: float) -> None:
    bench.world.source = declared(1, concurrency=1)

    def another_job() -> None:
        bench.clock.advance(seconds)
        bench.handle(tts(**OPENAI), message_id="second")

    http.meanwhile.append(another_job)
    assert bench.served(tts(**OPENAI), message_id="first").status is JobStatus.SUCCEEDED
    assert (len(http.calls), len(bench.queue.delayed)) == (1, 1)


def test_a_job_that_waits_for_the_rate_holds_no_concurrency_slot(bench: Bench, leases: BusyLeases) -> None:
    bench.world.source = declared(1, rpm=6, burst=1, concurrency=1)
    bench.handle(tts(**OPENAI), message_id="first")
    assert leases.released.acquire(timeout=NEVER_SECONDS)
    assert bench.served(tts(**OPENAI), message_id="second").status is JobStatus.DEFERRED
    assert leases.state().slots == {}
    bench.clock.advance(20.0)
    assert bench.served(tts(**OPENAI), message_id="third").status is JobStatus.SUCCEEDED


def test_a_permit_whose_key_cannot_be_taken_gives_its_slot_back(bench: Bench, leases: BusyLeases) -> None:
    bench.world.source = source = declared(1, concurrency=1)
    (key,) = source.keys["openai"]
    ring = key_pools(bench.world)
    ring.refresh()
    leases.meanwhile.append(lambda _: ring.noticed(key, P, Failure(Outcome.KEY_REJECTED, "invalid_api_key")))
    ring.take("openai", P, frozenset())
    assert leases.released.acquire(timeout=NEVER_SECONDS)
    assert leases.state().slots == {}


# --- benched keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "benched"),
    [(openai_error(401, "invalid_api_key"), [0]), (openai_error(429, "insufficient_quota"), [0, 1])],
    ids=["the key alone", "its whole account"],
)
def test_a_benched_key_is_leased_by_no_worker_that_has_not_heard_of_it(
    bench: Bench, leases: BusyLeases, answer: HttpAnswer, benched: list[int]
) -> None:
    owners = ["acme", "acme", "other"]
    bench.world.source = accounts(
        *({"key": fake_key("openai", n), "account": owner, "rpm": 600} for n, owner in enumerate(owners))
    )
    bench.http.always(fake_key("openai", 0), answer)
    while not bench.statuses("openai"):
        bench.handle(tts(**OPENAI), message_id=f"m-{len(bench.http.calls)}")
    assert leases.blocked.acquire(timeout=NEVER_SECONDS)
    bench.world = replace(bench.world, states=MemoryKeyStates())
    before = len(bench.http.calls)
    for number in range(12):
        assert bench.served(tts(**OPENAI), message_id=f"later-{number}").status is JobStatus.SUCCEEDED
    used = {n for n in range(3) for call in bench.http.calls[before:] if fake_key("openai", n) in call.auth}
    assert used == {0, 1, 2} - set(benched)


# --- which permit, and when -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("leases")
def test_a_worker_that_is_about_to_end_waits_for_no_key(bench: Bench) -> None:
    """The wait would leave it less time than a paid call may need."""
    bench.world.source = declared(1, rpm=60, burst=1)
    bench.handle(tts(**OPENAI), message_id="first")
    service = worker(bench.world)
    service.handle(message(tts(**OPENAI), message_id="second"), worker_ends_at=bench.clock.now() + 3.5)
    assert (bench.clock.sleeps, len(bench.http.calls), len(bench.queue.delayed)) == ([], 1, 1)


@pytest.mark.usefixtures("leases")
def test_a_worker_with_time_left_waits_for_a_key_that_is_due_soon(bench: Bench) -> None:
    bench.world.source = declared(1, rpm=60, burst=1)
    for name in ("first", "second"):
        bench.handle(tts(**OPENAI), message_id=name)
    assert (len(bench.clock.sleeps), len(bench.http.calls), bench.queue.delayed) == (1, 2, [])


def test_whoever_was_too_late_at_one_account_goes_to_another_that_is_free(bench: Bench, leases: BusyLeases) -> None:
    bench.world.source = declared(2, rpm=60, burst=1)
    leases.meanwhile.append(leases.rival)
    assert bench.served(tts(**OPENAI)).status is JobStatus.SUCCEEDED
    assert bench.clock.sleeps == [], "the account that it asked first would have had a permit a second later"


@pytest.mark.usefixtures("leases")
def test_calls_of_an_account_with_a_rate_and_a_slot_have_their_turns(bench: Bench) -> None:
    """A reservation would not hold the slot: who comes back to it had to reserve the next, for ever."""
    bench.world.source = declared(1, rpm=6, burst=1, concurrency=1)
    for name in ("first", "second", "third"):
        bench.handle(tts(**OPENAI), message_id=name)
    for _ in range(30):
        bench.clock.advance(3.0)
        for each in bench.queue.due():
            worker(bench.world).handle(each, worker_ends_at=bench.clock.now() + 60.0)
    assert len(bench.http.calls) == 3
