"""Results and health keep up with a thousand a second, lateness is told before a record is given up, and what was given
up can be announced after all.

AWS Lambda developer guide, "Process DynamoDB records with Lambda": `ParallelizationFactor` is how many invocations work
on a shard at once. "Retain discarded records for a DynamoDB event source in Lambda": a record older than
`MaximumRecordAgeInSeconds` is sent to the destination of failures, and the function is never invoked with it again.
"Types of metrics for Lambda functions": `IteratorAge` is the age of the last record of a batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from mediarelay.aws.stores import to_item
from tests.harness.function_events import DONE, RUNNING, job_change
from tests.harness.functions import Deployed
from tests.harness.local_aws import BUCKET, JOBS, LocalAws
from tests.harness.template import load_template, of_type
from tools.aws_facts import PARTITION_WRITES, TABLE_WRITES
from tools.bench.page import PAGE, blocks
from tools.deployment.announce import Wanted, announced_again
from tools.deployment.stack import DeployedStack

THOUSAND = 1000.0
MINUTE, HOUR = 60, 3600
# With 25 records a batch at 256 MB, and an invocation at once for each shard: what was measured then.
AS_IT_WAS = 115.0
CONSUMERS = ("AnnounceResultFunction", "AggregateHealthFunction")
OUTAGES = [(function, minutes * MINUTE) for function, minutes in zip(CONSUMERS, (45, 5), strict=True)]


@dataclass
class Stream:
    """A stream's event source, second by second, as Lambda's documentation has it.

    Attributes:
        rate: Records a second that are written.
        capacity: Records a second that its invocations get through.
        give_up: The age in seconds at which a record is discarded.
    """

    rate: float
    capacity: float
    give_up: float
    seconds: int = 0
    handled: float = 0.0
    discarded: float = 0.0

    @property
    def age(self) -> float:
        """Of the oldest record that waits, which is what IteratorAge says."""
        return self.seconds - (self.handled + self.discarded) / self.rate

    def run(self, seconds: int, *, away: bool = False) -> Iterator[float]:
        """Let time pass; what the function needs may be *away*. Yields the age at each second."""
        for _ in range(seconds):
            self.seconds += 1
            waiting = self.rate * self.age
            self.handled += 0.0 if away else min(self.capacity, waiting)
            self.discarded += max(0.0, self.age - self.give_up) * self.rate
            yield self.age


def source_of(function: str) -> dict[str, Any]:
    (source,) = [
        event["Properties"]
        for event in load_template()["Resources"][function]["Properties"]["Events"].values()
        if event["Type"] == "DynamoDB"
    ]
    return source


def stream(function: str, capacity: float | None = None) -> Stream:
    return Stream(THOUSAND, capacity or measured(function), source_of(function)["MaximumRecordAgeInSeconds"])


def measured(function: str) -> float:
    """Records a second of all its invocations at once, by the bench's last run of what the template sets; counting is
    held to what one shard gets through.
    """
    name = {"AnnounceResultFunction": "announce-rate", "AggregateHealthFunction": "count-rate"}[function]
    block, source = blocks(PAGE.read_text(encoding="utf-8"))[name], source_of(function)
    memory = load_template()["Resources"][function]["Properties"]["MemorySize"]
    assert f"{memory} MB, batches of {source['BatchSize']}" in block
    at_once = TABLE_WRITES.value / PARTITION_WRITES.value * source.get("ParallelizationFactor", 1)
    assert f"{at_once:.0f} invocations at once" in block or "one shard" in block
    return float(block.splitlines()[2].split("|")[2].replace(",", ""))


def rings_at(function: str, ages: list[float]) -> int | None:
    """The second in which the alarm of lateness rings, by the periods that it evaluates."""
    (alarm,) = [
        alarm
        for alarm in of_type(load_template(), "AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "IteratorAge" and alarm["Dimensions"][0]["Value"] == {"Ref": function}
    ]
    period, late = alarm["Period"], 0
    for end in range(period, len(ages) + 1, period):
        late = late + 1 if max(ages[end - period : end]) * 1000 > alarm["Threshold"] else 0
        if late == alarm["EvaluationPeriods"]:
            return end
    return None


@pytest.mark.parametrize("function", CONSUMERS)
def test_at_a_thousand_a_second_nothing_is_late(function: str) -> None:
    ages = list(stream(function).run(HOUR))
    assert max(ages) <= 1.0


@pytest.mark.parametrize(("function", "seconds"), OUTAGES)
def test_what_an_outage_leaves_behind_is_worked_off_and_nothing_is_given_up(function: str, seconds: int) -> None:
    behind = stream(function)
    ages = [*behind.run(seconds, away=True), *behind.run(2 * seconds)]
    assert behind.discarded == 0
    assert ages[-1] <= 1.0
    assert rings_at(function, ages) is not None


def test_the_announcer_as_it_was_gave_results_up_after_hours() -> None:
    """The rule bites: the model discards where the settings are too small."""
    shards = TABLE_WRITES.value / PARTITION_WRITES.value
    behind = stream("AnnounceResultFunction", shards * AS_IT_WAS)
    assert list(behind.run(HOUR))
    assert behind.discarded == 0
    assert list(behind.run(HOUR))
    assert behind.discarded > 0


@pytest.mark.parametrize("function", CONSUMERS)
@pytest.mark.parametrize("capacity", [0.0, THOUSAND / 2, THOUSAND * 0.9], ids=["none", "half", "nearly"])
def test_lateness_is_told_while_there_is_time(function: str, capacity: float) -> None:
    behind, ages = stream(function, capacity or 1e-9), []
    for age in behind.run(24 * HOUR):
        ages.append(age)
        if behind.discarded:
            break
    rang = rings_at(function, ages)
    assert rang is not None
    assert rang <= behind.seconds / 2, "as much time is left as has passed"


def test_a_result_that_was_given_up_is_announced_again_under_the_id_of_its_event(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, at = deployed.aws.inbox_url, datetime.fromtimestamp(DONE["settled_at"] / 1000, UTC)
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item(DONE))
    with monkeypatch.context() as away:
        away.setattr(BaseClient, "_make_api_call", _refused)
        assert deployed.announce(job_change(1, RUNNING, DONE)) == [f"{1:021d}"]  # until Lambda gives it up
    assert deployed.aws.received(inbox) == []
    outputs = {
        "JobsTableName": JOBS,
        "ResultsBucketName": BUCKET,
        "MediaResultsTopicArn": deployed.aws.topic_arn,
    }
    stack = DeployedStack("mediarelay-dev", "CREATE_COMPLETE", {"PresignedUrlSeconds": "3600"}, outputs)
    meanwhile = Wanted(at - timedelta(minutes=1), at + timedelta(minutes=1))
    assert announced_again(_Session(deployed.aws), stack, meanwhile, dry_run=False) == (1, 0)
    (again,) = deployed.aws.received(inbox)
    assert deployed.announce(job_change(2, RUNNING, DONE)) == []
    (in_time,) = deployed.aws.received(inbox)
    assert json.loads(again["Body"])["event_id"] == json.loads(in_time["Body"])["event_id"]


@dataclass
class _Session:
    """Stands in for a boto3 session."""

    aws: LocalAws

    def client(self, service: str, **_: Any) -> Any:
        return getattr(self.aws, service)


def _refused(*_: Any) -> None:
    raise ClientError({"Error": {"Code": "InternalError", "Message": ""}}, "PublishBatch")
