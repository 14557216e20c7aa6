"""Both request queues keep the same promises, and so do the inboxes, from which a worker takes more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from mediarelay.dispatch.ports import Inbox, QueueMessage, RequestQueue
from mediarelay.dispatch.sqs import SqsInbox, SqsRequests
from tests.builders.dice import dice
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.queue import MESSAGE_BYTES, MemoryInbox, MemoryQueue, size
from tools.simulation.aws.queue import Hands, Queue, QueueFacts
from tools.simulation.aws.stores import Book
from tools.simulation.loop import Loop, VirtualClock

Seen = list[tuple[str, dict[str, str]]]


@dataclass
class Case:
    """A queue, and its two ends: each a list of (body, attributes)."""

    queue: RequestQueue
    sent: Callable[[], Seen]
    parked: Callable[[], Seen]
    lost: Callable[[], Seen]


@pytest.fixture(params=["memory", "sqs"])
def case(request: pytest.FixtureRequest) -> Case:
    return _memory() if request.param == "memory" else _sqs(request.getfixturevalue("aws"))


def _memory() -> Case:
    clock = ManualClock()
    queue = MemoryQueue(clock)

    def sent() -> Seen:
        clock.advance(900)
        return [(each.body, dict(each.attributes)) for each in queue.due()]

    def those(messages: list[QueueMessage]) -> Seen:
        return [(each.body, dict(each.attributes)) for each in messages]

    return Case(queue, sent, lambda: those(queue.dlq), lambda: those(queue.lost))


def _sqs(aws: Any) -> Case:
    def seen(url: str) -> Seen:
        return [
            (
                each["Body"],
                {name: value["StringValue"] for name, value in each.get("MessageAttributes", {}).items()},
            )
            for each in aws.received(url)
        ]

    queue = SqsRequests(aws.sqs, aws.queue_url, aws.dlq_url, aws.lost_url)
    return Case(queue, *(partial(seen, url) for url in (aws.queue_url, aws.dlq_url, aws.lost_url)))


def test_a_deferred_copy_keeps_body_and_attributes_and_gains_ours(case: Case) -> None:
    original = message(tts("grüße ✓"), attributes={"trace": "abc", "ours": "stale"})
    case.queue.send_later(original, delay_seconds=0, attributes={"ours": "new"})
    assert case.sent() == [(original.body, {"trace": "abc", "ours": "new"})]


def test_a_copy_never_carries_more_attributes_than_sqs_takes_and_always_ours(case: Case) -> None:
    full = message(tts(), attributes={f"theirs-{number}": "x" for number in range(10)})
    case.queue.send_later(full, delay_seconds=0, attributes={"ours-1": "1", "ours-2": "2"})
    ((_, attributes),) = case.sent()
    assert len(attributes) == 10
    assert attributes.items() >= {("ours-1", "1"), ("ours-2", "2")}


def test_a_parked_message_carries_its_cause(case: Case) -> None:
    case.queue.park(message("{"), code="not_json", reason="the body is not JSON")
    assert case.parked() == [("{", {"error_code": "not_json", "error_message": "the body is not JSON"})]
    assert case.lost() == []


def test_a_message_that_is_given_up_carries_its_cause_and_is_not_parked(case: Case) -> None:
    given_up = message("{}", attributes={"theirs": "x"})
    case.queue.give_up(given_up, code="store_unavailable", reason="no table")
    cause = {"error_code": "store_unavailable", "error_message": "no table"}
    assert case.lost() == [("{}", {"theirs": "x", **cause})]
    assert case.parked() == []


@pytest.mark.parametrize(
    ("reason", "written"),
    [("bad\x00 byte\n\x1b[31m", "bad  byte  [31m"), ("x" * 5000, "x" * 1000), ("", "-"), ("ünï", "ünï")],
)
def test_any_reason_can_be_parked(case: Case, reason: str, written: str) -> None:
    case.queue.park(message("{}"), code="invalid_request", reason=reason)
    ((_, attributes),) = case.parked()
    assert attributes["error_message"] == written


@pytest.mark.parametrize("beyond", [0, 100, 300])
@pytest.mark.parametrize("character", ["x", "é"])
def test_a_body_of_the_largest_size_is_parked_with_its_cause(case: Case, character: str, beyond: int) -> None:
    """Its publisher filled the message to the last byte; what we add must find room."""
    theirs = {"ours": "1", "trace": "y" * 500}
    body = character * ((MESSAGE_BYTES - size(theirs) + beyond) // len(character.encode()))
    case.queue.park(message(body, attributes=theirs), code="too_large", reason="z" * 2000)
    ((parked, attributes),) = case.parked()
    assert (attributes["error_code"], attributes["error_message"]) == ("too_large", "z" * 1000)
    assert len(parked.encode()) + size(attributes) <= MESSAGE_BYTES
    assert body.startswith(parked)
    assert len(body.encode()) - len(parked.encode()) <= 1200


def test_a_deferred_copy_of_a_full_message_leaves_some_of_its_attributes(case: Case) -> None:
    theirs = {"first": "1", "second": "y" * 250_000}
    original = message("x" * (MESSAGE_BYTES - size(theirs)), attributes=theirs)
    case.queue.send_later(original, delay_seconds=0, attributes={"ours": "new"})
    assert case.sent() == [(original.body, {"first": "1", "ours": "new"})]


def test_a_delayed_copy_is_not_seen_before_its_time() -> None:
    clock = ManualClock()
    queue = MemoryQueue(clock)
    queue.send_later(message(tts()), delay_seconds=30, attributes={})
    clock.advance(29)
    assert queue.due() == []
    clock.advance(1)
    assert len(queue.due()) == 1


def test_the_delay_is_passed_on_to_sqs(aws: Any) -> None:
    queue = SqsRequests(aws.sqs, aws.queue_url, aws.dlq_url, aws.lost_url)
    queue.send_later(message(tts()), delay_seconds=900, attributes={})
    assert aws.received(aws.queue_url) == []
    asked = aws.sqs.get_queue_attributes(QueueUrl=aws.queue_url, AttributeNames=["All"])["Attributes"]
    assert asked["ApproximateNumberOfMessagesDelayed"] == "1"


# --- what a worker takes itself --------------------------------------------------------------------------------

SOURCE = "arn:aws:sqs:eu-central-1:123456789012:requests"


@dataclass
class InboxCase:
    """An inbox, how messages come into it, and how many of them are hidden."""

    inbox: Inbox
    publish: Callable[[Sequence[QueueMessage]], None]
    hidden: Callable[[], int]


@pytest.fixture(params=["memory", "simulated", "sqs"])
def inbox_case(request: pytest.FixtureRequest) -> InboxCase:
    match request.param:
        case "memory":
            return _memory_inbox()
        case "simulated":
            return _simulated_inbox()
    return _sqs_inbox(request.getfixturevalue("aws"))


def _memory_inbox() -> InboxCase:
    inbox = MemoryInbox()
    return InboxCase(inbox, inbox.waiting.extend, lambda: len(inbox.hidden))


def _simulated_inbox() -> InboxCase:
    loop = Loop()
    queue = Queue(loop, MemoryQueue(VirtualClock(loop)), QueueFacts(10, 900.0, 5), Book(), dice())
    hands = Hands(loop, queue)

    def publish(messages: Sequence[QueueMessage]) -> None:
        for each in messages:
            queue.put(each)

    def hidden() -> int:
        """As many as come again."""
        hands.leave()
        before = queue.size
        loop.run(900.0)
        return queue.size - before

    return InboxCase(hands, publish, hidden)


def _sqs_inbox(aws: Any) -> InboxCase:
    def publish(messages: Sequence[QueueMessage]) -> None:
        for each in messages:
            attributes = {name: {"DataType": "String", "StringValue": text} for name, text in each.attributes.items()}
            aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody=each.body, MessageAttributes=attributes)

    def hidden() -> int:
        asked = aws.sqs.get_queue_attributes(QueueUrl=aws.queue_url, AttributeNames=["All"])["Attributes"]
        return int(asked["ApproximateNumberOfMessagesNotVisible"])

    return InboxCase(SqsInbox(aws.sqs, aws.queue_url, SOURCE), publish, hidden)


def test_what_is_received_is_what_was_published(inbox_case: InboxCase) -> None:
    inbox_case.publish([message("grüße ✓", attributes={"mediarelay_sent_at": "5"})])
    (received,) = inbox_case.inbox.receive(10)
    assert (received.body, dict(received.attributes)) == ("grüße ✓", {"mediarelay_sent_at": "5"})
    assert received.receive_count == 1
    assert received.sent_at > 0


def test_no_more_than_asked_for_is_received_and_each_once(inbox_case: InboxCase) -> None:
    inbox_case.publish([message(f"{number}", message_id=f"m-{number}") for number in range(5)])
    received = [*inbox_case.inbox.receive(3), *inbox_case.inbox.receive(3)]
    assert sorted(each.body for each in received) == list("01234")
    assert list(inbox_case.inbox.receive(10)) == []


def test_what_is_not_deleted_stays_hidden_until_its_time_is_over(inbox_case: InboxCase) -> None:
    inbox_case.publish([message(f"{number}", message_id=f"m-{number}") for number in range(3)])
    first, *others = inbox_case.inbox.receive(10)
    inbox_case.inbox.delete(others)
    assert inbox_case.hidden() == 1
    inbox_case.inbox.delete([first])
    assert inbox_case.hidden() == 0


def test_a_message_says_which_queue_and_which_group_it_is_of(aws: Any) -> None:
    aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody="{}")
    (received,) = SqsInbox(aws.sqs, aws.queue_url, SOURCE).receive(10)
    assert (received.source, received.group) == (SOURCE, None)
