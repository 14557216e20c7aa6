"""aggregate_health, by the records that the dispatcher's own metrics leave in the stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from functions.aggregate_health import app
from mediarelay.aws.items import to_item
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.judgement import Status
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.vocabulary.outcome import Outcome
from tests.functional.conftest import Context, Deployed, _now_ms
from tests.harness.local_aws import TELEMETRY

Record = dict[str, Any]
Run = Callable[[Sequence[Record]], list[str]]


@pytest.fixture
def run(deployed: Deployed) -> Run:
    app.service.cache_clear()

    def handle(records: Sequence[Record]) -> list[str]:
        answer = app.handler({"Records": list(records)}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    assert deployed
    return handle


def metrics(count: int, **fields: Any) -> list[AttemptMetric]:
    given = {"provider": "openai-tts", "key_id": "0123456789ab", "outcome": Outcome.DELIVERED, "latency_ms": 250}
    return [
        AttemptMetric.model_validate({**given, "request_id": f"r-{n}", "started_at": _now_ms() - 1000 - n, **fields})
        for n in range(count)
    ]


def written(deployed: Deployed, *batches: Sequence[AttemptMetric]) -> list[Record]:
    """Write the batches as the dispatcher does; their stream records."""
    sink = DynamoMetrics(deployed.aws.dynamodb, TELEMETRY)
    for batch in batches:
        sink.write(batch)
    items = [item for item in deployed.aws.items(TELEMETRY) if item["pk"]["S"].startswith("METRIC#")]
    return [
        {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": f"{100 + n:021d}"}}
        for n, item in enumerate(items)
    ]


def health(deployed: Deployed, provider: str = "openai-tts") -> Any:
    return DynamoHealth(deployed.aws.dynamodb, TELEMETRY).get(provider)


def test_what_the_dispatcher_writes_becomes_a_health_record(deployed: Deployed, run: Run) -> None:
    bad = metrics(1, outcome=Outcome.OVERLOADED, status=503, code="server_is_overloaded", started_at=_now_ms() - 9000)
    records = written(deployed, metrics(30), bad)
    assert run(records) == []
    found = health(deployed)
    assert (found.status, found.samples, found.avg_latency_ms) == (Status.HEALTHY, 31, 250)
    assert found.last_error.code == "server_is_overloaded"


def test_a_batch_that_comes_again_counts_once(deployed: Deployed, run: Run) -> None:
    records = written(deployed, metrics(20), metrics(7), metrics(3, provider="fal-flux"))
    for batch in (records, records, records[1:], records[:1]):
        assert run(batch) == []
    assert (health(deployed).samples, health(deployed, "fal-flux").samples) == (27, 3)


def test_a_record_that_is_no_metric_is_named_and_what_is_before_it_counts(deployed: Deployed, run: Run) -> None:
    good = written(deployed, metrics(4), metrics(4, provider="fal-flux"))
    broken = {"dynamodb": {"NewImage": to_item({"pk": "METRIC#x"}), "SequenceNumber": "000000000000000000150"}}
    assert run([good[0], broken, good[1]]) == ["000000000000000000150"]
    assert run([good[1]]) == []
    assert {health(deployed).samples, health(deployed, "fal-flux").samples} == {4}


def test_a_table_that_is_away_gives_the_whole_batch_back(
    deployed: Deployed, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = written(deployed, metrics(4))
    monkeypatch.setenv("TELEMETRY_TABLE", "gone")
    assert run(records) == [records[0]["dynamodb"]["SequenceNumber"]]


def test_an_operators_thresholds_are_the_ones_that_count(
    deployed: Deployed, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTH_THRESHOLDS", '{"openai-tts":{"healthy_seconds":0.2,"settle_seconds":0}}')
    for number in range(2):
        records = written(deployed, metrics(20))
        assert run(records[number:]) == []
    assert health(deployed).status is Status.DEGRADED
