"""announce_result, by changes as the Jobs table's stream sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders.requests import EPOCH_MS
from tests.harness.function_events import DONE, OUTPUT, RUNNING, job_change
from tests.harness.functions import Deployed


@pytest.fixture
def inbox(deployed: Deployed) -> str:
    """Subscribed before anything is published."""
    return deployed.aws.inbox_url


def published(deployed: Deployed, inbox: str) -> list[dict[str, Any]]:
    return [json.loads(message["Body"]) for message in deployed.aws.received(inbox)]


def test_a_job_that_settles_is_announced_with_links(deployed: Deployed, inbox: str) -> None:
    assert deployed.announce(job_change(1, RUNNING, DONE)) == []
    (event,) = published(deployed, inbox)
    assert (event["request_id"], event["status"], event["event_id"]) == (
        "job-1",
        "succeeded",
        f"job-1@{EPOCH_MS + 900}",
    )
    (output,) = event["outputs"]
    assert output["s3_uri"] == f"s3://results-bucket/{OUTPUT['key']}"
    assert output["url"].startswith("https://")


def test_numbers_in_metadata_are_announced_as_published(deployed: Deployed, inbox: str) -> None:
    metadata = {"order": 17, "price": 12.5, "tags": ["cover", 3]}
    running = {**RUNNING, "metadata": metadata}
    assert deployed.announce(job_change(1, running, {**DONE, "metadata": metadata})) == []
    (event,) = published(deployed, inbox)
    assert event["metadata"] == metadata


def test_exactly_the_changes_that_settle_are_announced(deployed: Deployed, inbox: str) -> None:
    rejected = {"request_id": "job-2", "status": "rejected", "received_at": EPOCH_MS, "settled_at": EPOCH_MS}
    deferred = {**RUNNING, "status": "deferred"}
    failed = {**DONE, "request_id": "job-3", "status": "failed", "outputs": []}
    expired = {**DONE, "request_id": "job-4", "status": "expired", "outputs": []}
    changes = [
        (None, RUNNING),
        (RUNNING, deferred),
        (deferred, RUNNING),
        (RUNNING, DONE),
        (DONE, {**DONE, "ttl": 1}),
        (None, rejected),
        (rejected, {**RUNNING, "request_id": "job-2"}),
        (RUNNING, failed),
        (RUNNING, expired),
        (DONE, None),
    ]
    assert deployed.announce(*(job_change(number, *images) for number, images in enumerate(changes))) == []
    told = [(event["request_id"], event["status"]) for event in published(deployed, inbox)]
    assert sorted(told) == [
        ("job-1", "succeeded"),
        ("job-2", "rejected"),
        ("job-3", "failed"),
        ("job-4", "expired"),
    ]


def test_a_change_delivered_twice_carries_the_same_event_id(deployed: Deployed, inbox: str) -> None:
    for _ in range(2):
        deployed.announce(job_change(1, RUNNING, DONE))
    assert len({event["event_id"] for event in published(deployed, inbox)}) == 1


def test_a_publish_that_fails_is_reported_by_its_sequence_number(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIA_RESULTS_TOPIC_ARN", deployed.aws.topic_arn + "-gone")
    assert deployed.announce(job_change(1, None, RUNNING), job_change(2, RUNNING, DONE)) == [f"{2:021d}"]


def test_nothing_behind_a_failed_change_is_announced_twice(deployed: Deployed, inbox: str) -> None:
    """The stream delivers what lies behind the failure again: announcing it now would announce it twice."""
    broken = {**DONE, "request_id": "job-2", "attempts": "not a list"}
    later = {**DONE, "request_id": "job-3"}
    answer = deployed.announce(
        job_change(1, RUNNING, DONE), job_change(2, RUNNING, broken), job_change(3, RUNNING, later)
    )
    assert answer == [f"{2:021d}", f"{3:021d}"]
    assert [event["request_id"] for event in published(deployed, inbox)] == ["job-1"]


def test_an_attempt_that_another_version_wrote_keeps_nobody_from_being_told(deployed: Deployed, inbox: str) -> None:
    call = {"provider": "openai-tts", "key_id": "0123456789ab", "phase": "call", "latency_ms": 900}
    known, unknown = ({**call, "outcome": outcome} for outcome in ("throttled", "of_another_version"))
    done = {**DONE, "attempts": [known, unknown]}
    other = {**DONE, "request_id": "job-2"}
    changes = [(RUNNING, done), ({**RUNNING, "request_id": "job-2"}, other)]
    assert deployed.announce(*(job_change(number, *each) for number, each in enumerate(changes, 1))) == []
    told = {event["request_id"]: event["attempts"] for event in published(deployed, inbox)}
    assert {name: [each["outcome"] for each in attempts] for name, attempts in told.items()}["job-1"] == ["throttled"]
    assert set(told) == {"job-1", "job-2"}


def test_a_record_that_cannot_be_read_is_reported(deployed: Deployed, inbox: str) -> None:
    done = {**DONE, "kind": "of_another_version"}
    assert len(deployed.announce(job_change(1, RUNNING, done))) == 1
    assert published(deployed, inbox) == []
