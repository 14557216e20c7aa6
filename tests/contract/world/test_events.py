"""The ports of events: what stands for them in tests does as AWS and PagerDuty do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import boto3
import pytest
import responses

from mediarelay.callbacks.ports import GivenUpTopic
from mediarelay.callbacks.sqs import SqsGivenUp
from mediarelay.events.eventbridge import EventBridgeBus
from mediarelay.events.pager import PagerDuty
from mediarelay.events.ports import BusEvent, ChatTopic, EventBus, EventsQueue, Pager, ToldMessage
from mediarelay.events.sns import SnsChat
from mediarelay.events.sqs import SqsEvents, messages_of
from mediarelay.http.connections import RequestsHttp
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.clock import ManualClock
from tests.doubles.tables.callbacks import MemoryGivenUp
from tests.doubles.tables.events import MemoryBus, MemoryChat, MemoryEventsQueue, MemoryPager
from tests.harness.function_events import sqs_record
from tests.harness.local_aws import REGION, LocalAws

PAGER = "https://events.pagerduty.com/v2/enqueue"
EVENT = {"event_action": "resolve", "dedup_key": "openai-tts-1"}


def queue_of(aws: LocalAws, name: str) -> tuple[str, str]:
    url = aws.sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


# --- a bus ----------------------------------------------------------------------------------------------------------

Bus = tuple[EventBus, Callable[[], Sequence[str]]]


@pytest.fixture(params=["memory", "eventbridge"])
def bus(request: pytest.FixtureRequest) -> Bus:
    """A bus, and the details of what is on it."""
    if request.param == "memory":
        memory = MemoryBus()
        return memory, lambda: [each.detail for each in memory.events]
    aws: LocalAws = request.getfixturevalue("aws")
    url, arn = queue_of(aws, "rule")
    events = boto3.client("events", region_name=REGION)
    events.create_event_bus(Name="media")
    events.put_rule(Name="all", EventBusName="media", EventPattern=json.dumps({"source": ["mediarelay.prod"]}))
    events.put_targets(Rule="all", EventBusName="media", Targets=[{"Id": "1", "Arn": arn}])
    return EventBridgeBus(events, "media"), lambda: [
        json.dumps(json.loads(each["Body"])["detail"]) for each in aws.received(url)
    ]


def test_what_is_put_is_on_the_bus_and_each_is_answered(bus: Bus) -> None:
    port, seen = bus
    events = [BusEvent("mediarelay.prod", "Media Settled", json.dumps({"id": str(number)})) for number in range(3)]
    assert list(port.put(events)) == [True, True, True]
    assert sorted(seen()) == [each.detail for each in events]


def test_a_bus_that_is_away_is_a_store_that_is(aws: LocalAws) -> None:
    assert aws
    away = EventBridgeBus(boto3.client("events", region_name=REGION, endpoint_url="http://127.0.0.1:9"), "media")
    for port in (MemoryBus(away=True), away):
        with pytest.raises(StoreUnavailable):
            port.put([BusEvent("a", "b", "{}")])


# --- a chat ---------------------------------------------------------------------------------------------------------

Chat = tuple[ChatTopic, Callable[[], Sequence[Any]]]


@pytest.fixture(params=["memory", "sns"])
def chat(request: pytest.FixtureRequest) -> Chat:
    """A topic, and what was published on it."""
    if request.param == "memory":
        memory = MemoryChat()
        return memory, lambda: memory.messages
    aws: LocalAws = request.getfixturevalue("aws")
    url, arn = queue_of(aws, "chat")
    topic = aws.sns.create_topic(Name="chat-alerts")["TopicArn"]
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return SnsChat(aws.sns, topic), lambda: [json.loads(each["Body"]) for each in aws.received(url)]


def test_a_message_is_the_whole_of_what_is_published(chat: Chat) -> None:
    port, seen = chat
    port.publish({"version": "1.0", "content": {"description": "ü"}})
    assert seen() == [{"version": "1.0", "content": {"description": "ü"}}]


# --- PagerDuty ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "http"])
def pager(request: pytest.FixtureRequest) -> Callable[[int], Pager]:
    """PagerDuty that answers so."""
    if request.param == "memory":
        return lambda status: MemoryPager(busy=status == 429)
    wire = request.getfixturevalue("wire")

    def answering(status: int) -> Pager:
        wire.post(PAGER, status=status)
        clock = ManualClock()
        return PagerDuty(RequestsHttp(clock, allow_plain_http=False), lambda: "k" * 32, clock)

    return answering


@pytest.fixture
def wire() -> Any:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.mark.parametrize(("status", "again"), [(202, False), (429, True)])
def test_it_is_said_whether_an_event_is_to_be_sent_again(
    pager: Callable[[int], Pager], status: int, *, again: bool
) -> None:
    assert pager(status).send(EVENT) is again


# --- the queue ------------------------------------------------------------------------------------------------------

Queue = tuple[EventsQueue, Callable[[], Sequence[ToldMessage]], Callable[[], Sequence[ToldMessage]]]


@pytest.fixture(params=["memory", "sqs"])
def queue(request: pytest.FixtureRequest) -> Queue:
    """The queue, what comes again of it, and what was parked."""
    if request.param == "memory":
        memory = MemoryEventsQueue()
        return memory, memory.take, lambda: memory.parked
    aws: LocalAws = request.getfixturevalue("aws")
    url, dead = queue_of(aws, "events")[0], queue_of(aws, "events-dlq")[0]

    def seen(of: str) -> Sequence[ToldMessage]:
        records = []
        for each in aws.received(of):
            said = {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
            records.append(sqs_record(each["Body"], "m", **said))
        return list(messages_of({"Records": records}))

    return SqsEvents(aws.sqs, url, dead), lambda: seen(url), lambda: seen(dead)


def test_what_comes_again_says_where_it_did_not_get_to_and_how_often_it_was_tried(queue: Queue) -> None:
    port, waiting, parked = queue
    port.again(ToldMessage("m", "{}"), left=frozenset({"bus", "chat"}), seconds=0)
    (first,) = waiting()
    assert first == ToldMessage("m", "{}", frozenset({"bus", "chat"}), 1)
    port.park(first, left=frozenset({"chat"}))
    assert list(parked()) == [ToldMessage("m", "{}", frozenset({"chat"}), 2)]


# --- callbacks that were given up -----------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqs"])
def given_up(request: pytest.FixtureRequest) -> tuple[GivenUpTopic, Callable[[], Sequence[Any]]]:
    """Who is told, and what it was told."""
    if request.param == "memory":
        memory = MemoryGivenUp()
        return memory, lambda: memory.events
    aws: LocalAws = request.getfixturevalue("aws")
    url, _ = queue_of(aws, "events")
    return SqsGivenUp(aws.sqs, url), lambda: [json.loads(each["Body"]) for each in aws.received(url)]


def test_a_callback_that_was_given_up_is_told_whole(
    given_up: tuple[GivenUpTopic, Callable[[], Sequence[Any]]],
) -> None:
    port, seen = given_up
    port.tell({"event_id": "job-1@5", "callback_given_up": {"at": 7}})
    assert list(seen()) == [{"event_id": "job-1@5", "callback_given_up": {"at": 7}}]
