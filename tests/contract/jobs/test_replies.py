from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mediarelay.announce.announcing import AnnounceService
from mediarelay.announce.contract import ResultEvent
from mediarelay.announce.sqs import LOST_METRIC, MOST_SECONDS, SqsReplies
from tests.builders.events import event
from tests.doubles.clock import ManualClock
from tests.doubles.recording import MemoryCounters, PlainLinks, RecordingTopic

PREFIX = "mediarelay-reply-"
MINE, THEIRS, GONE = (f"{PREFIX}{digit * 32}" for digit in "012")


class World:
    """Two queues of replies, and what is counted."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self.clock = ManualClock()
        self.counters = MemoryCounters()
        self.urls = {name: aws.sqs.create_queue(QueueName=name)["QueueUrl"] for name in (MINE, THEIRS)}
        self.replies = SqsReplies(aws.sqs, aws.queue_url, PREFIX, counters=self.counters, clock=self.clock)

    def heard(self, name: str) -> list[str]:
        return [json.loads(each["Body"])["request_id"] for each in self.aws.received(self.urls[name])]

    @property
    def lost(self) -> int:
        return self.counters.counts.count((LOST_METRIC, {}))


@pytest.fixture
def world(aws: Any) -> World:
    return World(aws)


def events(queue: str, numbers: Sequence[int]) -> list[ResultEvent]:
    return [event(request_id=f"job-{number}", reply_to=queue) for number in numbers]


def test_each_queue_is_sent_its_own_events(world: World) -> None:
    world.replies.send([*events(MINE, range(12)), *events(THEIRS, [20]), *events(MINE, [12])])
    assert sorted(world.heard(MINE)) == sorted(f"job-{number}" for number in range(13))
    assert (world.heard(THEIRS), world.lost) == (["job-20"], 0)


def test_a_queue_that_is_gone_keeps_no_other_from_hearing(world: World) -> None:
    world.replies.send([*events(GONE, range(11)), *events(MINE, [20])])
    assert (world.heard(MINE), world.lost) == (["job-20"], 11)


def test_no_other_queue_of_the_account_is_sent_to(world: World) -> None:
    world.replies.send([event(reply_to="requests")])
    assert (world.aws.received(world.aws.queue_url), world.lost) == ([], 1)


def test_replies_hold_results_up_for_seconds_at_most(world: World) -> None:
    class Slow:
        def send_message_batch(self, **call: Any) -> dict[str, Any]:
            world.clock.advance(MOST_SECONDS / 2)
            return dict(world.aws.sqs.send_message_batch(**call))

    slow = SqsReplies(Slow(), world.aws.queue_url, PREFIX, counters=world.counters, clock=world.clock)
    third = f"{PREFIX}{'3' * 32}"
    slow.send([*events(MINE, [1]), *events(THEIRS, [2]), *events(third, [3, 4])])
    assert (world.heard(MINE), world.heard(THEIRS), world.lost) == (["job-1"], ["job-2"], 2)


def test_only_what_names_a_queue_is_sent_there_and_only_once_it_is_published(world: World) -> None:
    topic = RecordingTopic()
    service = AnnounceService(topic, PlainLinks(), replies=lambda: world.replies, clock=world.clock, link_seconds=60)
    assert service.announce([event(request_id="job-1"), *events(MINE, [2])]) == 2
    assert world.heard(MINE) == ["job-2"]


def test_a_result_without_a_queue_needs_none() -> None:
    def never() -> SqsReplies:
        raise AssertionError

    service = AnnounceService(RecordingTopic(), PlainLinks(), replies=never, clock=ManualClock(), link_seconds=60)
    assert service.announce([event()]) == 1
