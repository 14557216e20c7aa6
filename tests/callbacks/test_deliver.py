"""Callbacks in virtual time: the shipped rules and service, a queue that hides, and receivers of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from mediarelay.callbacks.deliver import CallbackCaller, CallbackService, Receivers
from mediarelay.callbacks.ports import CallbackMessage
from mediarelay.callbacks.signing import secret_bytes, webhook_id
from mediarelay.events.cloudevents import cloud_event
from mediarelay.job_records.contract import CallbackTries, JobRecord
from mediarelay.vocabulary.errors import Unreachable
from tests.builders.events import event
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.recording import MemoryCounters
from tests.doubles.tables.callbacks import (
    Call,
    FixedCallbackSecrets,
    MemoryCallbackQueue,
    MemoryCallbackRecords,
    MemoryGivenUp,
    Receiver,
    Said,
)

SECRET = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
HOST = "hooks.example.com"
URL = f"https://{HOST}/media?of=17"
HOUR = 3600.0
SETTLED = round(EPOCH * 1000) + 5
Answers = Callable[[float], int | Said | Unreachable]
LATE = Unreachable("read_timeout", "no answer within the time allowed", sent=True)


@dataclass
class World:
    """One worker, its queue, its table, and the one receiver there is."""

    clock: ManualClock
    queue: MemoryCallbackQueue
    records: MemoryCallbackRecords
    secrets: FixedCallbackSecrets
    receiver: Receiver
    counters: MemoryCounters
    service: CallbackService
    given_up: MemoryGivenUp

    def run(self, hours: float = 40.0) -> None:
        """Deliver whatever is due, until nothing waits or the time is over."""
        end = self.clock.now() + hours * HOUR
        while (at := self.queue.next_at) is not None and at <= end:
            self.clock.advance(max(0.0, at - self.clock.now()))
            due = self.queue.due()
            again = self.service.deliver(due)
            for message in due:
                if message.message_id not in again:
                    self.queue.delete(message)

    @property
    def moments(self) -> list[float]:
        """When it was called, in seconds from the beginning."""
        return [round(call.at - EPOCH) for call in self.receiver.calls]

    def noted(self, number: int = 0) -> CallbackTries | None:
        """What the job's record says of it."""
        job = self.records.get(f"job-{number}")
        assert job is not None
        return job.callback


def tries(**fields: Any) -> CallbackTries:
    return CallbackTries.model_validate({"settled_at": SETTLED, **fields})


def job(number: int = 0, **fields: Any) -> JobRecord:
    facts = {"status": "succeeded", "received_at": EPOCH * 1000, "settled_at": SETTLED, "callback_url": URL}
    return JobRecord.model_validate({"request_id": f"job-{number}", **facts, **fields})


def message(number: int = 0, copy: str = "", **fields: Any) -> CallbackMessage:
    told = event(request_id=f"job-{number}", settled_at=SETTLED, callback_url=URL, **fields)
    name = f"m-{number}{copy}"
    return CallbackMessage(name, name, told.model_dump_json(), round(EPOCH * 1000))


def world(answers: Answers, *jobs: JobRecord, hosts: tuple[str, ...] = (HOST,)) -> World:
    clock = ManualClock()
    queue, records = MemoryCallbackQueue(clock), MemoryCallbackRecords(*(jobs or (job(),)))
    secrets, receiver, counters = (
        FixedCallbackSecrets({HOST: [secret_bytes(SECRET)]}),
        Receiver(clock, answers),
        MemoryCounters(),
    )
    caller = CallbackCaller(secrets, receiver, Receivers(hosts, {}), clock)  # type: ignore[arg-type] # it only sends
    given_up = MemoryGivenUp()
    service = CallbackService(
        records,
        queue,
        caller,
        counters=counters,
        clock=clock,
        draw=lambda: 0.5,
        given_up=given_up,
    )
    return World(clock, queue, records, secrets, receiver, counters, service, given_up)


def verified(call: Call) -> Any:
    """What the library of the receivers makes of a call; it looks at the clock, so the moment is its own."""
    webhook = Webhook(SECRET)
    identity, at = call.headers["webhook-id"], call.headers["webhook-timestamp"]
    assert abs(int(at) - call.at) <= 1
    expected = webhook.sign(identity, datetime.fromtimestamp(int(at), UTC), call.body.decode())
    assert expected in call.headers["webhook-signature"].split(" ")
    return call.said


def test_a_receiver_that_is_up_is_told_once_and_nothing_is_written() -> None:
    here = world(lambda _: 204)
    here.queue.add(message(metadata={"order": 17}))
    here.run()
    (call,) = here.receiver.calls
    assert call.url == URL
    told = verified(call)
    assert (told["type"], told["data"]["request_id"], told["data"]["metadata"]) == (
        "media.settled",
        "job-0",
        {"order": 17},
    )
    assert (here.records.writes, here.noted()) == (0, None)


def test_a_receiver_that_is_down_for_an_hour_is_told_with_one_id_and_the_record_says_how() -> None:
    here = world(lambda now: 503 if now < EPOCH + HOUR else 200)
    here.queue.add(message())
    here.run()
    assert here.moments == [0, 5, 305, 2105, 9305]
    assert {call.headers["webhook-id"] for call in here.receiver.calls} == {webhook_id(f"job-0@{SETTLED}")}
    assert len({call.headers["webhook-timestamp"] for call in here.receiver.calls}) == 5
    assert len({call.body for call in here.receiver.calls}) == 1
    assert here.noted() == tries(state="delivered", tries=5, last_status=200)
    assert here.counters.counts == []
    assert here.given_up.events == []


def test_while_it_waits_the_record_says_when() -> None:
    here = world(lambda _: LATE)
    here.queue.add(message())
    here.run(hours=0.01)
    noted = here.noted()
    assert noted == tries(state="waiting", tries=2, last_fault="read_timeout", next_at=round((EPOCH + 305) * 1000))


def test_after_eight_tries_it_is_given_up_counted_and_recorded() -> None:
    here = world(lambda _: 500)
    here.queue.add(message())
    here.run()
    assert here.moments == [0, 5, 305, 2105, 9305, 27305, 63305, 99305]
    assert here.noted() == tries(state="failed", tries=8, last_status=500, last_fault="refused")
    assert here.counters.counts == [("CallbacksFailed", {"state": "failed"})]
    assert here.queue.next_at is None
    (told,) = here.given_up.events
    assert (told["job_id"], told["callback_given_up"]["tries"]) == ("job-0", 8)
    assert cloud_event(told, "prod") is not None


def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    here = world(lambda _: Said(308, {"location": "https://169.254.169.254/"}))
    here.queue.add(message())
    here.run()
    assert {call.url for call in here.receiver.calls} == {URL}
    assert len(here.receiver.calls) == 8


def test_who_answers_410_is_not_called_again() -> None:
    here = world(lambda _: 410)
    here.queue.add(message())
    here.run()
    assert here.moments == [0]
    assert here.noted() == tries(state="gone", tries=1, last_status=410, last_fault="refused")
    assert here.counters.counts == [("CallbacksFailed", {"state": "gone"})]


def test_who_says_when_is_called_then() -> None:
    here = world(lambda now: Said(429, {"retry-after": "600"}) if now < EPOCH + 60 else 200)
    here.queue.add(message())
    here.run()
    assert here.moments == [0, 660]


def test_a_message_that_comes_twice_has_one_id_and_its_failures_are_counted_once() -> None:
    here = world(lambda _: 500)
    here.queue.add(message())
    here.queue.add(message(copy="-again"))
    here.run()
    assert len({call.headers["webhook-id"] for call in here.receiver.calls}) == 1
    assert len(here.receiver.calls) <= 8 + 1  # both may come at the first moment, which no record can see
    noted = here.noted()
    assert noted is not None
    assert (noted.state, noted.tries) == ("failed", 8)


def test_a_copy_that_comes_after_the_end_calls_nobody() -> None:
    ended = tries(state="delivered", tries=3, last_status=200)
    here = world(lambda _: 200, job(callback=ended))
    here.queue.add(message())
    here.run()
    assert here.receiver.calls == []


def test_a_copy_that_comes_before_its_time_waits_for_it() -> None:
    waiting = tries(state="waiting", tries=3, last_status=500, next_at=round((EPOCH + 500) * 1000))
    here = world(lambda _: 200, job(callback=waiting))
    here.queue.add(message())
    here.run()
    assert here.moments == [530]


def test_one_host_that_fails_is_left_alone_and_another_is_not() -> None:
    other = "other.example.com"
    jobs = [job(number) for number in range(40)] + [job(99, callback_url=f"https://{other}/")]
    here = world(lambda _: LATE, *jobs, hosts=("*.example.com",))
    here.secrets.keys[other] = [b"o" * 32]
    for number in range(40):
        here.queue.add(message(number))
    here.run(hours=10 / HOUR)
    first = len(here.receiver.calls)
    assert first < 25, "the others of the host wait without a call"
    here.queue.add(message(99))
    here.run(hours=10 / HOUR)
    assert here.receiver.calls[-1].url == f"https://{other}/"


def test_a_down_host_with_many_callbacks_is_called_now_and_then_and_all_are_told_in_the_end() -> None:
    back = EPOCH + 3 * HOUR
    here = world(lambda now: 200 if now >= back else LATE, *(job(number) for number in range(200)))
    for number in range(200):
        here.queue.add(message(number))
    here.run()
    told = {call.said["data"]["job_id"] for call in here.receiver.calls if call.at >= back}
    assert len(told) == 200
    assert here.counters.counts == []


def test_a_host_that_is_not_allowed_any_more_is_never_called() -> None:
    here = world(lambda _: 200, hosts=("elsewhere.example.com",))
    here.queue.add(message())
    here.run()
    assert here.receiver.calls == []
    assert here.noted() == tries(state="failed", tries=1, last_fault="callback_not_allowed")


def test_without_a_secret_nobody_is_called_until_there_is_one() -> None:
    here = world(lambda _: 200)
    keys = here.secrets.keys.pop(HOST)
    here.queue.add(message())
    here.run(hours=0.01)
    assert here.receiver.calls == []
    here.secrets.keys[HOST] = keys
    here.run()
    assert here.moments == [305]
    assert here.noted() == tries(state="delivered", tries=3, last_status=200)


def test_a_thin_body_is_what_was_asked_for() -> None:
    here = world(lambda _: 200)
    here.queue.add(replace(message(), thin=True))
    here.run()
    assert "outputs" not in here.receiver.calls[0].said["data"]


@pytest.mark.parametrize("state", ["failed", "gone", "delivered"])
def test_what_is_replayed_is_tried_anew_with_the_same_id(state: str) -> None:
    ended = tries(state=state, tries=8, last_status=500)
    here = world(lambda now: 500 if now < EPOCH + 100 else 200, job(callback=ended))
    here.queue.replay(message().body, thin=False, at=round(EPOCH * 1000) + 7)
    here.run()
    assert here.moments == [0, 5, 305]
    assert here.receiver.calls[0].headers["webhook-id"] == webhook_id(f"job-0@{SETTLED}")
    assert here.noted() == tries(state="delivered", tries=3, last_status=200, replayed_at=round(EPOCH * 1000) + 7)


def test_what_is_replayed_overtakes_what_still_waits() -> None:
    here = world(lambda now: 500 if now < EPOCH + 10 else 200)
    here.queue.add(message())
    here.run(hours=0.001)
    here.clock.advance(20)
    here.queue.replay(message().body, thin=False, at=round(EPOCH * 1000) + 20_000)
    here.run()
    assert len([call for call in here.receiver.calls if call.at > EPOCH + 10]) <= 2
    assert here.queue.next_at is None


def test_a_table_that_is_away_calls_nobody_and_the_message_comes_again() -> None:
    here = world(lambda _: 200)
    here.records.away = True
    assert here.service.deliver([message()]) == ["m-0"]
    assert here.receiver.calls == []
    here.records.away = False
    assert here.service.deliver([message()]) == []


def test_a_message_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    here = world(lambda _: 200)
    assert here.service.deliver([CallbackMessage("bad", "bad", "{", 0), message()]) == ["bad"]
    assert len(here.receiver.calls) == 1


def test_a_job_of_a_tenant_is_found_by_its_own_key() -> None:
    here = world(lambda _: 200, job(request_id="acme!job-0"))
    told = event(request_id="acme!job-0", callback_url=URL, tenant="acme")
    here.queue.add(CallbackMessage("m", "m", told.model_dump_json(), 0))
    here.run()
    assert here.receiver.calls[0].said["data"]["request_id"] == "job-0"


@pytest.mark.parametrize("state", ["delivered", "failed", "waiting"])
def test_an_id_that_was_rejected_and_used_again_is_told_of_its_new_end(state: str) -> None:
    """The rejection's callback, and its tries, are those of another end."""
    next_at = round((EPOCH + 900) * 1000) if state == "waiting" else None
    rejected = tries(state=state, tries=4, last_status=500, next_at=next_at, settled_at=SETTLED - 1)
    here = world(lambda now: 500 if now < EPOCH + 1 else 200, job(callback=rejected))
    here.queue.add(message())
    here.run()
    assert here.moments == [0, 5]
    assert here.noted() == tries(state="delivered", tries=2, last_status=200)
