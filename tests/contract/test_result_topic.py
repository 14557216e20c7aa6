from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mediarelay.adapters.sns_results import SnsResults
from mediarelay.contracts.job import JobRecord
from mediarelay.contracts.result import ResultEvent
from mediarelay.services.announcing import result_event
from tests.support.builders import EPOCH_MS
from tests.support.recording import PlainLinks, RecordingTopic

Publish = Callable[[ResultEvent], tuple[dict[str, Any], dict[str, str]]]


@pytest.fixture(params=["memory", "sns"])
def publish(request: pytest.FixtureRequest) -> Publish:
    """Publish, and see the message and its attributes."""
    if request.param == "memory":
        return _to_memory
    aws = request.getfixturevalue("aws")
    inbox = aws.inbox_url

    def to_sns(event: ResultEvent) -> tuple[dict[str, Any], dict[str, str]]:
        SnsResults(aws.sns, aws.topic_arn).publish(event)
        (seen,) = aws.received(inbox)
        attributes = seen.get("MessageAttributes", {})
        return json.loads(seen["Body"]), {name: value["StringValue"] for name, value in attributes.items()}

    return to_sns


def _to_memory(event: ResultEvent) -> tuple[dict[str, Any], dict[str, str]]:
    topic = RecordingTopic()
    topic.publish(event)
    ((published, attributes),) = topic.published
    return published.model_dump(mode="json"), attributes


def event(**fields: Any) -> ResultEvent:
    record = {"request_id": "job-1", "status": "failed", "received_at": EPOCH_MS, "settled_at": EPOCH_MS + 5, **fields}
    return result_event(JobRecord.model_validate(record), PlainLinks().sign, 0.0)


def test_the_message_is_the_event_and_the_attributes_are_what_subscribers_filter_by(publish: Publish) -> None:
    told = event(kind="tts", provider="openai-tts", tenant="acme", metadata={"a": [1, "ü"]})
    body, attributes = publish(told)
    assert ResultEvent.model_validate(body) == told
    assert attributes == {"kind": "tts", "status": "failed", "provider": "openai-tts", "tenant": "acme"}


def test_what_is_not_known_is_no_attribute(publish: Publish) -> None:
    assert publish(event())[1] == {"status": "failed"}
