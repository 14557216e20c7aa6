"""Both queues from which a worker takes further messages keep the same promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from mediarelay.dispatch.ports import Inbox, QueueMessage
from mediarelay.dispatch.sqs import SqsInbox
from tests.builders.requests import message
from tests.doubles.queue import MemoryInbox

SOURCE = "arn:aws:sqs:eu-central-1:123456789012:requests"


@dataclass
class Case:
    """An inbox, how messages come into it, and how many of them are hidden."""

    inbox: Inbox
    publish: Callable[[Sequence[QueueMessage]], None]
    hidden: Callable[[], int]


@pytest.fixture(params=["memory", "sqs"])
def case(request: pytest.FixtureRequest) -> Case:
    return _memory() if request.param == "memory" else _sqs(request.getfixturevalue("aws"))


def _memory() -> Case:
    inbox = MemoryInbox()
    return Case(inbox, inbox.waiting.extend, lambda: len(inbox.hidden))


def _sqs(aws: Any) -> Case:
    def publish(messages: Sequence[QueueMessage]) -> None:
        for each in messages:
            attributes = {name: {"DataType": "String", "StringValue": text} for name, text in each.attributes.items()}
            aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody=each.body, MessageAttributes=attributes)

    def hidden() -> int:
        asked = aws.sqs.get_queue_attributes(QueueUrl=aws.queue_url, AttributeNames=["All"])["Attributes"]
        return int(asked["ApproximateNumberOfMessagesNotVisible"])

    return Case(SqsInbox(aws.sqs, aws.queue_url, SOURCE), publish, hidden)


def test_what_is_received_is_what_was_published(case: Case) -> None:
    case.publish([message("grüße ✓", attributes={"mediarelay_sent_at": "5"})])
    (received,) = case.inbox.receive(10)
    assert (received.body, dict(received.attributes)) == ("grüße ✓", {"mediarelay_sent_at": "5"})
    assert received.receive_count == 1
    assert received.sent_at > 0


def test_no_more_than_asked_for_is_received_and_each_once(case: Case) -> None:
    case.publish([message(f"{number}", message_id=f"m-{number}") for number in range(5)])
    received = [*case.inbox.receive(3), *case.inbox.receive(3)]
    assert sorted(each.body for each in received) == list("01234")
    assert list(case.inbox.receive(10)) == []


def test_what_is_not_deleted_stays_hidden_until_its_time_is_over(case: Case) -> None:
    case.publish([message(f"{number}", message_id=f"m-{number}") for number in range(3)])
    first, *others = case.inbox.receive(10)
    case.inbox.delete(others)
    assert case.hidden() == 1
    case.inbox.delete([first])
    assert case.hidden() == 0


def test_a_message_says_which_queue_and_which_group_it_is_of(aws: Any) -> None:
    aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody="{}")
    (received,) = SqsInbox(aws.sqs, aws.queue_url, SOURCE).receive(10)
    assert (received.source, received.group) == (SOURCE, None)
