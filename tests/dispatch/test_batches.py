"""Batches: what a worker takes beside what it is given, and pictures that are passed on to their own queue."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mediarelay.aws.system_clock import SystemClock
from mediarelay.dispatch import refilling
from mediarelay.dispatch.batches import BatchService
from mediarelay.dispatch.ports import Inbox, QueueMessage
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import delivered, image, message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.queue import PICTURES, MemoryInbox
from tests.doubles.scripted_http import MEDIA, document, throttled
from tests.doubles.trouble import Flaky, WorkerKilled
from tests.harness.bench import Bench
from tests.harness.worker import batch_worker

FRONT = "arn:aws:sqs:eu-central-1:123456789012:requests"
PICTURE: dict[str, Any] = image(providers=["openai-image"])
SPEECH: dict[str, Any] = tts(providers=["openai-tts"])
SLOTS = 16
# Nothing takes this long; a test that waits for it has failed.
NEVER_SECONDS = 600.0
MINUTES = 450.0
MESSAGE_SECONDS = 100.0


# --- taking more --------------------------------------------------------------------------------------------------


@dataclass
class Serving:
    """Stands in for the dispatch service: what it was given and until when, and how many it served at once."""

    act: Callable[[QueueMessage], None] = lambda _message: None
    handled: list[str] = field(default_factory=list)
    untils: list[float] = field(default_factory=list)
    telemetry: int = 0
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin_batch(self, messages: int) -> None:
        assert messages

    def end_batch(self, *, worker_ends_at: float) -> None:
        assert worker_ends_at

    def write_telemetry(self) -> None:
        self.telemetry += 1

    def handle(self, given: QueueMessage, *, worker_ends_at: float, company: bool = False) -> None:
        assert company or len(self.handled) == 0
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self.act(given)
            with self._lock:
                self.handled.append(given.message_id)
                self.untils.append(worker_ends_at)
        finally:
            with self._lock:
                self._now -= 1


def names(first: int, count: int) -> list[str]:
    return [f"m-{number}" for number in range(first, first + count)]


def waiting(first: int, count: int) -> list[QueueMessage]:
    return [message(SPEECH, message_id=name) for name in names(first, count)]


def serve(
    serving: Serving, given: int, inbox: Inbox | None, *, clock: Clock | None = None, seconds: float = MINUTES
) -> list[str]:
    """One invocation that is given the first messages; the ids that it reports as failed."""
    clock = clock or ManualClock()
    service: Any = serving
    batches = BatchService(service, lambda _source: inbox, clock, threads=SLOTS, message_seconds=MESSAGE_SECONDS)
    answer = batches.serve(event(waiting(0, given)), function_ends_at=clock.now() + seconds)
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def event(messages: Sequence[QueueMessage], source: str = FRONT) -> dict[str, Any]:
    """As Lambda hands them over."""
    return {"Records": [delivered(replace(each, source=each.source or source)) for each in messages]}


def test_after_a_full_batch_a_worker_serves_all_that_is_waiting_and_deletes_it() -> None:
    serving, inbox = Serving(), MemoryInbox(waiting(10, 57))
    assert serve(serving, 10, inbox) == []
    assert sorted(serving.handled) == sorted(names(0, 67))
    assert (inbox.waiting, inbox.hidden) == ([], {})


def test_a_batch_that_is_not_full_says_that_nothing_is_waiting() -> None:
    serving, inbox = Serving(), MemoryInbox(waiting(9, 5))
    serve(serving, 9, inbox)
    assert sorted(serving.handled) == names(0, 9)
    assert len(inbox.waiting) == 5


def test_a_worker_never_serves_more_than_it_has_threads() -> None:
    all_at_work = threading.Event()
    serving = Serving(lambda _message: None)

    def act(_message: QueueMessage) -> None:
        if serving.most == SLOTS:  # later ones come when some threads are free, never all at once
            all_at_work.set()
        assert all_at_work.wait(timeout=NEVER_SECONDS)

    serving.act = act
    assert serve(serving, 10, MemoryInbox(waiting(10, 3 * SLOTS - 10))) == []
    assert (serving.most, len(serving.handled)) == (SLOTS, 3 * SLOTS)


def test_free_threads_take_more_while_the_slowest_goes_on() -> None:
    others_are_done, inbox = threading.Event(), MemoryInbox(waiting(10, 40))

    def act(given: QueueMessage) -> None:
        if given.message_id == "m-0":
            assert others_are_done.wait(timeout=NEVER_SECONDS)
        elif len(serving.handled) == 48:
            others_are_done.set()

    serving = Serving(act)
    assert serve(serving, 10, inbox) == []
    assert serving.handled[-1] == "m-0"


def test_nothing_is_taken_that_could_not_be_finished() -> None:
    clock = ManualClock()
    ends_at = clock.now() + MINUTES
    serving = Serving(lambda _message: clock.advance(5.0))
    inbox = MemoryInbox(waiting(10, 1000))
    serve(serving, 10, inbox, clock=clock)
    left = ends_at - clock.now()
    assert inbox.waiting
    assert inbox.hidden == {}
    # What was taken last had its whole time, and each has that and no more.
    assert left > 0
    assert max(serving.untils) <= ends_at
    assert len(serving.handled) >= 50


def test_without_time_for_another_message_nothing_is_taken() -> None:
    serving, inbox = Serving(), MemoryInbox(waiting(10, 5))
    serve(serving, 10, inbox, seconds=MESSAGE_SECONDS + 5.0)
    assert len(inbox.waiting) == 5


def test_what_is_not_finished_comes_again_whoever_received_it() -> None:
    def act(given: QueueMessage) -> None:
        if given.message_id in {"m-3", "m-12"}:
            raise StoreUnavailable("request queue", "defer a message", "away")

    inbox = MemoryInbox(waiting(10, 5))
    assert serve(Serving(act), 10, inbox) == ["m-3"], "Lambda is told of what it has delivered"
    assert [each.message_id for each in inbox.hidden.values()] == ["m-12"], "the queue brings the other back"


def test_what_a_dying_worker_has_taken_is_not_deleted() -> None:
    def act(given: QueueMessage) -> None:
        if given.message_id == "m-11":
            raise WorkerKilled

    inbox = MemoryInbox(waiting(10, 3))
    with pytest.raises(WorkerKilled):
        serve(Serving(act), 10, inbox)
    assert "m-11" in {each.message_id for each in inbox.hidden.values()}


@pytest.mark.parametrize("failing", ["receive", "delete"])
def test_a_queue_that_does_not_answer_costs_no_message(failing: str) -> None:
    serving, inbox = Serving(), Flaky(MemoryInbox(waiting(10, 3)), failing)
    assert serve(serving, 10, inbox) == []
    assert set(names(0, 10)) <= set(serving.handled)


def test_what_others_need_to_know_is_written_while_the_invocation_goes_on() -> None:
    clock = ManualClock()
    serving = Serving(lambda _message: clock.advance(1.0))
    serve(serving, 10, MemoryInbox(waiting(10, 40)), clock=clock)
    assert serving.telemetry > 1


def test_what_has_ended_is_deleted_and_told_while_all_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else ends and nothing more is taken meanwhile: nobody but the time wakes the worker."""
    monkeypatch.setattr(refilling, "LATE_SECONDS", 0.2)
    together, deleted = threading.Barrier(SLOTS), threading.Event()
    quick = names(0, refilling.WORTH_ASKING - 1)

    class Watched(MemoryInbox):
        def delete(self, messages: Sequence[QueueMessage]) -> None:
            super().delete(messages)
            deleted.set()

    def act(given: QueueMessage) -> None:
        together.wait(timeout=NEVER_SECONDS)
        if given.message_id not in quick:
            assert deleted.wait(timeout=NEVER_SECONDS)
            assert serving.telemetry

    serving = Serving(act)
    assert serve(serving, 10, Watched(waiting(10, SLOTS - 10)), clock=SystemClock()) == []


# --- pictures -----------------------------------------------------------------------------------------------------


def invoke(bench: Bench, *messages: QueueMessage) -> None:
    worker = batch_worker(bench.world)
    answer = worker.serve(event(messages), function_ends_at=bench.world.ends_at)
    assert answer == {"batchItemFailures": []}


def draws(bench: Bench) -> None:
    picture = base64.b64encode(MEDIA["png"]).decode()
    bench.http.always("images", document(200, {"data": [{"b64_json": picture}]}, paid=True))


def asked_for_pictures(bench: Bench) -> int:
    return sum("images" in call.url for call in bench.http.calls)


def test_a_picture_in_company_is_passed_on_and_speech_is_served(bench: Bench) -> None:
    draws(bench)
    invoke(bench, message(SPEECH, message_id="m-1"), message(PICTURE, message_id="m-2"))
    assert asked_for_pictures(bench) == 0
    (passed_on,) = bench.queue.due()
    assert passed_on.source == PICTURES
    invoke(bench, passed_on)
    record = bench.world.jobs.get("m-2")
    assert record is not None
    assert record.status is JobStatus.SUCCEEDED
    assert asked_for_pictures(bench) == 1


def test_a_picture_that_comes_alone_is_served_where_it_came(bench: Bench) -> None:
    draws(bench)
    invoke(bench, message(PICTURE))
    assert (asked_for_pictures(bench), bench.queue.due()) == (1, [])


def test_pictures_are_not_passed_on_from_their_own_queue(bench: Bench) -> None:
    draws(bench)
    others = [message(image(f"{n}", providers=["openai-image"]), message_id=f"m-{n}") for n in range(3)]
    invoke(bench, *(replace(each, source=PICTURES) for each in others))
    assert (asked_for_pictures(bench), bench.queue.due()) == (3, [])


def test_a_picture_that_cannot_be_passed_on_is_served_all_the_same(bench: Bench) -> None:
    draws(bench)
    bench.world.queue = Flaky(bench.queue, "send_later")
    invoke(bench, message(SPEECH, message_id="m-1"), message(PICTURE, message_id="m-2"))
    assert asked_for_pictures(bench) == 1


def test_what_is_passed_on_stays_the_same_message(bench: Bench) -> None:
    noted = {"mediarelay_trips": "7", "mediarelay_slot": "none", "theirs": "x"}
    given = replace(message(PICTURE, message_id="m-2", attributes=noted), group="acme")
    invoke(bench, message(SPEECH, message_id="m-1"), given)
    (passed_on,) = bench.queue.due()
    identity = {"mediarelay_request_id": "m-2", "mediarelay_sent_at": str(given.sent_at)}
    assert dict(passed_on.attributes) == {**noted, **identity}
    assert (passed_on.body, passed_on.group) == (given.body, "acme")


def test_a_message_that_was_passed_on_twice_buys_once(bench: Bench) -> None:
    """A worker dies after it has passed it on, and before Lambda has deleted it."""
    draws(bench)
    for count in (1, 2):
        company = message(SPEECH, message_id="m-1", receive_count=count)
        invoke(bench, company, message(PICTURE, message_id="m-2", receive_count=count))
    invoke(bench, *bench.queue.due())
    for later in bench.queue.due():
        invoke(bench, later)
    assert asked_for_pictures(bench) == 1


@pytest.mark.parametrize(("body", "source"), [(PICTURE, PICTURES), (SPEECH, "")], ids=["picture", "speech"])
def test_what_is_deferred_comes_back_to_the_queue_of_its_kind(bench: Bench, body: dict[str, Any], source: str) -> None:
    bench.http.always("api.openai.com", throttled(60))
    invoke(bench, message(body))
    (deferred,) = bench.queue.delayed
    assert deferred.message.source == source
    assert json.loads(deferred.message.body) == body
