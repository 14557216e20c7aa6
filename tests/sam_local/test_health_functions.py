"""`sam local invoke` of what watches the providers: counts, alerts, sweeps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from mediarelay.health.contract import HealthRecord
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.judgement import Status
from tests.sam_local.running import answer_of, answer_to, event_of
from tools.local.outage.inbox import Inbox
from tools.local.stack import LocalStack

pytestmark = [pytest.mark.docker, pytest.mark.stack]


@pytest.fixture
def records(stack: LocalStack) -> DynamoHealth:
    return DynamoHealth(stack.client("dynamodb"), stack.outputs["TelemetryTableName"])


@pytest.fixture
def no_schedule(stack: LocalStack) -> None:
    """The stack sweeps no longer by itself."""
    scheduler = stack.client("scheduler")
    (listed,) = scheduler.list_schedules()["Schedules"]
    schedule = scheduler.get_schedule(Name=listed["Name"])
    kept = {name: schedule[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")


def just_now(event: dict[str, Any]) -> dict[str, Any]:
    """The same metrics, of calls that have just ended: older ones change no verdict."""
    began = {"N": str(round(1000 * time.time()) - 2000)}
    for record in event["Records"]:
        for attempt in record["dynamodb"]["NewImage"]["attempts"]["L"]:
            attempt["M"]["started_at"] = began
    return event


def test_aggregate_counts_metrics_into_a_health_record(
    stack: LocalStack, records: DynamoHealth, tmp_path: Path
) -> None:
    answer = answer_to(stack, "AggregateHealthFunction", just_now(event_of("aggregate-metrics")), tmp_path)

    found = known(records, "elevenlabs-tts")
    assert answer == {"batchItemFailures": []}
    assert (found.samples, found.success_rate, found.avg_latency_ms) == (4, 0.75, 800)
    assert found.last_error is not None
    assert found.last_error.code == "system_busy"


def test_alert_tells_a_subscriber_of_a_provider_that_is_down(stack: LocalStack, alerts: Inbox) -> None:
    answer = answer_of(stack, "AlertOperatorsFunction", "alert-provider-down")

    (alert,) = alerts.alerts(wait_seconds=10)
    assert answer == {"batchItemFailures": []}
    assert (alert.event, alert.provider, alert.status) == ("opened", "elevenlabs-audio", "down")


@pytest.mark.usefixtures("no_schedule")
def test_probe_judges_and_asks_whom_nobody_calls(stack: LocalStack, records: DynamoHealth) -> None:
    key = {"pk": {"S": "HEALTH"}, "sk": {"S": "elevenlabs-audio"}}
    stack.client("dynamodb").delete_item(TableName=stack.outputs["TelemetryTableName"], Key=key)
    started = time.time()
    answer = answer_of(stack, "ProbeProvidersFunction", "probe-every-minute")

    found = known(records, "elevenlabs-audio")
    assert answer is None
    assert (found.status, found.samples) == (Status.IDLE, 0)
    assert found.probed_at > started


def known(records: DynamoHealth, provider: str) -> HealthRecord:
    record = records.get(provider)
    assert record is not None
    return record
