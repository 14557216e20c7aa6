"""aggregate_health, by the records that the dispatcher's own metrics leave in the stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mediarelay.aws.stores import to_item
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.judgement import Status
from mediarelay.vocabulary.outcome import Outcome
from tests.harness.function_events import Record, metric_records, metrics, now_ms
from tests.harness.functions import Deployed
from tests.harness.local_aws import TELEMETRY

Run = Callable[[Sequence[Record]], list[str]]


def health(deployed: Deployed, provider: str = "openai-tts") -> Any:
    return DynamoHealth(deployed.aws.dynamodb, TELEMETRY).get(provider)


def test_what_the_dispatcher_writes_becomes_a_health_record(deployed: Deployed, aggregate: Run) -> None:
    bad = metrics(1, outcome=Outcome.OVERLOADED, status=503, code="server_is_overloaded", started_at=now_ms() - 9000)
    records = metric_records(deployed, metrics(30), bad)
    assert aggregate(records) == []
    found = health(deployed)
    assert (found.status, found.samples, found.avg_latency_ms) == (Status.HEALTHY, 31, 250)
    assert found.last_error.code == "server_is_overloaded"


def test_a_batch_that_comes_again_counts_once(deployed: Deployed, aggregate: Run) -> None:
    records = metric_records(deployed, metrics(20), metrics(7), metrics(3, provider="fal-flux"))
    for batch in (records, records, records[1:], records[:1]):
        assert aggregate(batch) == []
    assert (health(deployed).samples, health(deployed, "fal-flux").samples) == (27, 3)


def test_a_record_that_is_no_metric_is_named_and_what_is_before_it_counts(deployed: Deployed, aggregate: Run) -> None:
    good = metric_records(deployed, metrics(4), metrics(4, provider="fal-flux"))
    broken = {"dynamodb": {"NewImage": to_item({"pk": "METRIC#x"}), "SequenceNumber": "000000000000000000150"}}
    assert aggregate([good[0], broken, good[1]]) == ["000000000000000000150"]
    assert aggregate([good[1]]) == []
    assert {health(deployed).samples, health(deployed, "fal-flux").samples} == {4}


def test_an_outcome_that_only_a_newer_version_knows_stops_nothing(deployed: Deployed, aggregate: Run) -> None:
    records = metric_records(deployed, metrics(4), metrics(4, provider="fal-flux"))
    for record in records:
        first = record["dynamodb"]["NewImage"]["attempts"]["L"][0]["M"]
        first["outcome"] = {"S": "an_outcome_of_tomorrow"}
    assert aggregate(records) == []
    assert {health(deployed).samples, health(deployed, "fal-flux").samples} == {3}


def test_a_table_that_is_away_gives_the_whole_batch_back(
    deployed: Deployed, aggregate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = metric_records(deployed, metrics(4))
    monkeypatch.setenv("TELEMETRY_TABLE", "gone")
    assert aggregate(records) == [records[0]["dynamodb"]["SequenceNumber"]]


def test_an_operators_thresholds_are_the_ones_that_count(
    deployed: Deployed, aggregate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTH_THRESHOLDS", '{"openai-tts":{"healthy_seconds":0.2,"settle_seconds":0}}')
    for number in range(2):
        records = metric_records(deployed, metrics(20))
        assert aggregate(records[number:]) == []
    assert health(deployed).status is Status.DEGRADED
