from __future__ import annotations

from typing import Any

import pytest

from mediarelay.aws.stores import from_item
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.builders.events import metric
from tests.builders.requests import EPOCH_MS
from tests.harness.local_aws import TELEMETRY, LocalAws


class Counting:
    """Counts the calls, and answers the first few with items left over."""

    def __init__(self, client: Any, unprocessed: int = 0) -> None:
        self._client = client
        self._unprocessed = unprocessed
        self.calls: list[int] = []

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 # boto3's name
        self.calls.append(sum(len(puts) for puts in RequestItems.values()))
        if len(self.calls) <= self._unprocessed:
            return {"UnprocessedItems": RequestItems}
        answer: dict[str, Any] = self._client.batch_write_item(RequestItems=RequestItems)
        return answer


def test_ten_attempts_over_three_providers_cost_one_call_and_an_item_each(aws: LocalAws) -> None:
    client = Counting(aws.dynamodb)
    names = ["openai-tts"] * 5 + ["elevenlabs-tts"] * 3 + ["fal-flux"] * 2
    DynamoMetrics(client, TELEMETRY).write([metric(name, number) for number, name in enumerate(names)])
    assert client.calls == [3]
    items = list(map(from_item, aws.items(TELEMETRY)))
    sizes = {item["pk"].rpartition("#")[0]: len(item["attempts"]) for item in items}
    assert sizes == {"METRIC#openai-tts": 5, "METRIC#elevenlabs-tts": 3, "METRIC#fal-flux": 2}


def test_a_busy_providers_metrics_are_spread_over_partition_keys(aws: LocalAws) -> None:
    sink = DynamoMetrics(aws.dynamodb, TELEMETRY)
    for number in range(60):
        sink.write([metric("fal-flux", number)])
    keys = {item["pk"] for item in map(from_item, aws.items(TELEMETRY))}
    assert 4 <= len(keys) <= 8
    assert keys <= {f"METRIC#fal-flux#{lane}" for lane in range(8)}


def test_an_item_keeps_every_fact_and_goes_five_minutes_after_its_window(aws: LocalAws) -> None:
    written = [metric("fal-flux", 1, status=200, cost_usd=0.003), metric("fal-flux", 2, code="timeout")]
    DynamoMetrics(aws.dynamodb, TELEMETRY).write(written)
    (item,) = map(from_item, aws.items(TELEMETRY))
    assert [AttemptMetric(provider="fal-flux", **attempt) for attempt in item["attempts"]] == written
    assert item["ttl"] == EPOCH_MS // 1000 + 600
    assert item["sk"].startswith(f"{EPOCH_MS + 2 + 120:013d}#")


def test_two_workers_that_write_in_the_same_millisecond_overwrite_nothing(aws: LocalAws) -> None:
    sink = DynamoMetrics(aws.dynamodb, TELEMETRY)
    for _ in range(2):
        sink.write([metric("fal-flux", 1)])
    assert len(aws.items(TELEMETRY)) == 2


def test_hundreds_of_attempts_stay_within_what_one_call_may_carry(aws: LocalAws) -> None:
    client = Counting(aws.dynamodb)
    DynamoMetrics(client, TELEMETRY).write([metric("fal-flux", number) for number in range(530)])
    assert client.calls == [25, 2]
    assert sum(len(from_item(item)["attempts"]) for item in aws.items(TELEMETRY)) == 530


def test_what_the_table_left_over_is_tried_once_more(aws: LocalAws) -> None:
    DynamoMetrics(Counting(aws.dynamodb, unprocessed=1), TELEMETRY).write([metric("fal-flux", 1)])
    assert len(aws.items(TELEMETRY)) == 1


def test_what_the_table_leaves_over_twice_is_said_to_be_lost(aws: LocalAws) -> None:
    with pytest.raises(StoreUnavailable, match="ProvisionedThroughputExceeded"):
        DynamoMetrics(Counting(aws.dynamodb, unprocessed=2), TELEMETRY).write([metric("fal-flux", 1)])
