"""What the overview rests on: the series of five minutes, and the depths of the queues."""

from __future__ import annotations

import random

import pytest

from mediarelay.api.overview.contract import QueueDepth
from mediarelay.api.overview.ports import Queues
from mediarelay.api.overview.sqs import SqsQueues
from mediarelay.metrics.series.dynamodb import DynamoSeries
from mediarelay.metrics.series.ports import SeriesStore
from mediarelay.metrics.series.rolling import SPAN_SECONDS, SPANS, Point, Series
from tests.doubles.health import MemorySeries
from tests.harness.local_aws import TELEMETRY, LocalAws
from tools.bench.costs.item_size import item_bytes

START = 1_800_000_000 - 1_800_000_000 % SPAN_SECONDS


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> SeriesStore:
    if request.param == "memory":
        return MemorySeries()
    return DynamoSeries(request.getfixturevalue("aws").dynamodb, TELEMETRY)


def busy(providers: int) -> Series:
    dice = random.Random(7)
    points = [
        Point(START + span * SPAN_SECONDS, dice.randrange(500), dice.randrange(9), dice.randrange(50), 812, None)
        for span in range(SPANS)
    ]
    return Series(START + SPANS * SPAN_SECONDS, {f"provider-{number}": points for number in range(providers)})


def test_the_series_is_read_as_it_was_written_last(store: SeriesStore) -> None:
    assert store.load() == Series(0, {})
    for series in (busy(2), busy(1)):
        store.save(series)
        assert store.load() == series


def test_the_item_of_ten_busy_providers_stays_small(aws: LocalAws) -> None:
    DynamoSeries(aws.dynamodb, TELEMETRY).save(busy(10))
    (item,) = aws.items(TELEMETRY)
    assert item_bytes(item) <= 6 * 1024


def test_messages_are_counted_where_they_are(aws: LocalAws) -> None:
    queues: Queues = SqsQueues(aws.sqs, [aws.queue_url, aws.picture_url], aws.dlq_url)
    for url, count in ((aws.queue_url, 3), (aws.picture_url, 1), (aws.dlq_url, 2)):
        for _ in range(count):
            aws.sqs.send_message(QueueUrl=url, MessageBody="{}")
    aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody="{}", DelaySeconds=60)
    aws.sqs.receive_message(QueueUrl=aws.queue_url, VisibilityTimeout=60)
    assert queues.depth() == QueueDepth(waiting=3, delayed=1, in_flight=1, dead=2)
