from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mediarelay.announce.contract import ResultEvent
from mediarelay.announce.sns import SnsResults
from mediarelay.vocabulary.errors import Unpublished
from tests.builders.events import event
from tests.doubles.recording import RecordingTopic

Publish = Callable[[ResultEvent], tuple[dict[str, Any], dict[str, str]]]


@pytest.fixture(params=["memory", "sns"])
def publish(request: pytest.FixtureRequest) -> Publish:
    """Publish, and see the message and its attributes."""
    if request.param == "memory":
        return _to_memory
    aws = request.getfixturevalue("aws")
    inbox = aws.inbox_url

    def to_sns(event: ResultEvent) -> tuple[dict[str, Any], dict[str, str]]:
        SnsResults(aws.sns, aws.topic_arn).publish([event])
        (seen,) = aws.received(inbox)
        attributes = seen.get("MessageAttributes", {})
        return json.loads(seen["Body"]), {name: value["StringValue"] for name, value in attributes.items()}

    return to_sns


def _to_memory(event: ResultEvent) -> tuple[dict[str, Any], dict[str, str]]:
    topic = RecordingTopic()
    topic.publish([event])
    ((published, attributes),) = topic.published
    return published.model_dump(mode="json"), attributes


def test_the_message_is_the_event_and_the_attributes_are_what_subscribers_filter_by(publish: Publish) -> None:
    told = event(kind="tts", provider="openai-tts", tenant="acme", metadata={"a": [1, "ü"]})
    body, attributes = publish(told)
    assert ResultEvent.model_validate(body) == told
    assert attributes == {"kind": "tts", "status": "failed", "provider": "openai-tts", "tenant": "acme"}


def test_a_client_and_its_queue_are_attributes_too(publish: Publish) -> None:
    asked = {"client": "studio-7", "reply_to": f"mediarelay-reply-{'0' * 32}"}
    assert publish(event(**asked))[1] == {"status": "failed", **asked}


def test_who_asks_to_be_called_back_is_known_by_an_attribute(publish: Publish) -> None:
    assert publish(event(callback_url="https://a.example/", callback_body="thin"))[1] == {
        "status": "failed",
        "callback": "thin",
    }


def test_what_is_not_known_is_no_attribute(publish: Publish) -> None:
    assert publish(event())[1] == {"status": "failed"}


class CountingTopic:
    """SNS as a client: takes batches, and refuses the entries with these messages."""

    def __init__(self, refused: Sequence[str] = ()) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self._refused = refused

    def publish_batch(self, **call: Any) -> dict[str, Any]:
        """As boto3's."""
        entries = call["PublishBatchRequestEntries"]
        self.batches.append(entries)
        failed = [one for one in entries if json.loads(one["Message"])["request_id"] in self._refused]
        return {"Failed": [{"Id": one["Id"], "Code": "InternalError", "SenderFault": False} for one in failed]}


def events(count: int, **fields: Any) -> list[ResultEvent]:
    return [event(request_id=f"job-{number}", **fields) for number in range(count)]


def test_ten_go_in_a_call() -> None:
    topic = CountingTopic()
    SnsResults(topic, "arn").publish(events(23))
    assert [len(batch) for batch in topic.batches] == [10, 10, 3]
    told = [json.loads(one["Message"])["request_id"] for batch in topic.batches for one in batch]
    assert told == [f"job-{number}" for number in range(23)]


def test_no_call_is_larger_than_sns_takes() -> None:
    topic = CountingTopic()
    SnsResults(topic, "arn").publish(events(9, metadata={"a": "x" * 60_000}))
    assert [len(batch) for batch in topic.batches] == [4, 4, 1]


def test_a_refusal_tells_how_many_went_out_before_it_and_stops() -> None:
    topic = CountingTopic(refused=["job-13"])
    with pytest.raises(Unpublished) as caught:
        SnsResults(topic, "arn").publish(events(25))
    assert (caught.value.published, caught.value.reason) == (13, "InternalError")
    assert len(topic.batches) == 2


def test_of_nothing_nothing_is_published() -> None:
    topic = CountingTopic()
    SnsResults(topic, "arn").publish([])
    assert topic.batches == []
