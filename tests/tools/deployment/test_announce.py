"""Results that were never announced are announced again, under the event ids that they would have had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mediarelay.aws.stores import to_item
from tests.builders.requests import EPOCH_MS
from tests.harness.function_events import DONE, RUNNING
from tests.harness.local_aws import BUCKET, JOBS, LocalAws, local_aws
from tests.tools.deployment.aws_account import AwsAccount, refusal
from tools.deployment.announce import Wanted, announced_again, moment, replayed
from tools.deployment.stack import DeployedStack

SETTLED = datetime.fromtimestamp(DONE["settled_at"] / 1000, UTC)
HOUR = timedelta(hours=1)
LONG = Wanted(SETTLED - HOUR, SETTLED + HOUR)


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with local_aws() as account:
        yield account


def stack(aws: LocalAws) -> DeployedStack:
    outputs = {"JobsTableName": JOBS, "ResultsBucketName": BUCKET, "MediaResultsTopicArn": aws.topic_arn}
    return DeployedStack("mediarelay-dev", "CREATE_COMPLETE", {"PresignedUrlSeconds": "3600"}, outputs)


def store(aws: LocalAws, *jobs: dict[str, Any]) -> None:
    for job in jobs:
        aws.dynamodb.put_item(TableName=JOBS, Item=to_item(job))


def later(name: str, **fields: Any) -> dict[str, Any]:
    return {**DONE, "request_id": name, **fields}


def heard(aws: LocalAws, wanted: Wanted, *, dry_run: bool = False) -> tuple[set[str], tuple[int, int]]:
    """The ids of the events that a subscriber hears, and what the command counts."""
    inbox = aws.inbox_url
    counted = announced_again(AwsAccount(), stack(aws), wanted, dry_run=dry_run)
    return {json.loads(message["Body"])["event_id"] for message in aws.received(inbox)}, counted


def test_settled_jobs_are_announced_under_the_ids_that_their_events_have(aws: LocalAws) -> None:
    store(aws, later("one"), later("two", status="failed", outputs=[]), {**RUNNING, "request_id": "three"})
    ids, counted = heard(aws, LONG)
    assert ids == {f"one@{EPOCH_MS + 900}", f"two@{EPOCH_MS + 900}"}
    assert counted == (2, 0)


def test_only_what_was_settled_meanwhile_is_announced(aws: LocalAws) -> None:
    day = 24 * 3600 * 1000
    store(aws, later("before", settled_at=EPOCH_MS - day), later("then"), later("after", settled_at=EPOCH_MS + day))
    ids, _ = heard(aws, LONG)
    assert ids == {f"then@{EPOCH_MS + 900}"}


def test_a_part_of_a_long_text_is_told_of_by_its_whole(aws: LocalAws) -> None:
    store(aws, later("whole/0001-abc", part=True))
    assert heard(aws, LONG) == (set(), (0, 0))


def test_jobs_can_be_named(aws: LocalAws) -> None:
    store(aws, later("one"), later("two"))
    ids, _ = heard(aws, Wanted(LONG.since, LONG.until, {"two"}))
    assert ids == {f"two@{EPOCH_MS + 900}"}


def test_a_dry_run_counts_and_publishes_nothing(aws: LocalAws) -> None:
    store(aws, later("one"), later("two"))
    assert heard(aws, LONG, dry_run=True) == (set(), (2, 0))


def test_what_the_topic_refuses_is_counted(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: Any) -> None:
        raise refusal("AuthorizationError")

    store(aws, later("one"))
    account = AwsAccount()
    monkeypatch.setattr(account.client("sns"), "publish_batch", refused)
    assert announced_again(account, stack(aws), LONG, dry_run=False) == (0, 1)


def test_more_jobs_than_one_batch_are_all_announced(aws: LocalAws) -> None:
    store(aws, *(later(f"job-{number}") for number in range(101)))
    ids, counted = heard(aws, LONG)
    assert len(ids) == counted[0] == 101


@pytest.mark.parametrize("text", ["2026-11-28T10:00Z", "2026-11-28T10:00", "2026-11-28T12:00+02:00"])
def test_a_moment_without_an_offset_is_utc(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 28, 10, tzinfo=UTC)


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")


def test_callbacks_that_were_given_up_are_replayed_and_those_that_are_named(aws: LocalAws) -> None:
    url = aws.sqs.create_queue(QueueName="callbacks")["QueueUrl"]
    asked = {"callback_url": "https://hooks.example.com/", "callback_body": "thin"}
    gone, waits = {"state": "gone", "tries": 1}, {"state": "waiting", "tries": 2}
    store(aws, later("gone", **asked, callback=gone), later("waits", **asked, callback=waits), later("fine", **asked))
    store(aws, later("silent"))
    outputs = {**stack(aws).outputs, "CallbackQueueUrl": url}
    here = replace(stack(aws), outputs=outputs)
    assert replayed(AwsAccount(), here, LONG, dry_run=True) == 1
    assert aws.received(url) == []
    assert replayed(AwsAccount(), here, LONG, dry_run=False) == 1
    (sent,) = aws.received(url)
    assert json.loads(sent["Body"])["event_id"] == f"gone@{EPOCH_MS + 900}"
    said = {name: each["StringValue"] for name, each in sent["MessageAttributes"].items()}
    assert said["callback"] == "thin"
    assert int(said["replayed_at"]) > EPOCH_MS
    named = replace(LONG, ids=frozenset({"fine", "silent"}))
    assert replayed(AwsAccount(), here, named, dry_run=False) == 1
