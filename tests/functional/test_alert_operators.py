"""alert_operators, by changes as the Telemetry table's stream sends them, to a real subscriber."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.alert_operators import app
from mediarelay.alerts.contract import Alert
from mediarelay.calendar.dynamodb import DynamoCapabilities
from mediarelay.calendar.watch import CapabilityWatch
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.providers.registry import ALL_PROVIDERS
from tests.builders.incidents import BACK, DOWN, VERDICT, WELL
from tests.harness.function_events import health_image
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import TELEMETRY

Images = tuple[dict[str, Any] | None, dict[str, Any]]
Run = Callable[..., list[str]]


@pytest.fixture
def inbox(deployed: Deployed) -> str:
    return deployed.aws.inbox_url


@pytest.fixture
def run(deployed: Deployed, inbox: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PROVIDER_ALERTS_TOPIC_ARN", deployed.aws.topic_arn)
    app.service.cache_clear()

    def handle(*changes: Images) -> list[str]:
        records = [
            {
                "eventName": "MODIFY",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": {"pk": after["pk"], "sk": after["sk"]},
                    "SequenceNumber": f"{number:021d}",
                    "NewImage": after,
                    **({"OldImage": before} if before else {}),
                },
            }
            for number, (before, after) in enumerate(changes)
        ]
        answer = app.handler({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    assert inbox
    return handle


def received(deployed: Deployed, inbox: str) -> list[dict[str, Any]]:
    return list(deployed.aws.received(inbox))


def test_an_outage_and_its_end_reach_a_subscriber_as_json_with_attributes(
    deployed: Deployed, run: Run, inbox: str
) -> None:
    well, down, back = (health_image(deployed, record) for record in (WELL, DOWN, BACK))
    assert run((well, down), (well, down), (down, back)) == []
    alerts = [Alert.model_validate_json(message["Body"]) for message in received(deployed, inbox)]
    assert sorted(alert.event for alert in alerts) == ["opened", "resolved"]
    noted = [item for item in deployed.aws.items(TELEMETRY) if item["pk"]["S"] == "ALERT"]
    assert len(noted) == 2


def test_attributes_let_a_subscriber_filter(deployed: Deployed, run: Run, inbox: str) -> None:
    run((health_image(deployed, WELL), health_image(deployed, DOWN)))
    (message,) = received(deployed, inbox)
    found = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert found == {
        "provider": "openai-tts",
        "severity": "critical",
        "status": "down",
        "previous_status": "idle",
        "event": "opened",
    }


def test_a_rejected_key_is_told_by_its_id_alone(deployed: Deployed, run: Run, inbox: str) -> None:
    DynamoKeyStates(deployed.aws.dynamodb, TELEMETRY).save(VERDICT)
    (item,) = deployed.aws.items(TELEMETRY)
    assert run((None, item)) == []
    (message,) = received(deployed, inbox)
    assert json.loads(message["Body"])["subject"] == "key:openai:0123456789ab"


def test_the_keys_of_a_minute_are_one_message_when_the_sweep_comes_by(deployed: Deployed, run: Run, inbox: str) -> None:
    states = DynamoKeyStates(deployed.aws.dynamodb, TELEMETRY)
    for number in range(4):
        states.save(replace(VERDICT, key_id=f"{number:012d}"))
    keys = deployed.aws.items(TELEMETRY)
    beat = {"pk": {"S": "BEAT"}, "sk": {"S": "alerts"}, "at": {"N": "1"}}
    assert run(*((None, item) for item in keys), (None, beat), (beat, beat)) == []
    alerts = [Alert.model_validate_json(message["Body"]) for message in received(deployed, inbox)]
    assert sorted(len(alert.also) for alert in alerts) == [0, 2]
    told = {each.subject for alert in alerts for each in (alert, *alert.also)}
    assert told == {f"key:openai:{number:012d}" for number in range(4)}


def test_what_the_sweep_sees_coming_reaches_a_subscriber(deployed: Deployed, run: Run, inbox: str) -> None:
    states = DynamoCapabilities(deployed.aws.dynamodb, TELEMETRY)
    november = datetime(2026, 11, 27, tzinfo=UTC).timestamp()
    CapabilityWatch(ALL_PROVIDERS, states).look(["openai", "polly", "fal"], lambda _: None, november)
    items = {item["sk"]["S"]: item for item in deployed.aws.items(TELEMETRY) if item["pk"]["S"] == "CAPABILITY"}
    assert run((None, items["tts"])) == []
    (message,) = received(deployed, inbox)
    alert = Alert.model_validate_json(message["Body"])
    assert (alert.subject, alert.status, alert.severity) == ("capability:tts", "capability_at_risk", "warning")
    assert "polly from 2027-01-06 on" in alert.reason
    assert alert.what_to_do.startswith("Add keys of gemini or ")
    assert message["MessageAttributes"]["status"]["StringValue"] == "capability_at_risk"


def test_other_changes_of_the_table_are_passed_over(deployed: Deployed, run: Run, inbox: str) -> None:
    other = {"pk": {"S": "KEY#openai"}, "sk": {"S": "lease#x"}, "tat": {"N": "1"}}
    keep_warm = {"pk": {"S": "BEAT"}, "sk": {"S": "alerts"}, "at": {"N": "1"}}
    assert run((None, other), (None, {"pk": {"S": "TRIAL"}, "sk": {"S": "x"}}), (keep_warm, keep_warm)) == []
    assert received(deployed, inbox) == []


def test_a_topic_that_refuses_is_reported_by_sequence_number(
    deployed: Deployed, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDER_ALERTS_TOPIC_ARN", deployed.aws.topic_arn + "-gone")
    well, down = health_image(deployed, WELL), health_image(deployed, DOWN)
    assert run((well, down)) == [f"{0:021d}"]
